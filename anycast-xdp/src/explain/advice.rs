//! What an operator does about an outcome.

use anycast_common::outcome::Outcome;

/// What to do; none where all is well.
pub const fn of(outcome: Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::Forwarded
        | Outcome::Decapsulated
        | Outcome::Returned
        | Outcome::EchoAnswered
        | Outcome::ProbeAnswered => return None,
        Outcome::TtlAnswered => "a traceroute shows this host; many of them are a routing loop in front of it",
        Outcome::TooBigAnswered => "the sender was told; for no packet to be too big, raise the MTU of the backbone",
        Outcome::Unset => "this is a bug: please report it with the packet",
        Outcome::NotVip => {
            "if the destination should be a VIP, see `anycast-xdp vips`; the host's stack has the packet now"
        }
        Outcome::StaleVip => "the VIP was being added or removed; run it again",
        Outcome::NotTunnel => {
            "tunnels are opened if they are to one of `gateway.tunnel_addresses` and carry IPv4 or IPv6; the host's stack has the packet now"
        }
        Outcome::IpVersion
        | Outcome::Ipv4HeaderLength
        | Outcome::Ipv4TotalLength
        | Outcome::Ipv6PayloadLength
        | Outcome::Ipv6ExtensionHeaders
        | Outcome::L4Truncated => "the packet is broken: look for what makes or cuts it between the client and here",
        Outcome::IcmpQuote => "the error is about no packet of this VIP: forged, or cut by a router on the way",
        Outcome::NoListener => "add a listener for it to the VIP, or look why the client asks for this port",
        Outcome::TtlExpired => {
            "no answer was sent: over `icmp.error_rate_pps`, or about an error; many of them are a routing loop in front of this host"
        }
        Outcome::NoPool => "bind the VIP to a pool",
        Outcome::EmptyPool | Outcome::NoBackend => "give the pool a backend that is up; see `anycast-xdp status`",
        Outcome::NextHopUnresolved => {
            "there is no route to the backend, or its router does not answer: `ip route get BACKEND`, `ip neigh`; is the daemon running?"
        }
        Outcome::TooBig => "raise the backbone's MTU to at least that of the access side plus the outer header",
        Outcome::Headroom => {
            "the driver leaves too little room in front of frames: another driver, or `attach = \"generic\"`"
        }
        Outcome::NoEgress => "the egress interface went away; is the daemon running?",
        Outcome::SourceNotAllowed => "if the outer source is a PoP of yours, add it to `gateway.allowed_sources`",
        Outcome::OuterFragment => "raise the backbone's MTU: no router may fragment tunnels",
        Outcome::OuterHeader => "the tunnel was not made by a PoP host of yours: look where it comes from",
        Outcome::NestedTunnel => "somebody wraps tunnels in tunnels: look where it comes from",
        Outcome::InnerNotVip => "add the VIP to this gateway, or take this backend out of its pool",
        Outcome::TunnelHeader => {
            "look at what sent it: PoPs send GRE with at most a key, and IP directly in UDP (GUE variant 1)"
        }
        Outcome::TunnelKey => "write the PoPs' `gre_key` in this gateway's `gre_keys`, or neither",
        Outcome::TunnelChecksum => "send GUE with a UDP checksum of 0 (`noudpcsum`, `udp6zerocsumtx`), as PoPs do",
        Outcome::EchoLimited => "raise `icmp.echo_rate_pps`, or look who sends so many",
        Outcome::EchoPolicy => {
            "write `icmp_echo = \"answer\"` or `\"forward\"` in the [[vip]] to have echo requests answered"
        }
        Outcome::ReturnDirect => {
            "write `return = \"pop\"` in the [[vip]] here and on the PoPs to have answers leave through the PoP"
        }
        Outcome::NoPopDirect | Outcome::NoPop => {
            "the client sent nothing for an hour, came by no PoP of `gateway.allowed_sources`, or `limits.return_clients` is too small"
        }
        Outcome::ReturnedByHost => {
            "the router toward the client did not answer yet: `ip neigh`; many of them: is it there at all?"
        }
        Outcome::NotReturner => {
            "if it is a gateway of yours, make it a backend of the VIP's pool, with the encap that it answers in"
        }
        Outcome::ReturnNotVip => "write `return = \"pop\"` in the [[vip]] here, or `\"direct\"` on the gateway",
        Outcome::NoReturnRoute => {
            "look for the route with `ip route get CLIENT`: it must leave by an access interface; and let the kernel forward (`sysctl net.ipv4.conf.IF.forwarding=1` on the backbone interface, the same for IPv6)"
        }
        Outcome::LinkGroup => "look why the switch sends this VIP's packets to a group address",
        Outcome::ProbeEnded => {
            "nothing: the backend answered after `timeout`, or went on with an answer of which the beginning was enough; many of them are a backend that is slow"
        }
        Outcome::MartianSource => "look where it comes in: no host may send from this source",
        Outcome::EcnNotCapable => {
            "a backbone router marks congestion on packets that cannot carry it; see its ECN configuration"
        }
    })
}

#[cfg(test)]
mod tests {
    use anycast_common::outcome::Class;

    use super::*;

    #[test]
    fn whatever_is_not_well_has_advice() {
        for outcome in Outcome::ALL {
            let is_well = outcome.class() == Class::Forwarded
                || matches!(outcome, Outcome::EchoAnswered | Outcome::ProbeAnswered);
            assert_eq!(of(*outcome).is_none(), is_well, "{}", outcome.label());
        }
    }
}
