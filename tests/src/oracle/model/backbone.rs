//! The backbone program: answers on their way back.

use std::net::{IpAddr, Ipv6Addr};

use anycast_common::{encap::Encap, outcome::Outcome};

use super::{
    super::{
        place::{self, Way},
        tables::{Link, PopReturns, PopTables},
    },
    Action, Facts, Input, Sent, answer, encap,
    ip::{self, Family, checksum},
    layer2::Layer2,
    tunnel::{self, End, Inner, Kind, Outer},
};

/// `None`: the packet is none of this program's business.
pub(super) fn run(
    tables: &PopTables,
    input: &Input,
    layer2: Layer2,
    facts: &mut Facts,
) -> Option<Result<Sent, Outcome>> {
    if tables.returns.vips.is_empty() {
        return None;
    }
    match decide(tables, input, layer2, facts) {
        Err(Outcome::NotTunnel) => None,
        decided => Some(decided),
    }
}

fn decide(tables: &PopTables, input: &Input, layer2: Layer2, facts: &mut Facts) -> Result<Sent, Outcome> {
    let bytes = &input.frame[layer2.ip_offset..];
    let readable = &bytes[..input.readable_bytes().saturating_sub(layer2.ip_offset)];
    let is_own = |address| match address {
        IpAddr::V4(address) => tables.source_ipv4.is_some_and(|sources| sources.contains(&address)),
        IpAddr::V6(address) => tables.source_ipv6.is_some_and(|sources| sources.contains(&address)),
    };
    let end = End { is_own: &is_own, gue_port: PopReturns::GUE_PORT, is_key: &|_| true };
    let outer = tunnel::outer(&end, layer2.family, bytes, readable)?;
    let inner = tunnel::inner(&end, &outer, bytes, readable)?;
    facts.bytes = inner.packet.len();
    // A health address may be a tunnel source as well: what comes to it is an answer, unless it is a tunnel once more.
    let to = ip::destination(inner.family, inner.packet);
    let is_tunnel = matches!(ip::next(inner.family, inner.packet), 4 | 41 | 47);
    let is_to_health = tables.health.contains(&to);
    if is_own(to) && (is_tunnel || !is_to_health) {
        return Err(Outcome::NestedTunnel);
    }
    let source = ip::source(inner.family, inner.packet);
    let position = tables.vips.iter().position(|vip| vip.address == source && !vip.stale);
    let position = position.ok_or(Outcome::ReturnNotVip)?;
    facts.vip = Some(position);
    facts.is_answer = true;
    if !tables.returns.vips.contains(&position) {
        return Err(Outcome::ReturnNotVip);
    }
    if !may_answer(tables, position, ip::source(outer.family, outer.packet), inner.kind) {
        return Err(Outcome::NotReturner);
    }
    let ecn = tunnel::ecn(&outer, &inner).ok_or(Outcome::EcnNotCapable)?;
    if ip::hop_limit(inner.family, inner.packet) <= 1 {
        return Err(Outcome::TtlExpired);
    }
    if is_to_health && matches!(route(&inner), None | Some(Way::Blackhole)) {
        facts.is_probe = true;
        return Ok(to_stack(input, &inner, ecn, Outcome::ProbeAnswered));
    }
    onward(tables, input, layer2, (&outer, &inner), ecn)
}

/// Without its tunnel.
fn to_stack(input: &Input, inner: &Inner<'_>, ecn: u8, outcome: Outcome) -> Sent {
    let bytes = tunnel::with_ecn(inner.family, inner.bytes, ecn);
    let frame = [&input.frame[..12], &inner.family.ether_type(), &bytes].concat();
    Sent { outcome, action: Action::Pass, frame }
}

/// In the tunnel that flows go to the gateway by.
fn may_answer(tables: &PopTables, vip: usize, gateway: IpAddr, kind: Kind) -> bool {
    let Some(pool) = tables.vips[vip].pool else { return false };
    let backend = tables.pools[pool].backends.iter().find(|backend| backend.address == gateway);
    backend.is_some_and(|backend| {
        kind == match backend.encap {
            Encap::Ipip => Kind::Ipip,
            Encap::Gre { key } => Kind::Gre(key),
            Encap::Gue { .. } => Kind::Gue,
        }
    })
}

