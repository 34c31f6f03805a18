//! A packet builder and decoder that share no code with the datapath: bytes come from etherparse, and from here where
//! a packet is meant to be wrong.
//!
//! ```
//! use anycast_tests::packet::{Packet, decode_outer};
//!
//! let syn = Packet::from_to("198.51.100.7", "192.0.2.80").tcp(1234, 80).ttl(7).vlan(100).build();
//! assert_eq!(syn.len(), 14 + 4 + 20 + 20);
//! let tunnel = Packet::from_to("10.3.0.2", "10.4.0.2").as_outer().encapsulating(&syn[18..]).build();
//! assert_eq!(decode_outer(&tunnel).unwrap().inner, &syn[18..]);
//! ```

mod assemble;
mod decode;
mod expect;
mod extension;
mod ip;
mod layer4;
mod malform;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use decode::{Outer, Tunnel, decode_outer};
pub use expect::ttl_decremented;
pub use layer4::{IcmpError, tcp_flags};

use self::{extension::Extension, ip::IpFields, layer4::Layer4};

/// Destination MAC that frames carry unless told otherwise.
pub const DEFAULT_DESTINATION_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
/// Source MAC that frames carry unless told otherwise.
pub const DEFAULT_SOURCE_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];

/// A change to the finished frame.
type Edit = Box<dyn FnOnce(&mut Vec<u8>)>;

/// A packet in the making: every method returns it changed, [`Packet::build`] and [`Packet::build_ip`] give bytes.
///
/// A fresh packet has TTL 64, no DSCP, no ECN, IPv4 ID 0 without DF, no payload, and an experimental protocol (253).
#[must_use = "call build or build_ip"]
pub struct Packet {
    destination_mac: [u8; 6],
    source_mac: [u8; 6],
    /// TPID and TCI, outermost first.
    tags: Vec<(u16, u16)>,
    ether_type: Option<u16>,
    ip: IpFields,
    extensions: Vec<Extension>,
    layer4: Layer4,
    payload: Vec<u8>,
    edits: Vec<Edit>,
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packet")
            .field("ip", &self.ip)
            .field("extensions", &self.extensions)
            .field("layer4", &self.layer4)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl Packet {
    /// An IPv4 packet.
    pub fn v4(source: impl Into<Ipv4Addr>, destination: impl Into<Ipv4Addr>) -> Self {
        Self::between(source.into(), destination.into())
    }

    /// An IPv6 packet.
    pub fn v6(source: impl Into<Ipv6Addr>, destination: impl Into<Ipv6Addr>) -> Self {
        Self::between(source.into(), destination.into())
    }

    /// A packet of the family of its addresses. Panics if they are of two families.
    pub fn between(source: impl Into<IpAddr>, destination: impl Into<IpAddr>) -> Self {
        Self {
            destination_mac: DEFAULT_DESTINATION_MAC,
            source_mac: DEFAULT_SOURCE_MAC,
            tags: Vec::new(),
            ether_type: None,
            ip: IpFields::new(source.into(), destination.into()),
            extensions: Vec::new(),
            layer4: Layer4::Raw { protocol: 253 },
            payload: Vec::new(),
            edits: Vec::new(),
        }
    }

    /// [`Packet::between`] for addresses in text.
    pub fn from_to(source: &str, destination: &str) -> Self {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap_or_else(|e| panic!("{text:?}: {e}"));
        Self::between(parse(source), parse(destination))
    }

    /// Sets the Ethernet addresses.
    pub fn ethernet(mut self, destination: [u8; 6], source: [u8; 6]) -> Self {
        self.destination_mac = destination;
        self.source_mac = source;
        self
    }

    /// Adds an 802.1Q tag behind those that are there.
    pub fn vlan(self, id: u16) -> Self {
        self.tag(0x8100, id)
    }

    /// Adds an 802.1ad service tag behind those that are there.
    pub fn service_vlan(self, id: u16) -> Self {
        self.tag(0x88a8, id)
    }

    /// Adds a tag of any TPID, with priority and drop-eligible bits in `tci`.
    pub fn tag(mut self, tpid: u16, tci: u16) -> Self {
        self.tags.push((tpid, tci));
        self
    }

    /// TTL or hop limit.
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ip.ttl = ttl;
        self
    }

    /// The whole TOS or traffic class octet: DSCP in the upper six bits, ECN in the lower two.
    pub fn dscp_ecn(mut self, octet: u8) -> Self {
        self.ip.dscp_ecn = octet;
        self
    }

    /// IPv4 identification, and the identification of an IPv6 fragment header added after this.
    pub fn id(mut self, id: u16) -> Self {
        self.ip.id = id;
        self
    }

    /// IPv4 don't-fragment.
    pub fn df(mut self) -> Self {
        self.ip.df = true;
        self
    }

    /// IPv6 flow label, 20 bits.
    pub fn flow_label(mut self, label: u32) -> Self {
        self.ip.flow_label = label;
        self
    }

    /// IPv4 options, padded with end-of-options to a multiple of 4. At most 40 bytes.
    pub fn options(mut self, options: &[u8]) -> Self {
        self.ip.options = options.to_vec();
        self.ip.options.resize(options.len().next_multiple_of(4), 0);
        self
    }

    /// Makes this a fragment: `offset_bytes` is a multiple of 8. IPv6 gets a fragment header behind the extension
    /// headers added so far; offset 0 without `more` is an atomic fragment there (RFC 6946), and nothing in IPv4.
    pub fn fragment(mut self, offset_bytes: u16, more: bool) -> Self {
        assert_eq!(offset_bytes % 8, 0, "fragment offsets are multiples of 8");
        if self.ip.is_v4() {
            self.ip.fragment_offset_bytes = offset_bytes;
            self.ip.more_fragments = more;
        } else {
            self.extensions.push(Extension::fragment(offset_bytes, more, self.ip.id));
        }
        self
    }

    /// The bytes behind the transport header.
    pub fn payload(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.payload = payload.as_ref().to_vec();
        self
    }

    /// A payload of `len` bytes, each different from its neighbours, so that moved bytes are noticed.
    pub fn payload_len(mut self, len: usize) -> Self {
        self.payload = (0..len).map(|i| (i % 251) as u8).collect();
        self
    }

    /// Makes the payload a whole IP packet, and the protocol 4 or 41 after its version nibble.
    pub fn encapsulating(mut self, inner: &[u8]) -> Self {
        let protocol = if inner.first().is_some_and(|byte| byte >> 4 == 6) { 41 } else { 4 };
        self.layer4 = Layer4::Raw { protocol };
        self.payload(inner)
    }

    /// The fields that every ICMP error of a PoP has: network control, DF where there is one, ID 0, TTL 64.
    pub fn as_error(self) -> Self {
        self.dscp_ecn(0xc0).as_outer()
    }

    /// The fields that every outer header of a PoP has: DF where there is one, ID 0, TTL 64.
    pub fn as_outer(mut self) -> Self {
        self.ip.df = true;
        self.ip.id = 0;
        self.ip.ttl = 64;
        self
    }
}
