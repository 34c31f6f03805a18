//! Which flow is it, and does the VIP take it?

use anycast_common::{
    flow::Transport,
    header::protocol,
    map::{HASH_FLOW, HASH_SOURCE, VipPolicy},
    outcome::Outcome,
};
use aya_ebpf::programs::XdpContext;

use super::{
    answer::Answer,
    echo, icmp,
    ip::{Header, Ip, Upper},
    listen,
};
use crate::{observe::Observer, packet::Cursor};

/// What is hashed.
pub struct Flow<I: Ip> {
    /// The client's address.
    pub source: I::Address,
    /// The VIP's, or none.
    pub destination: I::Address,
    /// Ports and protocol as far as they are hashed.
    pub transport: Transport,
}

/// Ports, source first, and protocol as the listeners see them.
#[derive(Clone, Copy)]
pub struct L4 {
    /// Protocol number.
    pub protocol: u8,
    /// Source port, then destination port, as they lie in memory; 0 without.
    pub ports: u32,
    /// Neither a fragment nor a protocol without ports.
    pub has_ports: bool,
}

/// The flow of a packet, if the VIP takes it.
#[inline(always)]
pub fn of<I: Answer, O: Observer>(
    ctx: &XdpContext,
    l2_bytes: usize,
    l3: Cursor,
    header: &Header<I>,
    policy: VipPolicy,
) -> Result<Flow<I>, Outcome> {
    if policy.listener_set == 0 {
        let source =
            if I::is_plain(header) { header.source } else { behind_headers::<I>(ctx, l2_bytes, l3, header, policy)? };
        return Ok(Flow { source, destination: destination::<I>(header, policy), transport: Transport::default() });
    }
    let upper = I::upper(l3, header).ok_or(Outcome::Ipv6ExtensionHeaders)?;
    echo::apply::<I>(ctx, l2_bytes, header, upper, policy.echo)?;
    let (source, l4) = if is_icmp_error::<I>(l3, header, upper) {
        icmp::turned_round::<I>(l3, header, upper, true)?
    } else {
        (header.source, l4(l3, header.length, upper, I::ICMP).ok_or(Outcome::L4Truncated)?)
    };
    O::l4(l4);
    listen::check(policy.listener_set, l4)?;
    let transport = if policy.hash_mode == HASH_FLOW {
        Transport { ports: l4.ports.to_ne_bytes(), protocol: l4.protocol }
    } else {
        Transport::default()
    };
    Ok(Flow { source, destination: destination::<I>(header, policy), transport })
}

/// The destination as far as it is hashed.
#[inline(always)]
fn destination<I: Ip>(header: &Header<I>, policy: VipPolicy) -> I::Address {
    if policy.hash_mode == HASH_SOURCE { I::NO_ADDRESS } else { header.destination }
}

/// The client's address when there may be an ICMP error or extension headers, for a VIP that takes everything.
#[inline(always)]
fn behind_headers<I: Answer>(
    ctx: &XdpContext,
    l2_bytes: usize,
    l3: Cursor,
    header: &Header<I>,
    policy: VipPolicy,
) -> Result<I::Address, Outcome> {
    let upper = I::upper(l3, header).ok_or(Outcome::Ipv6ExtensionHeaders)?;
    echo::apply::<I>(ctx, l2_bytes, header, upper, policy.echo)?;
    if !is_icmp_error::<I>(l3, header, upper) {
        return Ok(header.source);
    }
    icmp::turned_round::<I>(l3, header, upper, false).map(|(source, _)| source)
}

/// Is it an ICMP error, which is about another packet?
/// A type byte that is there but cannot be read makes it one, whose quote cannot be read then either.
#[inline(always)]
pub fn is_icmp_error<I: Ip>(l3: Cursor, header: &Header<I>, upper: Upper) -> bool {
    upper.protocol == I::ICMP
        && !upper.fragment
        && upper.offset < header.length
        && l3.skip(upper.offset).window::<1>().is_none_or(|icmp| I::icmp_is_error(icmp.u8::<0>()))
}

/// The transport header at `upper`; `None`: it runs beyond the packet.
#[inline(always)]
pub fn l4(l3: Cursor, length: usize, upper: Upper, icmp: u8) -> Option<L4> {
    let protocol = upper.protocol;
    if upper.fragment {
        return Some(L4 { protocol, ports: 0, has_ports: false });
    }
    let (bytes, has_ports) = match protocol {
        protocol::TCP => (20, true),
        protocol::UDP => (8, true),
        protocol::SCTP => (12, true),
        _ if protocol == icmp => (8, false),
        _ => (0, false),
    };
    if upper.offset + bytes > length {
        return None;
    }
    let ports = if has_ports { l3.skip(upper.offset).window::<4>()?.word::<0>() } else { 0 };
    Some(L4 { protocol, ports, has_ports })
}
