//! The return program: answers that leave a gateway.

use std::net::IpAddr;

use anycast_common::{map::Counter, outcome::Outcome};

use super::{
    super::tables::{GatewayTables, Link, Path, Returns, Seen, Tunnel},
    Action, Facts, Input, Sent, answer, encap,
    ip::{self, Family, be16},
    mss,
};

const ETHERNET_BYTES: usize = 14;
/// Of a frame, so much is made readable where headers are not: Ethernet, IPv4 with options, TCP with options.
const PULLED_BYTES: usize = 14 + 60 + 60;
/// Behind an IP header, so much has to be readable, or more is made so.
const TCP_BYTES: usize = 20;

/// An IP packet on its way out.
struct Leaving<'a> {
    family: Family,
    /// All that is behind the Ethernet header.
    packet: &'a [u8],
    header_bytes: usize,
    readable_bytes: usize,
}

/// `None`: the packet is none of this program's business.
pub(super) fn run(tables: &GatewayTables, input: &Input, facts: &mut Facts) -> Option<Result<Sent, Outcome>> {
    let leaving = leaving(input)?;
    let source = ip::source(leaving.family, leaving.packet);
    let vip = tables.vips.iter().position(|vip| *vip == source)?;
    facts.vip = Some(vip);
    facts.is_answer = true;
    facts.bytes = leaving.packet.len();
    Some(answer(tables, input, &leaving, vip, facts))
}

fn leaving(input: &Input) -> Option<Leaving<'_>> {
    let family = match be16(&input.frame, 12) {
        0x0800 => Family::V4,
        0x86dd => Family::V6,
        _ => return None,
    };
    let packet = &input.frame[ETHERNET_BYTES..];
    let header_bytes = |readable_bytes: usize| {
        let version = packet.first()? >> 4;
        let is_header = readable_bytes >= family.header_bytes() && version == if family == Family::V4 { 4 } else { 6 };
        let bytes = if is_header { ip::header_length(family, packet) } else { return None };
        (bytes >= family.header_bytes() && bytes <= packet.len()).then_some(bytes)
    };
    let is_whole = |(bytes, readable_bytes): &(usize, usize)| *readable_bytes >= bytes + TCP_BYTES;
    let at_first = input.readable_bytes().saturating_sub(ETHERNET_BYTES);
    let pulled = at_first.max(packet.len().min(PULLED_BYTES - ETHERNET_BYTES));
    let found = |readable_bytes| Some((header_bytes(readable_bytes)?, readable_bytes));
    let (header_bytes, readable_bytes) = found(at_first).filter(is_whole).or_else(|| found(pulled))?;
    Some(Leaving { family, packet, header_bytes, readable_bytes })
}

fn answer(
    tables: &GatewayTables,
    input: &Input,
    leaving: &Leaving<'_>,
    vip: usize,
    facts: &mut Facts,
) -> Result<Sent, Outcome> {
    let returns = &tables.returns;
    let without = match returns.vips.get(vip) {
        None | Some(Returns::Direct) => return Err(Outcome::ReturnDirect),
        Some(Returns::Pop) => Outcome::NoPopDirect,
        Some(Returns::PopOrDrop) => Outcome::NoPop,
    };
    let client = ip::destination(leaving.family, leaving.packet);
    let is_way = |path: &&Path| (path.client, path.vip) == (client, vip) && path.seen != Seen::LongAgo;
    let path = returns.paths.iter().find(is_way).ok_or(without)?;
    let (mtu_bytes, neighbour, link) = way(tables, path.peer).ok_or(Outcome::NextHopUnresolved)?;
    let outer_bytes = outer_bytes(path);
    let inner_bytes_max = usize::from(mtu_bytes).saturating_sub(outer_bytes);
    let Some(sent) = fitting(input, leaving, outer_bytes, inner_bytes_max) else {
        return too_big(input, leaving, inner_bytes_max, client);
    };
    if input.buffer.segment_bytes != 0 && !input.buffer.is_of_stack {
        return Err(Outcome::Headroom);
    }
    let mut inner = leaving.packet.to_vec();
    mss::clamp(leaving.family, &mut inner, leaving.readable_bytes, inner_bytes_max);
    let tunnel_address = tables.tunnel_addresses[path.tunnel_address];
    let header = outer_header(leaving, &inner, path, tunnel_address, tables.gue_port);
    let frame =
        [&encap::ethernet(neighbour, &Link { vlan_tci: None, ..*link }, path.source)[..], &header, &inner].concat();
    facts.sent = Some((path.peer, sent));
    let action = if link.ifindex == input.ingress_ifindex { Action::Pass } else { Action::Redirect };
    Ok(Sent { outcome: Outcome::Returned, action, frame: input.buffer.seen(frame, link.vlan_tci) })
}

