//! From an IP packet to a frame: tags, padding, and damage.

use fastrand::Rng;

use super::{bytes, one_in, pick};

/// The packet in a frame, whole or not.
pub(super) fn frame(rng: &mut Rng, packet: Vec<u8>) -> Vec<u8> {
    let tags = tag_count(rng);
    frame_with_tags(rng, packet, tags)
}

/// The same behind so many tags.
pub(super) fn frame_with_tags(rng: &mut Rng, mut packet: Vec<u8>, tags: usize) -> Vec<u8> {
    let is_ipv4 = packet.first().is_some_and(|byte| byte >> 4 == 4);
    if one_in(rng, 12) {
        lie_about_lengths(rng, is_ipv4, &mut packet);
    }
    if one_in(rng, 40) && !packet.is_empty() {
        packet[0] = packet[0] & 0x0f | rng.u8(..) << 4;
    }
    let mut frame = bytes(rng, 12);
    if !one_in(rng, 40) {
        // To one interface, not to a group.
        frame[0] &= !1;
    }
    for _ in 0..tags {
        let identifier = pick(rng, &[[0x81, 0x00], [0x88, 0xa8]]);
        frame.extend(identifier);
        frame.extend(bytes(rng, 2));
    }
    let true_type = if is_ipv4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    let ether_type = match rng.u8(..60) {
        0 => pick(rng, &[[0x08, 0x06], [0x88, 0xcc], [0x91, 0x00], [0x81, 0x00], [0x08, 0x00], [0x86, 0xdd]]),
        1 if one_in(rng, 4) => rng.u16(..).to_be_bytes(),
        _ => true_type,
    };
    frame.extend(ether_type);
    frame.append(&mut packet);
    if one_in(rng, 5) {
        // Padding, of bytes that are not zero.
        let padded = if rng.bool() { 60 } else { frame.len() + rng.usize(..30) };
        let missing = padded.saturating_sub(frame.len());
        frame.extend(bytes(rng, missing));
    }
    if one_in(rng, 14) {
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..frame.len());
            frame[at] = if rng.bool() { rng.u8(..) } else { frame[at] ^ 1 << rng.u8(..8) };
        }
    }
    if one_in(rng, 14) {
        // Headers are where a cut matters.
        let len = if rng.bool() { frame.len() } else { frame.len().min(120) };
        frame.truncate(rng.usize(..=len));
    }
    frame
}

fn tag_count(rng: &mut Rng) -> usize {
    match rng.u8(..20) {
        0..13 => 0,
        13..16 => 1,
        16..19 => 2,
        _ => 3,
    }
}

/// Any of the fields that say how long something is: a little off, or anything.
fn lie_about_lengths(rng: &mut Rng, is_ipv4: bool, packet: &mut [u8]) {
    // IPv4: IHL, total length. IPv6: payload length, first extension header.
    let at = if is_ipv4 { pick(rng, &[0, 2, 3]) } else { pick(rng, &[4, 5, 41]) };
    let Some(byte) = packet.get_mut(at) else { return };
    if at == 0 {
        *byte = 0x40 | rng.u8(..16);
    } else if one_in(rng, 3) {
        *byte = rng.u8(..);
    } else {
        *byte = byte.wrapping_add(pick(rng, &[1, 2, 4, 8, 20, 0xff, 0xfe, 0xfc, 0xf8, 0xec]));
    }
}
