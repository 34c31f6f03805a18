//! `explain`: the way of one packet.

mod input;

use std::{net::IpAddr, path::PathBuf};

use clap::ValueEnum;

use super::{
    exit::Outcome,
    options::{InstanceOption, OutputOption},
    render, writer,
};
use crate::dataplane::inspect::{Explainer, Hook, Ingress};

/// Tell what becomes of a packet: its VIP, listener, pool, slot, backend, next hop and outer header, and why; on a gateway
/// of an answer, too: its VIP, PoP and outer header
///
/// Runs a second copy of the attached program on the live tables: what it tells is what the program does. Nothing is
/// sent, and no counter and no limit of the instance moves. Reads the pinned state, daemon running or not. In JSON, the
/// packets of a capture are one line each.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp explain tcp 203.0.113.7:4321 192.0.2.80:443 --syn
  anycast-xdp explain udp '[2001:db8:1::7]:4321' '[2001:db8:80::80]:53' --length 1400
  anycast-xdp explain icmp 203.0.113.7 192.0.2.80 --interface in1
  anycast-xdp explain --ip --hex 4500001c00000000400100...
  anycast-xdp explain --pcap lost.pcap --packet 3 --output json
  anycast-xdp explain tcp 203.0.113.7:4321 192.0.2.80:443 --outer-source 10.3.0.2 --outer-destination 10.4.0.2
  anycast-xdp explain tcp 192.0.2.80:443 203.0.113.7:4321

Exit codes: 0 told, whatever becomes of the packet, 1 failed, 2 wrong usage, 3 nothing is pinned for the instance")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Args {
    /// Protocol: tcp, udp, sctp, icmp, another name that listeners have, or a number
    #[arg(required_unless_present_any = ["hex", "pcap"], requires = "destination")]
    protocol: Option<String>,
    /// Address of the client, or of the VIP that answers; and its port where the protocol has ports: 203.0.113.7:4321, [2001:db8::7]:4321
    source: Option<String>,
    /// Address of the VIP, or of the client that is answered, and its port
    destination: Option<String>,
    /// The packet in hex, a file of it, or - for stdin: a frame, from its Ethernet header on
    #[arg(long, value_name = "HEX", conflicts_with_all = ["protocol", "pcap"])]
    hex: Option<String>,
    /// The hex begins with the IP header
    #[arg(long, requires = "hex", conflicts_with_all = ["protocol", "pcap"])]
    ip: bool,
    /// A capture, pcap or pcapng
    #[arg(long, value_name = "FILE", conflicts_with = "protocol")]
    pcap: Option<PathBuf>,
    /// Which of its packets: a number from 1, or all
    #[arg(long, value_name = "N", conflicts_with_all = ["protocol", "hex"], default_value = "all", value_parser = input::packet_number)]
    packet: input::Number,
    /// TTL or hop limit
    #[arg(long, conflicts_with_all = ["hex", "pcap"], default_value_t = 64)]
    ttl: u8,
    /// Bytes of the IP packet; without: its headers alone
    #[arg(long, value_name = "BYTES", conflicts_with_all = ["hex", "pcap"])]
    length: Option<u16>,
    /// Set IPv4's don't-fragment bit
    #[arg(long, conflicts_with_all = ["hex", "pcap"])]
    df: bool,
    /// A TCP SYN; without: an ACK
    #[arg(long, conflicts_with_all = ["hex", "pcap"])]
    syn: bool,
    /// Put the packet into an IPIP tunnel from this address, as it arrives at a gateway
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["hex", "pcap"], requires = "outer_destination")]
    outer_source: Option<IpAddr>,
    /// Tunnel address of the gateway
    #[arg(long, value_name = "ADDRESS", requires = "outer_source")]
    outer_destination: Option<IpAddr>,
    /// Interface that the packet comes in by, or leaves by
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    interface: Option<String>,
    /// Side that the packet comes from, by its first interface; without: access, and for what a gateway's VIP sends, its
    /// stack
    #[arg(long, value_enum, value_name = "SIDE")]
    from: Option<Side>,
    /// The gateway's stack sends the packet, whoever it is from
    #[arg(long, conflicts_with = "from")]
    egress: bool,
    #[command(flatten)]
    instance: InstanceOption,
    #[command(flatten)]
    output: OutputOption,
}

/// A side of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    /// Where clients are; on a gateway, where tunnels arrive
    Access,
    /// The backbone
    Backbone,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let frames = input::frames(args)?;
    let given = match (&args.interface, args.from) {
        (interface, _) if args.egress => Hook::Egress(interface.clone()),
        (Some(name), _) => Hook::Ingress(Ingress::Interface(name.clone())),
        (None, Some(Side::Access) | None) => Hook::Ingress(Ingress::Outside),
        (None, Some(Side::Backbone)) => Hook::Ingress(Ingress::Backbone),
    };
    let inspector = args.instance.open()?;
    // A capture may have both directions in it.
    let mut explainers: Vec<(Hook, Explainer<'_>)> = Vec::new();
    for (position, frame) in frames.iter().enumerate() {
        let hook = if args.from.is_some() { given.clone() } else { inspector.hook(&frame.bytes, given.clone()) };
        let at = if let Some(at) = explainers.iter().position(|(known, _)| *known == hook) {
            at
        } else {
            explainers.push((hook.clone(), inspector.explainer(&hook, &frame.bytes)?));
            explainers.len() - 1
        };
        let explained = explainers[at].1.explain(frame)?;
        if args.pcap.is_none() {
            return writer::write(args.output.output, &explained, render::explain);
        }
        let gap = if position == 0 { "" } else { "\n" };
        writer::write_next(args.output.output, &explained, |explained, width| {
            format!("{gap}Packet {}\n{}", explained.packet, render::explain(explained, width))
        })?;
    }
    Ok(())
}
