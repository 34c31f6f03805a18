//! Packets from clients.

use std::net::IpAddr;

use fastrand::Rng;

use super::{address, bytes, ip, one_in, pick, transport};
use crate::oracle::{
    model::Family,
    tables::{Begun, Listener, PopTables, Vip},
};

/// A packet for a VIP of these tables, or for one that is not there; longer than usual by so many bytes. Those of the host itself come from a
/// health address now and then.
pub(super) fn packet(rng: &mut Rng, tables: &PopTables, is_of_host: bool, more_bytes: usize) -> Vec<u8> {
    let vip = &tables.vips[rng.usize(..tables.vips.len())];
    let listener = (!vip.listeners.is_empty()).then(|| pick(rng, &vip.listeners));
    let destination = match rng.u8(..50) {
        0 => address::any(rng, Family::of(vip.address)),
        1 | 2 => address::confusable(rng, vip.address),
        _ => vip.address,
    };
    let health = is_of_host && rng.bool();
    let health = tables.health.iter().find(|own| health && own.is_ipv4() == destination.is_ipv4());
    let mut ends = transport::Ends {
        client: health.copied().unwrap_or_else(|| client(rng, destination)),
        client_port: None,
        vip: destination,
        vip_port: port(rng, listener),
    };
    if let Some(begun) = begun(rng, tables, vip).filter(|_| destination == vip.address && one_in(rng, 3)) {
        let (client_port, vip_port) = begun.ports;
        ends = transport::Ends { client: begun.source, client_port: Some(client_port), vip_port, ..ends };
    }
    let protocol = protocol(rng, vip, listener);
    let (protocol, mut segment) = transport::to_vip(rng, ends, protocol);
    segment.extend(bytes(rng, more_bytes));
    ip::packet(rng, ip::ACCESS, ends.client, destination, (protocol, segment))
}

/// Mostly a host; otherwise a source that no router takes, on and beside its edges.
fn client(rng: &mut Rng, destination: IpAddr) -> IpAddr {
    if one_in(rng, 60) {
        return destination;
    }
    if one_in(rng, 30) {
        let edges: &[&str] = match destination {
            IpAddr::V4(_) => &[
                "0.0.0.0",
                "0.255.0.1",
                "1.0.0.0",
                "126.9.9.9",
                "127.0.0.1",
                "128.0.0.1",
                "223.1.1.1",
                "224.0.0.1",
                "255.255.255.255",
            ],
            IpAddr::V6(_) => {
                &["::", "::1", "::2", "::1:0:0", "::ffff:1.2.3.4", "::fffe:1.2.3.4", "0:0:1::1", "fe00::1", "ff02::1"]
            }
        };
        return pick(rng, edges).parse().expect("an address");
    }
    let any = address::any(rng, Family::of(destination));
    match any {
        // An eighth of all IPv4 addresses.
        IpAddr::V4(v4) if v4.octets()[0] >= 224 => IpAddr::V4((u32::from(v4) & 0x7fff_ffff | 1 << 30).into()),
        IpAddr::V4(_) | IpAddr::V6(_) => any,
    }
}

/// A flow to the VIP that began in a transition.
fn begun(rng: &mut Rng, tables: &PopTables, vip: &Vip) -> Option<Begun> {
    let transition = tables.pools[vip.pool?].transition.as_ref()?;
    let flows: Vec<_> = transition.begun.iter().filter(|begun| begun.vip == vip.address).copied().collect();
    (!flows.is_empty()).then(|| pick(rng, &flows))
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
