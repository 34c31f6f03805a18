//! What happened to a packet: one list from which kernel, metrics, CLI and docs all read.

/// The XDP action class of an [`Outcome`], and the fixed per-VIP counter it is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Class {
    /// Handed to the driver toward a backend (`PoP`) or decapsulated for the host's stack (gateway).
    Forwarded = 0,
    /// Answered from here, on the interface it came in by.
    Answered = 1,
    /// Given to the host's stack untouched.
    Passed = 2,
    /// Dropped; the outcome is the reason.
    Dropped = 3,
}

impl Class {
    /// Every class, in the order of the per-VIP counters.
    pub const ALL: [Self; 4] = [Self::Forwarded, Self::Answered, Self::Passed, Self::Dropped];

    /// The label in CLI, JSON and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Answered => "answered",
            Self::Passed => "passed",
            Self::Dropped => "dropped",
        }
    }
}

macro_rules! outcomes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $class:ident, $label:literal;)+) => {
        /// What happened to one packet. The number is the index of its counter and never changes meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Outcome { $($(#[doc = $doc])+ $name = $number,)+ }

        impl Outcome {
            /// Every outcome, in numeric order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The class, and by it the XDP action.
            #[inline(always)]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)+ }
            }

            /// The label in CLI, JSON and metrics.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)+ }
            }

            /// One sentence for the operator, as the reference prints it.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
}

