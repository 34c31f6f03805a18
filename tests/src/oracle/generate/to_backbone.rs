//! Answers of gateways in tunnels.

use anycast_common::encap::Encap;
use fastrand::Rng;
use ipnet::IpNet;

use super::{address, bytes, ip, one_in, pick, to_gateway, transport};
use crate::oracle::{
    model::Family,
    place,
    tables::{Backend, PopReturns, PopTables},
};

/// An answer to this PoP, or something that is easily taken for one; longer than usual by so many bytes.
pub(super) fn packet(rng: &mut Rng, tables: &PopTables, more_bytes: usize) -> Vec<u8> {
    let returned: Vec<usize> = tables.returns.vips.iter().copied().collect();
    let position =
        if returned.is_empty() || one_in(rng, 15) { rng.usize(..tables.vips.len()) } else { pick(rng, &returned) };
    let vip = &tables.vips[position];
    let source = match rng.u8(..40) {
        0 => address::confusable(rng, vip.address),
        _ => vip.address,
    };
    let backend = backend(rng, tables, vip.pool);
    let sources = |is_v4: bool| -> Option<IpNet> {
        if is_v4 { tables.source_ipv4.map(IpNet::V4) } else { tables.source_ipv6.map(IpNet::V6) }
    };
    let client = match (rng.u8(..30), sources(source.is_ipv4())) {
        (0, Some(sources)) => address::within(rng, sources),
        (1, _) => address::any(rng, Family::of(source)),
        (2..5, _) if health(tables, source.is_ipv6()).is_some() => {
            health(tables, source.is_ipv6()).expect("one of the family")
        }
        _ => {
            let (prefixes, _) = pick(rng, &place::ROUTES);
            let prefix = prefixes[usize::from(source.is_ipv6())];
            address::within(rng, prefix.parse().expect("a prefix"))
        }
    };
    let family = Family::of(source);
    // Seen from the VIP, the client is what it sends to.
    let ends = transport::Ends { client: source, client_port: None, vip: client, vip_port: rng.u16(..) };
    let (protocol, mut segment) = transport::to_vip(rng, ends, None);
    let more_bytes = if one_in(rng, 4) { more_bytes.max(rng.usize(1340..1480)) } else { more_bytes };
    segment.extend(bytes(rng, more_bytes));
    let mut inner = ip::packet(rng, ip::ACCESS, source, client, (protocol, segment));
    match rng.u8(..20) {
        0 => {
            let len = rng.usize(1..9);
            inner.extend(bytes(rng, len));
        }
        1 => inner.truncate(rng.usize(..=inner.len())),
        2 => to_gateway::lie_about_length(rng, family, &mut inner),
        _ => {}
    }
    let gateway = if one_in(rng, 30) { address::confusable(rng, backend.address) } else { backend.address };
    let destination = match (rng.u8(..40), sources(gateway.is_ipv4())) {
        (0, Some(sources)) => {
            let own = address::within(rng, sources);
            address::confusable(rng, own)
        }
        (1, _) | (_, None) => address::any(rng, Family::of(gateway)),
        (_, Some(sources)) => address::within(rng, sources),
    };
    let encap = if one_in(rng, 30) { other_encap(rng) } else { backend.encap };
    let (protocol, payload) = match encap {
        Encap::Ipip => (family.protocol(), inner),
        Encap::Gre { key } => (47, [to_gateway::gre(rng, key.as_slice(), family), inner].concat()),
        Encap::Gue { .. } => (17, [to_gateway::udp(rng, PopReturns::GUE_PORT, inner.len()), inner].concat()),
    };
    let protocol = if one_in(rng, 40) { pick(rng, &[4, 41, 47, 17, 6]) } else { protocol };
    ip::packet(rng, ip::TUNNEL, gateway, destination, (protocol, payload))
}

/// Mostly one of the VIP's.
fn backend(rng: &mut Rng, tables: &PopTables, pool: Option<usize>) -> Backend {
    let pool = pool.filter(|_| !one_in(rng, 20)).unwrap_or_else(|| rng.usize(..tables.pools.len()));
    pick(rng, &tables.pools[pool].backends)
}

fn other_encap(rng: &mut Rng) -> Encap {
    pick(
        rng,
        &[
            Encap::Ipip,
            Encap::Gre { key: None },
            Encap::Gre { key: Some(0) },
            Encap::Gue { port: PopReturns::GUE_PORT },
        ],
    )
}

/// Where probes of a family come from.
fn health(tables: &PopTables, is_v6: bool) -> Option<std::net::IpAddr> {
    tables.health.iter().copied().find(|address| address.is_ipv6() == is_v6)
}
