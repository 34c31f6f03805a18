//! On a gateway: what lies between the outer IP header and the inner packet.

use anycast_common::{
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, GRE_BYTES, GRE_FLAGS_KEY, GRE_KEYED_BYTES, UDP_BYTES, protocol},
    outcome::Outcome,
};

use crate::{
    maps,
    packet::{Cursor, Window},
};

/// A tunnel header that this gateway takes.
#[derive(Clone, Copy)]
pub struct Tunnel {
    /// The inner packet is IPv4, else IPv6.
    pub carries_v4: bool,
    /// Bytes in front of it.
    pub bytes: usize,
}

/// May this protocol carry a tunnel?
#[inline(always)]
pub fn is_carried(protocol: u8) -> bool {
    matches!(protocol, protocol::IPIP | protocol::IPV6 | protocol::GRE | protocol::UDP)
}

/// Is the UDP header at `at` one to this gateway's port of GUE?
#[inline(always)]
pub fn is_gue(at: Cursor) -> bool {
    let port = maps::tunnel_policy().gue_port;
    port != 0 && at.window::<UDP_BYTES>().is_some_and(|udp| udp.be16::<2>() == port)
}

/// Reads the header at `at`; the outer packet has `room` bytes from there.
#[inline(always)]
pub fn parse(at: Cursor, room: usize, protocol: u8) -> Result<Tunnel, Outcome> {
    match protocol {
        protocol::IPIP => Ok(Tunnel { carries_v4: true, bytes: 0 }),
        protocol::IPV6 => Ok(Tunnel { carries_v4: false, bytes: 0 }),
        protocol::GRE => gre(at, room),
        _ => gue(at, room),
    }
}

/// RFC 2784 and RFC 2890: version 0, at most a key. Checksum, sequence number and routing are nothing that our PoPs send.
#[inline(always)]
fn gre(at: Cursor, room: usize) -> Result<Tunnel, Outcome> {
    let header = part::<GRE_BYTES>(at, room)?;
    let (bytes, key) = match header.be16::<0>() {
        0 => (GRE_BYTES, None),
        GRE_FLAGS_KEY => (GRE_KEYED_BYTES, Some(part::<GRE_KEYED_BYTES>(at, room)?.word::<4>())),
        _ => return Err(Outcome::TunnelHeader),
    };
    let carries_v4 = match header.be16::<2>() {
        ETHERTYPE_IPV4 => true,
        ETHERTYPE_IPV6 => false,
        _ => return Err(Outcome::TunnelHeader),
    };
    let is_right = match key {
        Some(key) => maps::tunnel_policy().is_gre_keyed && maps::GRE_KEYS.get_ptr(key.to_ne_bytes()).is_some(),
        None => !maps::tunnel_policy().is_gre_keyed,
    };
    if is_right { Ok(Tunnel { carries_v4, bytes }) } else { Err(Outcome::TunnelKey) }
}

/// GUE variant 1: the first nibble behind the UDP header is the IP version; variant 0 has a header of its own there.
#[inline(always)]
fn gue(at: Cursor, room: usize) -> Result<Tunnel, Outcome> {
    let header = part::<UDP_BYTES>(at, room)?;
    if header.length::<4>() != room {
        return Err(Outcome::TunnelHeader);
    }
    // Ours is 0. Any other would have to be verified, over the whole packet (RFC 1122 section 4.1.3.4).
    if header.ne16::<6>() != 0 {
        return Err(Outcome::TunnelChecksum);
    }
    let inner = at.skip_constant(UDP_BYTES).window::<1>();
    match inner.filter(|_| room > UDP_BYTES).map(|inner| inner.u8::<0>() >> 4) {
        Some(4) => Ok(Tunnel { carries_v4: true, bytes: UDP_BYTES }),
        Some(6) => Ok(Tunnel { carries_v4: false, bytes: UDP_BYTES }),
        _ => Err(Outcome::TunnelHeader),
    }
}

/// `N` bytes that the outer packet has.
#[inline(always)]
fn part<const N: usize>(at: Cursor, room: usize) -> Result<Window<N>, Outcome> {
    at.window::<N>().filter(|_| room >= N).ok_or(Outcome::TunnelHeader)
}
