//! IP headers around any payload: options, extension headers, fragments, and checksums that are right, wrong or on an
//! edge of one's-complement arithmetic.

use std::net::IpAddr;

use fastrand::Rng;

use super::{address::octets, bytes, one_in, pick};
use crate::oracle::model::{checksum, replace_checksum_word};

/// How strange headers are: a tunnel's outer header rarely has options, an access packet often.
#[derive(Clone, Copy)]
pub(super) struct Strangeness {
    /// One header in so many has options or extension headers.
    pub options: u32,
    /// One in so many is a fragment.
    pub fragment: u32,
}

/// What clients send.
pub(super) const ACCESS: Strangeness = Strangeness { options: 4, fragment: 12 };
/// What tunnels send.
pub(super) const TUNNEL: Strangeness = Strangeness { options: 30, fragment: 30 };

/// Checksums that an incremental update gets wrong first.
const CHECKSUM_EDGES: [u16; 7] = [0x0000, 0xffff, 0xfeff, 0xff00, 0x0100, 0x00ff, 0xfffe];
/// Protocol numbers of the extension headers that are walked.
const EXTENSIONS: [u8; 7] = [0, 43, 44, 60, 135, 139, 140];

/// An IP packet. The addresses are of one family, or the destination's is used and the source is cut or padded.
pub(super) fn packet(
    rng: &mut Rng,
    strangeness: Strangeness,
    source: IpAddr,
    destination: IpAddr,
    (protocol, payload): (u8, Vec<u8>),
) -> Vec<u8> {
    let mut source = octets(source);
    let destination = octets(destination);
    source.resize(destination.len(), 0x20);
    if destination.len() == 4 {
        ipv4(rng, strangeness, [source, destination].concat(), protocol, &payload)
    } else {
        ipv6(rng, strangeness, [source, destination].concat(), protocol, &payload)
    }
}

fn ttl(rng: &mut Rng) -> u8 {
    if one_in(rng, 12) { rng.u8(..4) } else { pick(rng, &[2, 63, 64, 128, 255]) }
}

fn ipv4(rng: &mut Rng, strangeness: Strangeness, addresses: Vec<u8>, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let option_words = if one_in(rng, strangeness.options) { rng.usize(1..=10) } else { 0 };
    let header_bytes = 20 + option_words * 4;
    let fragment = if one_in(rng, strangeness.fragment) {
        pick(rng, &[0x2000_u16, 0x0001, 0x2001, 0x1fff, 0x3fff, 0x6000])
    } else {
        pick(rng, &[0, 0x4000, 0x8000])
    };
    let mut header = vec![0x40 | (header_bytes / 4) as u8, rng.u8(..)];
    header.extend(((header_bytes + payload.len()) as u16).to_be_bytes());
    header.extend(rng.u16(..).to_be_bytes());
    header.extend(fragment.to_be_bytes());
    header.extend([ttl(rng), protocol, 0, 0]);
    header.extend(addresses);
    header.extend(bytes(rng, option_words * 4));
    set_checksum(rng, &mut header);
    header.extend(payload);
    header
}

/// Mostly right. Otherwise anything, or an edge: a wrong one, and a right one by a fitting identification field.
fn set_checksum(rng: &mut Rng, header: &mut [u8]) {
    let edge = pick(rng, &CHECKSUM_EDGES);
    let value = match rng.u8(..20) {
        0 => rng.u16(..),
        1 => edge,
        2 => {
            header[4..6].fill(0);
            // checksum - edge, as one's-complement numbers: with it the header sums to what the edge is the checksum of.
            let identification = replace_checksum_word(checksum(header), !edge, 0);
            header[4..6].copy_from_slice(&identification.to_be_bytes());
            checksum(header)
        }
        _ => checksum(header),
    };
    header[10..12].copy_from_slice(&value.to_be_bytes());
}

fn ipv6(rng: &mut Rng, strangeness: Strangeness, addresses: Vec<u8>, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let extension_count = match () {
        () if !one_in(rng, strangeness.options) => 0,
        () if rng.bool() => 1,
        // Around the most that is walked.
        () if rng.bool() => rng.usize(7..=9),
        () => rng.usize(1..=10),
    };
    let mut types: Vec<u8> = (0..extension_count).map(|_| pick(rng, &EXTENSIONS)).collect();
    if one_in(rng, strangeness.fragment) {
        types.push(44);
    }
    let mut behind = payload.to_vec();
    let mut next = protocol;
    let last = types.len().saturating_sub(1);
    for (position, header_type) in types.into_iter().enumerate().rev() {
        let mut extension = extension(rng, header_type, next, position == last);
        extension.append(&mut behind);
        behind = extension;
        next = header_type;
    }
    let chain_bytes = behind.len() - payload.len();
    if chain_bytes > 0 && one_in(rng, 8) {
        // The packet ends within the chain.
        behind.truncate(rng.usize(..chain_bytes));
    }
    let mut header = (6 << 28 | rng.u32(..) & 0x0fff_ffff).to_be_bytes().to_vec();
    header.extend((behind.len() as u16).to_be_bytes());
    header.extend([next, ttl(rng)]);
    header.extend(addresses);
    header.extend(behind);
    header
}

fn extension(rng: &mut Rng, header_type: u8, next: u8, is_last: bool) -> Vec<u8> {
    if header_type == 44 {
        // Atomic, with and without reserved bits; first, middle and last. In the midst of a chain it is mostly atomic,
        // else no chain would be walked to its end.
        let offset = if is_last || one_in(rng, 8) {
            pick(rng, &[0_u16, 0, 0x0006, 0x0001, 0x0008, 0xfff8, 0xfff9, 0x0007])
        } else {
            pick(rng, &[0, 0x0006])
        };
        let mut header = vec![next, rng.u8(..)];
        header.extend(offset.to_be_bytes());
        header.extend(bytes(rng, 4));
        return header;
    }
    let units = if one_in(rng, 4) { rng.u8(..6) } else { 0 };
    let mut header = vec![next, units];
    header.extend(bytes(rng, 6 + usize::from(units) * 8));
    header
}
