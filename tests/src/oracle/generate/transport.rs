//! What is inside IP: transport headers, whole or cut, and ICMP errors that quote any packet.

use std::net::IpAddr;

use fastrand::Rng;

use super::{address, bytes, ip, one_in, pick};
use crate::oracle::model::Family;

/// Two ends of a flow, the VIP's second.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub client: IpAddr,
    /// `None`: any.
    pub client_port: Option<u16>,
    pub vip: IpAddr,
    pub vip_port: u16,
}

/// Protocols worth a case of their own: with ports, without, tunnels, and IPv6 extension headers out of place.
const PROTOCOLS: [u8; 20] = [6, 17, 132, 1, 58, 50, 51, 47, 4, 41, 59, 0, 43, 44, 60, 135, 139, 140, 253, 255];

/// Protocol and bytes of a segment from the client to the VIP.
pub(super) fn to_vip(rng: &mut Rng, ends: Ends, protocol: Option<u8>) -> (u8, Vec<u8>) {
    let family = Family::of(ends.vip);
    if protocol.is_none() && one_in(rng, 5) {
        return icmp_error(rng, family, ends);
    }
    let protocol = protocol.unwrap_or_else(|| any_protocol(rng, family));
    let client_port = ends.client_port.unwrap_or_else(|| client_port(rng));
    segment(rng, protocol, client_port, ends.vip_port)
}

fn any_protocol(rng: &mut Rng, family: Family) -> u8 {
    match rng.u8(..10) {
        0..5 => pick(rng, &[6, 6, 17, 17, 132]),
        5..7 if family == Family::V4 => 1,
        5..7 => 58,
        7 => rng.u8(..),
        _ => pick(rng, &PROTOCOLS),
    }
}

fn client_port(rng: &mut Rng) -> u16 {
    if one_in(rng, 8) { pick(rng, &[0, 1, 65_535]) } else { rng.u16(..) }
}

fn segment(rng: &mut Rng, protocol: u8, source_port: u16, destination_port: u16) -> (u8, Vec<u8>) {
    let header_bytes = match protocol {
        6 => 20,
        17 | 1 | 58 => 8,
        132 => 12,
        _ => 4,
    };
    let mut segment = bytes(rng, header_bytes);
    match protocol {
        // Echo and its answer, an error without a quote, or anything.
        1 | 58 => {
            let anything = rng.u8(..);
            segment[0] = pick(rng, &[8, 0, 128, 129, 135, 13, 3, 1, anything]);
        }
        _ => {
            segment[..2].copy_from_slice(&source_port.to_be_bytes());
            segment[2..4].copy_from_slice(&destination_port.to_be_bytes());
        }
    }
    if one_in(rng, 12) {
        segment.truncate(rng.usize(..=header_bytes));
    } else {
        let len = payload_len(rng);
        segment.extend(bytes(rng, len));
    }
    (protocol, segment)
}

/// Mostly small; otherwise up to a full frame, with the usual MTUs' edges more often.
fn payload_len(rng: &mut Rng) -> usize {
    match rng.u8(..10) {
        0..7 => rng.usize(..40),
        7 => rng.usize(..1500),
        _ => {
            let packet = pick(rng, &[1500, 1480, 1460, 1440, 1280, 1260, 1240, 600, 576, 556, 536]);
            usize::saturating_sub(packet + rng.usize(..5), pick(rng, &[22, 28, 30, 32, 40, 42, 48, 52, 60, 62]))
        }
    }
}

/// An ICMP error about a packet that the VIP sent, or should have sent.
fn icmp_error(rng: &mut Rng, family: Family, ends: Ends) -> (u8, Vec<u8>) {
    let (protocol, kind) = match family {
        Family::V4 => (1, pick(rng, &[3, 4, 5, 11, 12])),
        Family::V6 => (58, pick(rng, &[1, 2, 3, 4])),
    };
    let quoted_source = if one_in(rng, 10) { address::confusable(rng, ends.vip) } else { ends.vip };
    let quoted_family = Family::of(quoted_source);
    let quoted_destination = if quoted_family == family { ends.client } else { address::any(rng, quoted_family) };
    let quoted_protocol = any_protocol(rng, quoted_family);
    let client_port = client_port(rng);
    let quoted_segment = segment(rng, quoted_protocol, ends.vip_port, client_port);
    let mut quote = ip::packet(rng, ip::ACCESS, quoted_source, quoted_destination, quoted_segment);
    match rng.u8(..10) {
        // Routers of old quote the header and 8 bytes.
        0..5 => quote.truncate(quoted_family.header_bytes() + 8),
        5 | 6 => quote.truncate(rng.usize(..=quote.len())),
        7 => quote.truncate(quoted_family.header_bytes() + rng.usize(..9)),
        8 if !quote.is_empty() => quote[0] ^= 1 << rng.u8(..8),
        _ => {}
    }
    let mut message = vec![kind];
    message.extend(bytes(rng, 7));
    message.extend(quote);
    if one_in(rng, 15) {
        message.truncate(rng.usize(..10));
    }
    (protocol, message)
}
