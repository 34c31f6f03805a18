//! Echo requests to VIPs that have a policy for them.

use anycast_common::outcome::Outcome::{EchoAnswered, EchoLimited, EchoPolicy, L4Truncated, NoListener, TtlAnswered};
use anycast_tests::packet::{IcmpError, Packet};

use crate::fixture::{
    Row, Way, pop, to,
    world::{CLIENT_V4, CLIENT_V6, OWN_V4, OWN_V6, vip, way},
};

/// VIPs of one family: the PoP answers, the same with listeners for TCP only, the PoP drops.
struct Family {
    name: &'static str,
    client: &'static str,
    own: &'static str,
    answered: &'static str,
    answered_tcp: &'static str,
    silent: &'static str,
    way: Way,
}

pub fn rows() -> Vec<Row> {
    let v4 = Family {
        name: "IPv4",
        client: CLIENT_V4,
        own: OWN_V4,
        answered: vip::ANSWERED_V4,
        answered_tcp: vip::ANSWERED_TCP_V4,
        silent: vip::SILENT_V4,
        way: way::V4,
    };
    let v6 = Family {
        name: "IPv6",
        client: CLIENT_V6,
        own: OWN_V6,
        answered: vip::ANSWERED_V6,
        answered_tcp: vip::ANSWERED_TCP_V6,
        silent: vip::SILENT_V6,
        way: way::V6,
    };
    [v4, v6].iter().flat_map(of_family).chain(of_one_family()).collect()
}

fn of_family(family: &Family) -> Vec<Row> {
    let Family { name, client, own, answered, answered_tcp, silent, way } = *family;
    let request = |vip| to(vip).icmp_echo(7, 9).payload_len(56);
    let reply = |vip| Packet::from_to(vip, client).icmp_echo_reply(7, 9).payload_len(56).build_ip();
    let message = 14 + if answered.contains(':') { 40 } else { 20 };
    vec![
        pop(format!("{name}: an echo request, linear up to its checksum"), request(answered))
            .in_fragments(message + 4)
            .answered(answered, EchoAnswered, reply(answered)),
        pop(format!("{name}: an echo request, linear up to half of its checksum"), request(answered))
            .in_fragments(message + 3)
            .dropped(answered, EchoLimited),
        pop(format!("{name}: an echo request is answered by the PoP"), request(answered)).answered(
            answered,
            EchoAnswered,
            reply(answered),
        ),
        pop(format!("{name}: an echo request is answered whatever the listeners say"), request(answered_tcp)).answered(
            answered_tcp,
            EchoAnswered,
            reply(answered_tcp),
        ),
        pop(format!("{name}: a reply has a hop limit of its own"), request(answered).ttl(2)).answered(
            answered,
            EchoAnswered,
            reply(answered),
        ),
        pop(format!("{name}: a reply keeps the DSCP of the request"), request(answered).dscp_ecn(0xb8)).answered(
            answered,
            EchoAnswered,
            Packet::from_to(answered, client).dscp_ecn(0xb8).icmp_echo_reply(7, 9).payload_len(56).build_ip(),
        ),
        pop(format!("{name}: a reply keeps both tags"), request(answered).service_vlan(7).vlan(300)).answered(
            answered,
            EchoAnswered,
            reply(answered),
        ),
        pop(format!("{name}: a reply keeps one tag"), request(answered).tag(0x8100, 0xa12c)).answered(
            answered,
            EchoAnswered,
            reply(answered),
        ),
        pop(format!("{name}: an echo request without data is answered"), to(answered).icmp_echo(0, 0)).answered(
            answered,
            EchoAnswered,
            Packet::from_to(answered, client).icmp_echo_reply(0, 0).build_ip(),
        ),
        pop(format!("{name}: an echo request at its last hop is told the PoP's address"), request(answered).ttl(1))
            .answered(
                answered,
                TtlAnswered,
                Packet::from_to(own, client)
                    .as_error()
                    .icmp_error(IcmpError::TimeExceeded, request(answered).ttl(1).build_ip())
                    .build_ip(),
            ),
        pop(
            format!("{name}: an echo reply to a VIP with a policy is a packet like any other"),
            to(answered).icmp_echo_reply(7, 9),
        )
        .forwarded(answered, way),
        pop(format!("{name}: TCP to a VIP whose pings are answered is forwarded"), to(answered).tcp(1, 80))
            .forwarded(answered, way),
        pop(format!("{name}: an echo request is dropped by policy"), request(silent)).dropped(silent, EchoPolicy),
        pop(format!("{name}: an echo reply to a VIP without echo is forwarded"), to(silent).icmp_echo_reply(7, 9))
            .forwarded(silent, way),
        pop(format!("{name}: 7 bytes of ICMP are no echo request"), to(silent).protocol(icmp(name)).payload([8; 7]))
            .forwarded(silent, way),
        pop(
            format!("{name}: 7 bytes of ICMP are no echo request for listeners"),
            to(answered_tcp).protocol(icmp(name)).payload([8; 7]),
        )
        .dropped(answered_tcp, L4Truncated),
        pop(
            format!("{name}: a first fragment of an echo request is left to the backend"),
            request(answered).fragment(0, true),
        )
        .forwarded(answered, way),
        pop(
            format!("{name}: a fragment of an echo request is left to listeners"),
            request(answered_tcp).fragment(0, true),
        )
        .dropped(answered_tcp, NoListener),
    ]
}

fn of_one_family() -> Vec<Row> {
    let (v4, v6) = (vip::ANSWERED_V4, vip::ANSWERED_V6);
    let padded = |reply: Vec<u8>| [reply, vec![0xaa; 60 - 14 - 28]].concat();
    vec![
        pop("IPv4: a reply keeps the padding of the request", to(v4).icmp_echo(1, 2).pad_to(60))
            .counted_as(28)
            .answered(v4, EchoAnswered, padded(Packet::from_to(v4, CLIENT_V4).icmp_echo_reply(1, 2).build_ip())),
        pop(
            "IPv4: an echo request with options is left to the backend",
            to(v4).options(&[7, 7, 4, 0, 0, 0, 0, 0]).icmp_echo(1, 2),
        )
        .forwarded(v4, way::V4),
        pop(
            "IPv4: an echo request with options is dropped by policy",
            to(vip::SILENT_V4).options(&[1; 4]).icmp_echo(1, 2),
        )
        .dropped(vip::SILENT_V4, EchoPolicy),
        pop(
            "IPv6: an echo request behind options is left to the backend",
            to(v6).destination_options().icmp_echo(1, 2),
        )
        .forwarded(v6, way::V6),
        pop(
            "IPv6: an echo request behind options is dropped by policy",
            to(vip::SILENT_V6).destination_options().icmp_echo(1, 2),
        )
        .dropped(vip::SILENT_V6, EchoPolicy),
    ]
}

fn icmp(family: &str) -> u8 {
    if family == "IPv4" { 1 } else { 58 }
}