outcomes! {
    /// Reserved: zeroed memory names no outcome.
    Unset = 0, Dropped, "unset";
    /// Encapsulated and handed to the driver toward the backend's next hop.
    Forwarded = 1, Forwarded, "forwarded";
    /// Decapsulated and given to the host's stack.
    Decapsulated = 2, Forwarded, "decapsulated";
    /// Not IP, too short to hold a destination, or for no VIP: left to the host's stack untouched.
    NotVip = 3, Passed, "not_vip";
    /// Looked up while its table was changing under it: left to the host's stack untouched.
    StaleVip = 4, Passed, "stale_vip";
    /// On the gateway: not a tunnel packet to one of its tunnel addresses; left to the host's stack untouched.
    NotTunnel = 5, Passed, "not_tunnel";
    /// The IP version field contradicts the EtherType.
    IpVersion = 6, Dropped, "ip_version";
    /// The IPv4 header length is below 20 bytes or beyond the frame.
    Ipv4HeaderLength = 7, Dropped, "ipv4_header_length";
    /// The IPv4 total length is below the header's or beyond the frame.
    Ipv4TotalLength = 8, Dropped, "ipv4_total_length";
    /// The IPv6 payload length is beyond the frame.
    Ipv6PayloadLength = 9, Dropped, "ipv6_payload_length";
    /// An IPv6 extension header runs beyond the packet, or there are more of them than a router walks.
    Ipv6ExtensionHeaders = 10, Dropped, "ipv6_extension_headers";
    /// The packet ends inside its TCP, UDP, SCTP or ICMP header.
    L4Truncated = 11, Dropped, "l4_truncated";
    /// An ICMP error whose quoted packet is truncated or was not sent by the VIP.
    IcmpQuote = 12, Dropped, "icmp_quote";
    /// The VIP has listeners and none takes this protocol and port.
    NoListener = 13, Dropped, "no_listener";
    /// TTL or hop limit is used up, and the sender was not told: see `[icmp]`.
    TtlExpired = 14, Dropped, "ttl_expired";
    /// The VIP is bound to no pool.
    NoPool = 15, Dropped, "no_pool";
    /// The pool has no usable backend.
    EmptyPool = 16, Dropped, "empty_pool";
    /// The Maglev slot names no backend.
    NoBackend = 17, Dropped, "no_backend";
    /// The backend's next hop is not resolved.
    NextHopUnresolved = 18, Dropped, "next_hop_unresolved";
    /// With its outer header the packet exceeds the path's MTU, and the sender was not told: see `[icmp]`.
    TooBig = 19, Dropped, "too_big";
    /// The driver gave too little headroom for the outer header.
    Headroom = 20, Dropped, "headroom";
    /// The egress interface is not in the device map.
    NoEgress = 21, Dropped, "no_egress";
    /// On the gateway: the outer source is not in the allow-list.
    SourceNotAllowed = 22, Dropped, "source_not_allowed";
    /// On the gateway: the outer packet is a fragment; the gateway does not reassemble.
    OuterFragment = 23, Dropped, "outer_fragment";
    /// On the gateway: the outer header carries options or extension headers, or contradicts itself.
    OuterHeader = 24, Dropped, "outer_header";
    /// On the gateway: the inner packet is itself a tunnel packet to a tunnel address.
    NestedTunnel = 25, Dropped, "nested_tunnel";
    /// On the gateway: the inner destination is none of its VIPs.
    InnerNotVip = 26, Dropped, "inner_not_vip";
    /// On the gateway: congestion was marked on the outer header of a packet that cannot carry the mark (RFC 6040 section 4.2).
    EcnNotCapable = 27, Dropped, "ecn_not_capable";
    /// An echo request that the PoP answered in the VIP's name.
    EchoAnswered = 28, Answered, "echo_answered";
    /// An echo request beyond the rate at which the PoP answers them.
    EchoLimited = 29, Dropped, "echo_limited";
    /// An echo request to a VIP that takes none.
    EchoPolicy = 30, Dropped, "echo_policy";
    /// TTL or hop limit was used up, and the sender was told so: Time Exceeded from the PoP's own address.
    TtlAnswered = 31, Answered, "ttl_answered";
    /// With its outer header the packet exceeds the path's MTU, and the sender was told the MTU that fits.
    TooBigAnswered = 32, Answered, "too_big_answered";
    /// The frame was addressed to a group, broadcast or multicast, and not to this host.
    LinkGroup = 33, Dropped, "link_group";
    /// The source address is none that a single host may send from, or is the destination.
    MartianSource = 34, Dropped, "martian_source";
    /// On the gateway: a GRE or GUE header that it does not take: other fields than a key, another version, another payload than IP, a UDP length that lies.
    TunnelHeader = 35, Dropped, "tunnel_header";
    /// On the gateway: GRE without the key that it asks for, or with another one.
    TunnelKey = 36, Dropped, "tunnel_key";
    /// On the gateway: GUE with a UDP checksum, which it does not verify.
    TunnelChecksum = 37, Dropped, "tunnel_checksum";
    /// An answer on its way back: on a gateway encapsulated toward the PoP, on a PoP handed to the driver toward the client.
    Returned = 38, Forwarded, "returned";
    /// On a gateway: sent by a VIP whose answers go directly; left alone.
    ReturnDirect = 39, Passed, "return_direct";
    /// On a gateway: no PoP is known for this client, and the answer goes directly.
    NoPopDirect = 40, Passed, "no_pop_direct";
    /// On a gateway: no PoP is known for this client, and the VIP's answers go through a PoP or not at all.
    NoPop = 41, Dropped, "no_pop";
    /// On a PoP: an answer whose next hop toward the client is not resolved; given to the host's stack to be routed.
    ReturnedByHost = 42, Passed, "returned_by_host";
    /// On a PoP: an answer in a tunnel from a host that is no backend of its VIP, or not in the tunnel that the PoP uses to it.
    NotReturner = 43, Dropped, "not_returner";
    /// On a PoP: an answer whose source is no VIP, or a VIP whose answers go directly.
    ReturnNotVip = 44, Dropped, "return_not_vip";
    /// On a PoP: no route to the client leaves by an access interface, or the kernel does not forward.
    NoReturnRoute = 45, Dropped, "no_return_route";
    /// On a PoP: an answer to one of its own probes, taken out of its tunnel and given to the host's stack.
    ProbeAnswered = 46, Passed, "probe_answered";
    /// On a PoP: what its kernel said to the answer of a backend that came when the probe had ended.
    ProbeEnded = 47, Dropped, "probe_ended";
}

impl Outcome {
    /// How many counters the outcome table needs.
    pub const COUNT: usize = Self::ALL.len();

    /// The outcome with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_labels_unique() {
        for (index, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(*outcome as usize, index);
            assert_eq!(Outcome::from_number(index as u32), Some(*outcome));
            assert!(Outcome::ALL.iter().filter(|other| other.label() == outcome.label()).count() == 1);
            assert!(outcome.description().ends_with('.'), "{}", outcome.description());
        }
        assert_eq!(Outcome::from_number(Outcome::COUNT as u32), None);
    }
}