/// MTU, neighbour and link toward a PoP host. Which place of a group a packet takes is of the kernel's flow hash, which nobody
/// knows: all places are the same.
fn way(tables: &GatewayTables, peer: usize) -> Option<(u16, [u8; 6], &Link)> {
    let returns = &tables.returns;
    let route = (*returns.routes.get(peer)?)?;
    assert!(route.picks.iter().all(|pick| *pick == route.picks[0]), "the places of a way back differ");
    let next_hop = returns.next_hops[route.picks[0]?];
    Some((route.mtu_bytes, next_hop.mac?, &returns.links[next_hop.link]))
}

fn outer_bytes(path: &Path) -> usize {
    let behind_ip = match path.tunnel {
        Tunnel::Ipip => 0,
        Tunnel::Gre => 4,
        Tunnel::Keyed(_) | Tunnel::Gue => 8,
    };
    Family::of(path.source).header_bytes() + behind_ip
}

/// What leaves in front of the tunnel header: packets, and their bytes. `None`: it does not fit.
fn fitting(input: &Input, leaving: &Leaving<'_>, outer_bytes: usize, inner_bytes_max: usize) -> Option<Counter> {
    let Leaving { family, packet, header_bytes, readable_bytes } = *leaving;
    let segment_bytes = usize::from(input.buffer.segment_bytes);
    if segment_bytes == 0 {
        return (packet.len() <= inner_bytes_max).then_some(Counter { packets: 1, bytes: packet.len() as u64 });
    }
    let is_tcp = protocol(family, packet) == 6;
    let layer4_bytes = match is_tcp {
        true if readable_bytes < header_bytes + 14 => return None,
        true => usize::from(packet[header_bytes + 12] >> 4) * 4,
        false => 8,
    };
    let headers_bytes = header_bytes + layer4_bytes;
    let payload_bytes = packet.len().saturating_sub(headers_bytes);
    let cut_by = |bytes: usize| {
        let packets = payload_bytes.div_ceil(bytes);
        Counter { packets: packets as u64, bytes: (payload_bytes + packets * headers_bytes) as u64 }
    };
    if headers_bytes + segment_bytes <= inner_bytes_max {
        return Some(cut_by(segment_bytes));
    }
    let shorter = segment_bytes.checked_sub(outer_bytes).filter(|bytes| *bytes > 0)?;
    (is_tcp && headers_bytes + shorter <= inner_bytes_max).then(|| cut_by(shorter))
}

fn protocol(family: Family, packet: &[u8]) -> u8 {
    packet[if family == Family::V4 { 9 } else { 6 }]
}

/// The stack is told what fits, as if by the client.
fn too_big(input: &Input, leaving: &Leaving<'_>, inner_bytes_max: usize, client: IpAddr) -> Result<Sent, Outcome> {
    let Leaving { family, packet, header_bytes, .. } = *leaving;
    let (least, icmp, is_fragment, is_whole_by_demand) = match family {
        Family::V4 => (68, 1, ip::is_ipv4_fragment(packet), packet[6] & 0x40 != 0),
        Family::V6 => (1280, 58, false, true),
    };
    let mtu_bytes = inner_bytes_max.max(least);
    let is_told = !is_fragment
        && header_bytes == family.header_bytes()
        && protocol(family, packet) != icmp
        && is_whole_by_demand
        && packet.len() > mtu_bytes;
    if !is_told {
        return Err(Outcome::TooBig);
    }
    let quote = &packet[..header_bytes + 8];
    let error = answer::too_big_error(client, ip::source(family, packet), mtu_bytes as u16, quote);
    let frame = [&input.frame[6..12], &input.frame[..6], &input.frame[12..14], &error].concat();
    let frame = input.buffer.seen(frame, input.buffer.vlan_tci);
    Ok(Sent { outcome: Outcome::TooBigAnswered, action: Action::Redirect, frame })
}

/// What stands in front of the inner packet, but for what is of the kernel's flow hash: zero.
fn outer_header(leaving: &Leaving<'_>, inner: &[u8], path: &Path, source: IpAddr, gue_port: u16) -> Vec<u8> {
    let family = leaving.family;
    let traffic_class = ip::traffic_class(family, inner);
    let (protocol, behind_ip) = match path.tunnel {
        Tunnel::Ipip => (family.protocol(), Vec::new()),
        Tunnel::Gre => (47, [[0, 0], family.ether_type()].concat()),
        Tunnel::Keyed(key) => (47, [&[0x20, 0], &family.ether_type()[..], &key.to_be_bytes()].concat()),
        Tunnel::Gue => {
            let length = (8 + inner.len()) as u16;
            (17, [0xc000, gue_port, length, 0].map(u16::to_be_bytes).concat())
        }
    };
    let header = encap::ip_header(source, path.source, traffic_class, protocol, behind_ip.len() + inner.len(), 0);
    [header, behind_ip].concat()
}
