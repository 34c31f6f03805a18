//! The packets that `explain` is asked about.

use std::{
    fmt::Display,
    fs,
    io::{self, Read as _},
    net::{IpAddr, SocketAddr},
};

use anycast_common::header::{ETHERNET_BYTES, protocol};

use super::{super::exit::Failure, Args};
use crate::{
    config::parse_protocol,
    explain::{
        Frame, capture, hex,
        packet::{self, Shape, Tuple},
    },
};

/// Which packets of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// All of them.
    All,
    /// This one, from 1.
    One(u32),
}

/// Reads `--packet`.
pub(super) fn packet_number(written: &str) -> Result<Number, String> {
    match written.parse() {
        Ok(number) if number > 0 => Ok(Number::One(number)),
        _ if written == "all" => Ok(Number::All),
        _ => Err("write a number from 1, or all".to_owned()),
    }
}

/// The frames that were asked about, at least one.
pub(super) fn frames(args: &Args) -> Result<Vec<Frame>, Failure> {
    if let Some(file) = &args.pcap {
        let name = file.display();
        let bytes = fs::read(file).map_err(|error| refused(format!("cannot read {name}: {error}")))?;
        let wanted = match args.packet {
            Number::All => None,
            Number::One(number) => Some(number),
        };
        return capture::read(&bytes, wanted).map_err(|error| refused(format!("{name}: {error:#}")));
    }
    let bytes = match &args.hex {
        Some(given) => from_hex(given, args.ip)?,
        None => packet::frame(&from_tuple(args)?),
    };
    Ok(vec![Frame { number: 1, bytes, notes: Vec::new() }])
}

fn refused(message: impl Display) -> Failure {
    Failure::Refused(format!("error: {message}"))
}

fn from_hex(given: &str, is_ip: bool) -> Result<Vec<u8>, Failure> {
    let (name, text) = if given == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(|error| refused(format!("cannot read stdin: {error}")))?;
        ("stdin", text)
    } else if hex::is_literal(given) {
        ("--hex", given.to_owned())
    } else {
        let text = fs::read_to_string(given);
        (given, text.map_err(|error| refused(format!("`{given}` is no packet in hex, and as a file: {error}")))?)
    };
    let bytes = hex::parse(&text).map_err(|error| refused(format!("{name}: {error:#}")))?;
    if is_ip {
        return Ok(packet::frame(&bytes));
    }
    if bytes.len() < ETHERNET_BYTES {
        let message = format!("{name}: {} bytes are no Ethernet frame; with --ip they are an IP packet", bytes.len());
        return Err(refused(message));
    }
    Ok(bytes)
}

/// The IP packet of protocol, source and destination.
fn from_tuple(args: &Args) -> Result<Vec<u8>, Failure> {
    let (Some(name), Some(source), Some(destination)) = (&args.protocol, &args.source, &args.destination) else {
        return Err(refused("give protocol, source and destination, --hex or --pcap"));
    };
    let tuple = tuple(name, source, destination).map_err(refused)?;
    let shape = Shape { ttl: args.ttl, length_bytes: args.length, dont_fragment: args.df, syn: args.syn };
    let packet = packet::build(&tuple, shape);
    let (Some(outer_source), Some(outer_destination)) = (args.outer_source, args.outer_destination) else {
        return packet.map_err(|error| refused(format!("{error:#}")));
    };
    let carried = if tuple.source.0.is_ipv4() { protocol::IPIP } else { protocol::IPV6 };
    let outer = Shape { ttl: 64, length_bytes: None, dont_fragment: true, syn: false };
    packet
        .and_then(|packet| packet::wrap(carried, outer_source, outer_destination, outer, &packet))
        .map_err(|error| refused(format!("{error:#}")))
}

fn tuple(name: &str, source: &str, destination: &str) -> Result<Tuple, String> {
    let protocol = parse_protocol(name).map_err(|problem| format!("{}\n  help: {}", problem.what, problem.help))?;
    let with_ports = packet::has_ports(protocol);
    let (source, destination) = (endpoint(source, with_ports)?, endpoint(destination, with_ports)?);
    // Everybody says `icmp`.
    let is_v6_echo = protocol == protocol::ICMP && source.0.is_ipv6();
    Ok(Tuple { protocol: if is_v6_echo { protocol::ICMPV6 } else { protocol }, source, destination })
}

/// `203.0.113.7:4321` and `[2001:db8::7]:4321`, or without ports `203.0.113.7`, `[2001:db8::7]` and `2001:db8::7`.
fn endpoint(written: &str, with_port: bool) -> Result<(IpAddr, u16), String> {
    let bare = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(written);
    match (written.parse::<SocketAddr>(), bare.parse::<IpAddr>(), with_port) {
        (Ok(both), _, true) => Ok((both.ip(), both.port())),
        (_, Ok(address), false) => Ok((address, 0)),
        (_, Ok(address), true) => {
            let example = SocketAddr::new(address, 4321);
            Err(format!("`{written}` has no port\n  help: write it as {example}"))
        }
        (Ok(both), _, false) => {
            Err(format!("`{written}` has a port, its protocol has none\n  help: write {}", both.ip()))
        }
        (Err(_), Err(_), _) => {
            let example =
                if with_port { "203.0.113.7:4321 or [2001:db8::7]:4321" } else { "203.0.113.7 or 2001:db8::7" };
            Err(format!("`{written}` is no address\n  help: write it like {example}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_are_read_in_both_families() {
        let read = |protocol, source, destination| tuple(protocol, source, destination).expect("a tuple");
        let v4 = read("tcp", "203.0.113.7:4321", "192.0.2.80:443");
        assert_eq!((v4.protocol, v4.source.1, v4.destination.1), (6, 4321, 443));
        let v6 = read("17", "[2001:db8::7]:1", "[2001:db8::80]:53");
        assert_eq!((v6.protocol, v6.source.0.to_string().as_str()), (17, "2001:db8::7"));
        assert_eq!(read("icmp", "203.0.113.7", "192.0.2.80").protocol, 1);
        assert_eq!(read("icmp", "2001:db8::7", "[2001:db8::80]").protocol, 58);
        assert_eq!(read("esp", "203.0.113.7", "192.0.2.80").protocol, 50);
    }

    #[test]
    fn what_is_no_tuple_is_told_with_what_to_write() {
        let told = |protocol, source| tuple(protocol, source, "192.0.2.80:443").expect_err("an error");
        assert_eq!(told("tpc", "203.0.113.7:1"), "`tpc` is no protocol known here\n  help: did you mean `tcp`?");
        assert_eq!(told("tcp", "203.0.113.7"), "`203.0.113.7` has no port\n  help: write it as 203.0.113.7:4321");
        assert_eq!(told("tcp", "2001:db8::7"), "`2001:db8::7` has no port\n  help: write it as [2001:db8::7]:4321");
        assert_eq!(
            told("icmp", "203.0.113.7"),
            "`192.0.2.80:443` has a port, its protocol has none\n  help: write 192.0.2.80"
        );
        assert!(told("udp", "client").starts_with("`client` is no address\n  help: write it like 203.0.113.7:4321"));
    }

    #[test]
    fn packets_of_a_capture_are_numbered_from_one() {
        assert_eq!(packet_number("all"), Ok(Number::All));
        assert_eq!(packet_number("3"), Ok(Number::One(3)));
        assert!(packet_number("0").is_err() && packet_number("-1").is_err() && packet_number("first").is_err());
    }
}
