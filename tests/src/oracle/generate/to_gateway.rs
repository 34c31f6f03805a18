//! Tunnel packets.

use std::net::IpAddr;

use fastrand::Rng;

use super::{address, bytes, ip, one_in, pick, syn, transport};
use crate::oracle::{model::Family, tables::GatewayTables};

/// A tunnel packet for this gateway, or something that is easily taken for one; longer than usual by so many bytes.
pub(super) fn packet(rng: &mut Rng, tables: &GatewayTables, more_bytes: usize) -> Vec<u8> {
    let inner_destination = match rng.u8(..20) {
        0 => pick(rng, &tables.tunnel_addresses),
        1 => {
            let family = address::family(rng);
            address::any(rng, family)
        }
        2 => {
            let vip = pick(rng, &tables.vips);
            address::confusable(rng, vip)
        }
        _ => pick(rng, &tables.vips),
    };
    let inner_family = Family::of(inner_destination);
    let ends = transport::Ends {
        client: address::any(rng, inner_family),
        client_port: None,
        vip: inner_destination,
        vip_port: rng.u16(..),
    };
    let path = match tables.returns.paths.as_slice() {
        paths if !paths.is_empty() && one_in(rng, 3) => Some(pick(rng, paths)),
        _ => None,
    };
    let (inner_destination, client) =
        path.map_or((inner_destination, ends.client), |path| (tables.vips[path.vip], path.client));
    let inner_family = Family::of(inner_destination);
    let (protocol, mut segment) = if one_in(rng, 4) {
        (6, syn::segment(rng))
    } else {
        transport::to_vip(rng, transport::Ends { client, vip: inner_destination, ..ends }, None)
    };
    segment.extend(bytes(rng, more_bytes));
    let mut inner = ip::packet(rng, ip::ACCESS, client, inner_destination, (protocol, segment));
    match rng.u8(..20) {
        // The inner packet may end before the outer one, and must not end behind it.
        0 => {
            let len = rng.usize(1..9);
            inner.extend(bytes(rng, len));
        }
        1 => inner.truncate(rng.usize(..=inner.len())),
        2 => lie_about_length(rng, inner_family, &mut inner),
        _ => {}
    }

    let destination = match rng.u8(..30) {
        0 => {
            let family = address::family(rng);
            address::any(rng, family)
        }
        1 => {
            let tunnel_address = pick(rng, &tables.tunnel_addresses);
            address::confusable(rng, tunnel_address)
        }
        _ => pick(rng, &tables.tunnel_addresses),
    };
    let source = match path {
        Some(path) if path.source.is_ipv4() == destination.is_ipv4() && rng.bool() => path.source,
        _ => source(rng, tables, Family::of(destination)),
    };
    let (protocol, payload) = match rng.u8(..8) {
        0..3 => (inner_family.protocol(), inner),
        3..5 => (47, [gre(rng, &tables.gre_keys, inner_family), inner].concat()),
        _ => (17, [udp(rng, tables.gue_port, inner.len()), inner].concat()),
    };
    let protocol = match rng.u8(..30) {
        0 => rng.u8(..),
        1 => pick(rng, &[4, 41, 47, 17]),
        _ => protocol,
    };
    ip::packet(rng, ip::TUNNEL, source, destination, (protocol, payload))
}

/// Mostly what an end with these keys takes.
pub(super) fn gre(rng: &mut Rng, keys: &[u32], inner: Family) -> Vec<u8> {
    let is_keyed = keys.is_empty() == one_in(rng, 10);
    let flags: [u8; 2] = match rng.u8(..20) {
        0 => pick(rng, &[[0x80, 0], [0x10, 0], [0x40, 0], [0x20, 1], [0x30, 0], [0x20, 0x80]]),
        _ if is_keyed => [0x20, 0],
        _ => [0, 0],
    };
    let ether_type = if one_in(rng, 20) { [rng.u8(..), rng.u8(..)] } else { inner.ether_type() };
    let mut header = [flags, ether_type].concat();
    if is_keyed {
        let known = if keys.is_empty() { 0 } else { pick(rng, keys) };
        let key = if one_in(rng, 10) { known ^ 1 << rng.u8(..32) } else { known };
        header.extend(key.to_be_bytes());
    }
    header
}

/// Mostly what an end with this port takes.
pub(super) fn udp(rng: &mut Rng, gue_port: u16, inner_bytes: usize) -> Vec<u8> {
    let port = if one_in(rng, 15) { rng.u16(..) } else { gue_port };
    let length = (inner_bytes + 8) as u16;
    let length = if one_in(rng, 15) { length.wrapping_add(pick(rng, &[1, 8, 0xffff, 0xfff8])) } else { length };
    let checksum = if one_in(rng, 15) { rng.u16(..) } else { 0 };
    [rng.u16(..), port, length, checksum].map(u16::to_be_bytes).concat()
}

/// Mostly one that is allowed.
fn source(rng: &mut Rng, tables: &GatewayTables, family: Family) -> IpAddr {
    let prefix = pick(rng, &tables.allowed_sources);
    let source = address::within(rng, prefix);
    match rng.u8(..12) {
        0 => address::any(rng, family),
        1 => address::confusable(rng, source),
        _ if Family::of(source) == family => source,
        _ => tables
            .allowed_sources
            .iter()
            .find(|prefix| Family::of(prefix.addr()) == family)
            .map_or(source, |prefix| address::within(rng, *prefix)),
    }
}

pub(super) fn lie_about_length(rng: &mut Rng, family: Family, packet: &mut [u8]) {
    let at = match family {
        Family::V4 => 3,
        Family::V6 => 5,
    };
    packet[at] = if one_in(rng, 2) { rng.u8(..) } else { packet[at].wrapping_add(rng.u8(..)) };
}