/// Steps 7 and 8.
fn onward(
    tables: &PopTables,
    input: &Input,
    layer2: Layer2,
    (outer, inner): (&Outer<'_>, &Inner<'_>),
    ecn: u8,
) -> Result<Sent, Outcome> {
    let (ifindex, mtu_bytes, is_resolved) = match route(inner).ok_or(Outcome::NoReturnRoute)? {
        Way::To { ifindex, mtu_bytes } => (ifindex, mtu_bytes, true),
        Way::Unresolved { ifindex } => (ifindex, place::MTU_BYTES, false),
        Way::Blackhole => return Err(Outcome::NoReturnRoute),
    };
    let link = public_link(tables, ifindex).ok_or(Outcome::NoReturnRoute)?;
    if inner.packet.len() > usize::from(mtu_bytes) {
        return too_big(tables, input, layer2, (outer, inner), mtu_bytes).ok_or(Outcome::TooBig);
    }
    if !is_resolved {
        return Ok(to_stack(input, inner, ecn, Outcome::ReturnedByHost));
    }
    let bytes = tunnel::with_ecn(inner.family, inner.bytes, ecn);
    let action = encap::egress(input, link)?;
    let mut frame = [place::neighbour(ifindex), link.mac].concat();
    if let Some(tci) = link.vlan_tci {
        frame.extend([0x81, 0x00]);
        frame.extend(tci.to_be_bytes());
    }
    frame.extend(inner.family.ether_type());
    frame.extend(encap::with_hop_limit_decremented(inner.family, &bytes));
    Ok(Sent { outcome: Outcome::Returned, action, frame })
}

/// The kernel's routes. It forwards nothing from or to an address of one link only.
fn route(inner: &Inner<'_>) -> Option<Way> {
    let is_of_link = |address: IpAddr| match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => {
            address.is_multicast() || address.is_unicast_link_local() || address == Ipv6Addr::LOCALHOST
        }
    };
    let destination = ip::destination(inner.family, inner.packet);
    let ends = [ip::source(inner.family, inner.packet), destination];
    if ends.into_iter().any(is_of_link) { None } else { place::route(destination) }
}

fn public_link(tables: &PopTables, ifindex: u32) -> Option<&Link> {
    tables.returns.links.iter().map(|position| &tables.links[*position]).find(|link| link.ifindex == ifindex)
}

/// The error about the inner packet, in the tunnel that it came by. `None`: nobody is told.
fn too_big(
    tables: &PopTables,
    input: &Input,
    layer2: Layer2,
    (outer, inner): (&Outer<'_>, &Inner<'_>),
    mtu_bytes: u16,
) -> Option<Sent> {
    let front = [&input.frame[..12], &inner.family.ether_type()].concat();
    let arrived = answer::Arrived {
        family: inner.family,
        packet: inner.packet,
        readable_bytes: input.readable_bytes() - layer2.ip_offset - inner.outer_bytes,
        bytes: inner.bytes,
        layer2: &front,
    };
    let client = ip::destination(inner.family, inner.packet);
    let Sent { outcome, action, frame } =
        answer::too_big(&tables.answers, &arrived, usize::from(mtu_bytes), client, true)?;
    let error = &frame[14..];
    let header_bytes = outer.family.header_bytes();
    let mut header = outer.packet[..inner.outer_bytes].to_vec();
    let length = inner.outer_bytes + error.len();
    match outer.family {
        Family::V4 => {
            header[1] = answer::TOS;
            header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            header[8] = answer::TTL;
            let (source, destination) = header[12..20].split_at_mut(4);
            source.swap_with_slice(destination);
            header[10..12].fill(0);
            let checksum = checksum(&header[..20]);
            header[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        Family::V6 => {
            header[0] = 0x60 | answer::TOS >> 4;
            header[1..4].copy_from_slice(&[answer::TOS << 4, 0, 0]);
            header[4..6].copy_from_slice(&((length - header_bytes) as u16).to_be_bytes());
            header[7] = answer::TTL;
            let (source, destination) = header[8..40].split_at_mut(16);
            source.swap_with_slice(destination);
        }
    }
    if inner.kind == Kind::Gue {
        let at = header_bytes + 4;
        header[at..at + 2].copy_from_slice(&((length - header_bytes) as u16).to_be_bytes());
    }
    let frame = [&frame[..12], &outer.family.ether_type(), &header, error].concat();
    Some(Sent { outcome, action, frame })
}
