//! At the end of a tunnel: what lies between the outer IP header and the inner packet.

use anycast_common::{
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, GRE_BYTES, GRE_FLAGS_KEY, GRE_KEYED_BYTES, UDP_BYTES, protocol},
    map::{ENCAP_GRE, ENCAP_GRE_KEYED, ENCAP_GUE, ENCAP_IPIP},
    outcome::Outcome,
};

use crate::{
    maps::{self, Tunnels},
    packet::{Cursor, Window},
};

/// A tunnel header that this host takes.
#[derive(Clone, Copy)]
pub struct Tunnel {
    /// One of `ENCAP_*`.
    pub encap: u8,
    /// Index of the GRE key on a gateway; 0: none.
    pub key_index: u8,
    /// The GRE key as it lies in memory; 0 where there is none.
    pub key: u32,
    /// The inner packet is IPv4, else IPv6.
    pub carries_v4: bool,
    /// Bytes in front of it.
    pub bytes: usize,
}

impl Tunnel {
    /// One without a key.
    #[inline(always)]
    fn plain(encap: u8, carries_v4: bool, bytes: usize) -> Self {
        Self { encap, key_index: 0, key: 0, carries_v4, bytes }
    }
}

/// May this protocol carry a tunnel?
#[inline(always)]
pub fn is_carried(protocol: u8) -> bool {
    matches!(protocol, protocol::IPIP | protocol::IPV6 | protocol::GRE | protocol::UDP)
}

/// Which GRE keys an end of tunnels takes.
pub trait Keys {
    /// Index of the key, 0 where it is none. `None`: it is not taken.
    fn index_of(key: Option<u32>, tunnels: Tunnels) -> Option<u8>;
}

/// A gateway takes one of its keys, or GRE without a key where it has none.
pub struct OneOfMany;

impl Keys for OneOfMany {
    #[inline(always)]
    fn index_of(key: Option<u32>, tunnels: Tunnels) -> Option<u8> {
        let is_keyed = tunnels.policy().is_gre_keyed;
        match key {
            // SAFETY: the value is copied at once.
            Some(key) if is_keyed => unsafe { maps::GRE_KEYS.get(key.to_ne_bytes()) }.map(|index| *index as u8),
            None if !is_keyed => Some(0),
            _ => None,
        }
    }
}

/// Any key: it is compared when it is known whose tunnel it has to be.
pub struct Any;

impl Keys for Any {
    #[inline(always)]
    fn index_of(_key: Option<u32>, _tunnels: Tunnels) -> Option<u8> {
        Some(0)
    }
}

/// Is the UDP header at `at` one to this host's port of GUE?
#[inline(always)]
pub fn is_gue(at: Cursor, tunnels: Tunnels) -> bool {
    let port = tunnels.policy().gue_port;
    port != 0 && at.window::<UDP_BYTES>().is_some_and(|udp| udp.be16::<2>() == port)
}

/// Reads the header at `at`; the outer packet has `room` bytes from there.
#[inline(always)]
pub fn parse<K: Keys>(at: Cursor, room: usize, protocol: u8, tunnels: Tunnels) -> Result<Tunnel, Outcome> {
    match protocol {
        protocol::IPIP => Ok(Tunnel::plain(ENCAP_IPIP, true, 0)),
        protocol::IPV6 => Ok(Tunnel::plain(ENCAP_IPIP, false, 0)),
        protocol::GRE => gre::<K>(at, room, tunnels),
        _ => gue(at, room),
    }
}

/// RFC 2784 and RFC 2890: version 0, at most a key. Checksum, sequence number and routing are nothing that our PoPs send.
#[inline(always)]
fn gre<K: Keys>(at: Cursor, room: usize, tunnels: Tunnels) -> Result<Tunnel, Outcome> {
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
    let key_index = K::index_of(key, tunnels).ok_or(Outcome::TunnelKey)?;
    let encap = if key.is_some() { ENCAP_GRE_KEYED } else { ENCAP_GRE };
    Ok(Tunnel { encap, key_index, key: key.unwrap_or(0), carries_v4, bytes })
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
        Some(4) => Ok(Tunnel::plain(ENCAP_GUE, true, UDP_BYTES)),
        Some(6) => Ok(Tunnel::plain(ENCAP_GUE, false, UDP_BYTES)),
        _ => Err(Outcome::TunnelHeader),
    }
}

/// `N` bytes that the outer packet has.
#[inline(always)]
fn part<const N: usize>(at: Cursor, room: usize) -> Result<Window<N>, Outcome> {
    at.window::<N>().filter(|_| room >= N).ok_or(Outcome::TunnelHeader)
}
