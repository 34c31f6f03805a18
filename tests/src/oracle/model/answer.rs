//! "What the PoP answers by itself" of docs/datapath.md: echo replies, Time Exceeded, and Packet Too Big.

use std::net::IpAddr;

use anycast_common::outcome::Outcome;

use super::{
    super::tables::{Answers, Echo},
    Action, Sent, flow,
    ip::{self, Family, checksum, replace_checksum_word},
};

/// TTL or hop limit of what this host sends.
pub(super) const TTL: u8 = 64;
/// TOS or traffic class of errors.
pub(super) const TOS: u8 = 0xc0;
const ICMP_BYTES: usize = 8;
/// Of an echo request, what its answer changes: type, code and checksum.
const CHANGED_BYTES: usize = 4;

/// A packet that may be answered.
pub(super) struct Arrived<'a> {
    pub family: Family,
    pub packet: &'a [u8],
    /// So many bytes of it can be read.
    pub readable_bytes: usize,
    /// The packet, and what followed it in the frame.
    pub bytes: &'a [u8],
    /// What was in front of it.
    pub layer2: &'a [u8],
}

/// Type, code, and the last two bytes of the ICMP header.
struct Message {
    v4: [u8; 2],
    v6: [u8; 2],
    mtu_bytes: u16,
}

/// Sources that are none of a single host, and the VIP itself.
pub(super) fn is_martian(source: IpAddr, vip: IpAddr) -> bool {
    let of_no_host = match source {
        IpAddr::V4(source) => {
            let [first, ..] = source.octets();
            first == 0 || source.is_loopback() || source.is_multicast() || first >= 240
        }
        IpAddr::V6(source) => {
            let mapped = source.to_ipv4_mapped().is_some();
            source.is_unspecified() || source.is_loopback() || source.is_multicast() || mapped
        }
    };
    of_no_host || source == vip
}

/// `None`: the packet goes on.
pub(super) fn echo(answers: &Answers, policy: Echo, arrived: &Arrived<'_>) -> Option<Result<Sent, Outcome>> {
    let Arrived { family, packet, readable_bytes, .. } = *arrived;
    let upper = flow::upper(family, packet, readable_bytes).ok()?;
    let message = &packet[upper.offset..];
    let request = if family == Family::V4 { 8 } else { 128 };
    let is_whole = !upper.is_fragment && message.len() >= ICMP_BYTES;
    if !is_whole
        || readable_bytes <= upper.offset
        || upper.protocol != flow::icmp_protocol(family)
        || message[0] != request
    {
        return None;
    }
    match policy {
        Echo::Forward => None,
        Echo::Drop => Some(Err(Outcome::EchoPolicy)),
        Echo::Answer if upper.offset != family.header_bytes() => None,
        Echo::Answer if !answers.echo || readable_bytes < upper.offset + CHANGED_BYTES => {
            Some(Err(Outcome::EchoLimited))
        }
        Echo::Answer => Some(Ok(sent(Outcome::EchoAnswered, arrived, &echo_reply(arrived)))),
    }
}

