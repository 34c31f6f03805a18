//! Tunnel packets.

use std::net::IpAddr;

use fastrand::Rng;

use super::{address, bytes, ip, one_in, pick, transport};
use crate::oracle::{model::Family, tables::GatewayTables};

/// A tunnel packet for this gateway, or something that is easily taken for one.
pub(super) fn packet(rng: &mut Rng, tables: &GatewayTables) -> Vec<u8> {
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
    let segment = transport::to_vip(rng, ends, None);
    let mut inner = ip::packet(rng, ip::ACCESS, ends.client, inner_destination, segment);
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
    let source = source(rng, tables, Family::of(destination));
    let protocol = match rng.u8(..30) {
        0 => rng.u8(..),
        1 => pick(rng, &[4, 41]),
        _ => inner_family.protocol(),
    };
    ip::packet(rng, ip::TUNNEL, source, destination, (protocol, inner))
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

fn lie_about_length(rng: &mut Rng, family: Family, packet: &mut [u8]) {
    let at = match family {
        Family::V4 => 3,
        Family::V6 => 5,
    };
    packet[at] = if one_in(rng, 2) { rng.u8(..) } else { packet[at].wrapping_add(rng.u8(..)) };
}
