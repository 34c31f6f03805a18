//! Packets from clients.

use fastrand::Rng;

use super::{address, bytes, ip, one_in, pick, transport};
use crate::oracle::{
    model::Family,
    tables::{Listener, PopTables, Vip},
};

/// A packet for a VIP of these tables, or for one that is not there; longer than usual by so many bytes.
pub(super) fn packet(rng: &mut Rng, tables: &PopTables, more_bytes: usize) -> Vec<u8> {
    let vip = &tables.vips[rng.usize(..tables.vips.len())];
    let listener = (!vip.listeners.is_empty()).then(|| pick(rng, &vip.listeners));
    let destination = match rng.u8(..50) {
        0 => address::any(rng, Family::of(vip.address)),
        1 | 2 => address::confusable(rng, vip.address),
        _ => vip.address,
    };
    let ends = transport::Ends {
        client: address::any(rng, Family::of(destination)),
        vip: destination,
        vip_port: port(rng, listener),
    };
    let protocol = protocol(rng, vip, listener);
    let (protocol, mut segment) = transport::to_vip(rng, ends, protocol);
    segment.extend(bytes(rng, more_bytes));
    ip::packet(rng, ip::ACCESS, ends.client, destination, (protocol, segment))
}

/// Mostly the listener's; `None`: any, or an ICMP error.
fn protocol(rng: &mut Rng, vip: &Vip, listener: Option<Listener>) -> Option<u8> {
    match listener {
        Some(listener) if !one_in(rng, 3) => Some(listener.protocol),
        // The protocol of another VIP, now and then, for this one's ports.
        Some(_) if one_in(rng, 4) => Some(pick(rng, &vip.listeners).protocol),
        _ => None,
    }
}

/// On the edges of the listener's range, within it, or anywhere.
fn port(rng: &mut Rng, listener: Option<Listener>) -> u16 {
    let Some((first, last)) = listener.and_then(|listener| listener.ports) else { return rng.u16(..) };
    match rng.u8(..8) {
        0 => first.wrapping_sub(1),
        1 => last.wrapping_add(1),
        2 => first,
        3 => last,
        4 => rng.u16(..),
        _ => rng.u16(first..=last),
    }
}