fn echo_reply(arrived: &Arrived<'_>) -> Vec<u8> {
    let mut bytes = arrived.bytes.to_vec();
    let icmp = arrived.family.header_bytes();
    match arrived.family {
        Family::V4 => {
            let (source, destination) = bytes[12..20].split_at_mut(4);
            source.swap_with_slice(destination);
            let before = ip::be16(&bytes, 8);
            bytes[8] = TTL;
            let checksum = replace_checksum_word(ip::be16(&bytes, 10), before, ip::be16(&bytes, 8));
            bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        Family::V6 => {
            let (source, destination) = bytes[8..40].split_at_mut(16);
            source.swap_with_slice(destination);
            bytes[7] = TTL;
        }
    }
    let before = ip::be16(&bytes, icmp);
    bytes[icmp] = if arrived.family == Family::V4 { 0 } else { 129 };
    let checksum = replace_checksum_word(ip::be16(&bytes, icmp + 2), before, ip::be16(&bytes, icmp));
    let checksum = if checksum == 0 { 0xffff } else { checksum };
    bytes[icmp + 2..icmp + 4].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// `None`: the sender is not told.
pub(super) fn time_exceeded(answers: &Answers, arrived: &Arrived<'_>, headroom: bool) -> Option<Sent> {
    let source = match arrived.family {
        Family::V4 => IpAddr::V4(answers.source_ipv4?),
        Family::V6 => IpAddr::V6(answers.source_ipv6?),
    };
    let message = Message { v4: [11, 0], v6: [3, 0], mtu_bytes: 0 };
    let error = error(answers, arrived, source, &message, headroom)?;
    Some(sent(Outcome::TtlAnswered, arrived, &error))
}

/// `None`: the sender is not told. `room_bytes`: what the path has room for behind the outer header.
pub(super) fn too_big(
    answers: &Answers,
    arrived: &Arrived<'_>,
    room_bytes: usize,
    vip: IpAddr,
    headroom: bool,
) -> Option<Sent> {
    let (least, is_whole_by_demand) = match arrived.family {
        Family::V4 => (68, arrived.packet[6] & 0x40 != 0),
        Family::V6 => (1280, true),
    };
    let mtu_bytes = room_bytes.max(least);
    if !is_whole_by_demand || arrived.packet.len() <= mtu_bytes {
        return None;
    }
    let message = Message { v4: [3, 4], v6: [2, 0], mtu_bytes: mtu_bytes as u16 };
    let error = error(answers, arrived, vip, &message, headroom)?;
    Some(sent(Outcome::TooBigAnswered, arrived, &error))
}

/// The whole error, if one may be sent.
fn error(
    answers: &Answers,
    arrived: &Arrived<'_>,
    source: IpAddr,
    message: &Message,
    headroom: bool,
) -> Option<Vec<u8>> {
    let Arrived { family, packet, readable_bytes, .. } = *arrived;
    if !may_be_told(family, packet, readable_bytes) || !answers.errors || !headroom {
        return None;
    }
    let longest = if family == Family::V4 { 576 } else { 1280 };
    let quote = &packet[..packet.len().min(longest - family.header_bytes() - ICMP_BYTES)];
    Some(written(source, ip::source(family, packet), message, quote))
}

/// The error "too big" that says so many bytes.
pub(super) fn too_big_error(source: IpAddr, destination: IpAddr, mtu_bytes: u16, quote: &[u8]) -> Vec<u8> {
    written(source, destination, &Message { v4: [3, 4], v6: [2, 0], mtu_bytes }, quote)
}

/// An ICMP error as an IP packet.
fn written(source: IpAddr, destination: IpAddr, message: &Message, quote: &[u8]) -> Vec<u8> {
    let [kind, code] = if source.is_ipv4() { message.v4 } else { message.v6 };
    let mut icmp = vec![kind, code, 0, 0, 0, 0];
    icmp.extend(message.mtu_bytes.to_be_bytes());
    icmp.extend(quote);
    let mut summed = icmp.clone();
    if source.is_ipv6() {
        summed = pseudo_header(source, destination, icmp.len());
        summed.extend(&icmp);
    }
    if summed.len() % 2 == 1 {
        summed.push(0);
    }
    icmp[2..4].copy_from_slice(&checksum(&summed).to_be_bytes());
    [header(source, destination, icmp.len()), icmp].concat()
}

/// RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e).
fn may_be_told(family: Family, packet: &[u8], readable_bytes: usize) -> bool {
    let Ok(upper) = flow::upper(family, packet, readable_bytes) else { return false };
    let is_later = match family {
        Family::V4 => ip::be16(packet, 6) & 0x1fff != 0,
        // The walk ends behind the fragment header.
        Family::V6 => upper.is_fragment && ip::be16(packet, upper.offset - 6) >> 3 != 0,
    };
    let is_error = |kind: &u8| match family {
        Family::V4 => matches!(kind, 3 | 4 | 5 | 11 | 12),
        Family::V6 => matches!(kind, 0..=127 | 137),
    };
    let kind = packet.get(upper.offset).filter(|_| upper.offset < readable_bytes);
    let may_be_error = kind.is_none_or(is_error);
    !is_later && (upper.protocol != flow::icmp_protocol(family) || !may_be_error)
}

fn pseudo_header(source: IpAddr, destination: IpAddr, length: usize) -> Vec<u8> {
    let mut bytes = [octets(source), octets(destination)].concat();
    bytes.extend((length as u32).to_be_bytes());
    bytes.extend([0, 0, 0, 58]);
    bytes
}

fn header(source: IpAddr, destination: IpAddr, length: usize) -> Vec<u8> {
    let mut header = if source.is_ipv4() {
        let mut header = vec![0x45, 0xc0];
        header.extend((20 + length as u16).to_be_bytes());
        header.extend([0, 0, 0x40, 0, TTL, 1, 0, 0]);
        header
    } else {
        let mut header = vec![0x6c, 0, 0, 0];
        header.extend((length as u16).to_be_bytes());
        header.extend([58, TTL]);
        header
    };
    header.extend(octets(source));
    header.extend(octets(destination));
    if source.is_ipv4() {
        let checksum = checksum(&header);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
    header
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Back to where it came from, with the tags that it had.
fn sent(outcome: Outcome, arrived: &Arrived<'_>, packet: &[u8]) -> Sent {
    let (addresses, behind) = arrived.layer2.split_at(12);
    let frame = [&addresses[6..], &addresses[..6], behind, packet].concat();
    Sent { outcome, action: Action::Tx, frame }
}
