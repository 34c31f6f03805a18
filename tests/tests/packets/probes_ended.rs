//! What the kernel of a PoP host says to answers that nobody waits for any more: it has no mark, and is no client's.

use anycast_common::outcome::Outcome;
use anycast_tests::packet::{IcmpError, Packet, tcp_flags};

use crate::fixture::{
    Row, probe,
    world::{CLIENT_V4, CLIENT_V6, OWN, TUNNELS},
};

pub fn rows() -> Vec<Row> {
    [0, 1].into_iter().flat_map(of_family).collect()
}

fn of_family(family: usize) -> Vec<Row> {
    let (vips, way) = TUNNELS[0];
    let vip = vips[family];
    let (own, client) = (OWN[family], [CLIENT_V4, CLIENT_V6][family]);
    let nobody = ["192.0.2.254", "2001:db8:1::254"][family];
    let row = |what: &str, packet: Packet| {
        probe(format!("without a mark, IPv{}, from the health address: {what}", [4, 6][family]), packet)
    };
    let reset = |from: &str, to: &str, flags| Packet::from_to(from, to).tcp_with(4000, 80, flags);
    let error = |quoted: Packet| {
        let quote = quoted.build_ip();
        Packet::from_to(own, vip).icmp_error(IcmpError::Unreachable, &quote)
    };
    let answer_to = |to: &str| Packet::from_to(vip, to).udp(53, 4000).payload_len(9);
    let rst = tcp_flags::RST;
    let bare = || reset(own, vip, rst);
    let bare_bytes = bare().build_ip().len();
    vec![
        row("a reset without ACK", bare()).refused(Outcome::ProbeEnded),
        row("a reset with padding", bare().pad_to(90)).counted_as(bare_bytes).refused(Outcome::ProbeEnded),
        row("a reset of no TTL", bare().ttl(0)).refused(Outcome::ProbeEnded),
        row("a connection of its own is reset", reset(own, vip, rst | tcp_flags::ACK)).forwarded(vip, way),
        row("a segment", reset(own, vip, tcp_flags::ACK)).forwarded(vip, way),
        row("a SYN", reset(own, vip, tcp_flags::SYN)).forwarded(vip, way),
        row("a datagram with the same bits", Packet::from_to(own, vip).protocol(17).payload([rst; 20]))
            .forwarded(vip, way),
        row("a reset in a fragment", Packet::from_to(own, vip).protocol(6).fragment(8, false).payload([rst; 24]))
            .forwarded(vip, way),
        row("a reset that is cut", Packet::from_to(own, vip).protocol(6).payload([rst; 19])).forwarded(vip, way),
        row("a reset to no VIP", reset(own, nobody, rst)).passed(Outcome::NotVip),
        row("a reset of another version", bare().version(5)).dropped(vip, Outcome::IpVersion),
        row("a client's reset", reset(client, vip, rst)).forwarded(vip, way),
        row("an error about an answer to it", error(answer_to(own))).refused(Outcome::ProbeEnded),
        row("an error about an answer to a client", error(answer_to(client))).forwarded(vip, way).flow_of(client),
        row("an error about what the VIP did not send", error(Packet::from_to(nobody, own).udp(1, 2)))
            .dropped(vip, Outcome::IcmpQuote),
        row("an echo request", Packet::from_to(own, vip).icmp_echo(1, 2)).forwarded(vip, way),
    ]
}
