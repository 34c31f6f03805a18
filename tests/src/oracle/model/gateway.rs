//! The gateway program.

use std::net::IpAddr;

use anycast_common::outcome::Outcome;
use ipnet::IpNet;

use super::{
    super::tables::{GatewayTables, Path, Returns, Seen, Tunnel},
    Action, Facts, Input, Sent, ip,
    layer2::Layer2,
    mss,
    tunnel::{self, End, Inner, Kind, Outer},
};

pub(super) fn run(tables: &GatewayTables, input: &Input, layer2: Layer2, facts: &mut Facts) -> Result<Sent, Outcome> {
    let bytes = &input.frame[layer2.ip_offset..];
    let readable = &bytes[..input.readable_bytes().saturating_sub(layer2.ip_offset)];
    let end = End {
        is_own: &|address| tables.tunnel_addresses.contains(&address),
        gue_port: tables.gue_port,
        is_key: &|key| match key {
            None => tables.gre_keys.is_empty(),
            Some(key) => tables.gre_keys.contains(&key),
        },
    };
    let outer = tunnel::outer(&end, layer2.family, bytes, readable)?;
    if !is_allowed(tables, ip::source(outer.family, outer.packet)) {
        return Err(Outcome::SourceNotAllowed);
    }
    let inner = tunnel::inner(&end, &outer, bytes, readable)?;
    facts.bytes = inner.packet.len();
    let destination = ip::destination(inner.family, inner.packet);
    if tables.tunnel_addresses.contains(&destination) {
        return Err(Outcome::NestedTunnel);
    }
    let vip = tables.vips.iter().position(|vip| *vip == destination).ok_or(Outcome::InnerNotVip)?;
    facts.vip = Some(vip);
    let returns = &tables.returns;
    let goes_back = returns.vips.get(vip).is_some_and(|returns| *returns != Returns::Direct);
    let peer = peer(tables, ip::source(outer.family, outer.packet)).filter(|_| goes_back);
    facts.remembers = peer.map(|peer| path(tables, vip, peer, &outer, &inner));
    let ecn = tunnel::ecn(&outer, &inner).ok_or(Outcome::EcnNotCapable)?;
    let mut frame = input.frame[..12].to_vec();
    frame.extend(inner.family.ether_type());
    // All that followed the outer header: padding stays behind the inner packet.
    let mut behind_outer = tunnel::with_ecn(inner.family, inner.bytes, ecn);
    if let Some(route) = peer.and_then(|peer| *returns.routes.get(peer)?) {
        let packet_bytes_max = usize::from(route.mtu_bytes).saturating_sub(inner.outer_bytes);
        mss::clamp(inner.family, &mut behind_outer, readable.len() - inner.outer_bytes, packet_bytes_max);
    }
    frame.extend(behind_outer);
    Ok(Sent { outcome: Outcome::Decapsulated, action: Action::Pass, frame })
}

/// Position of the PoP host that answers to this source go to: the longest prefix that holds it, if addresses in it can be
/// told by two bytes, and a tunnel of its family ends here.
pub(in crate::oracle) fn peer(tables: &GatewayTables, source: IpAddr) -> Option<usize> {
    let holding = tables.allowed_sources.iter().enumerate().filter(|(_, prefix)| prefix.contains(&source));
    // Of two that are the same, the first.
    let (peer, prefix) = holding.rev().max_by_key(|(_, prefix)| prefix.prefix_len())?;
    let is_one_host = prefix.max_prefix_len() - prefix.prefix_len() <= 16;
    let has_end = tables.tunnel_addresses.iter().any(|address| address.is_ipv4() == source.is_ipv4());
    (is_one_host && has_end).then_some(peer)
}

/// The way that the packet came, now.
fn path(tables: &GatewayTables, vip: usize, peer: usize, outer: &Outer<'_>, inner: &Inner<'_>) -> Path {
    let destination = ip::destination(outer.family, outer.packet);
    let tunnel_address = tables.tunnel_addresses.iter().position(|address| *address == destination);
    Path {
        client: ip::source(inner.family, inner.packet),
        vip,
        source: ip::source(outer.family, outer.packet),
        peer,
        tunnel_address: tunnel_address.expect("tunnels end there"),
        tunnel: match inner.kind {
            Kind::Ipip => Tunnel::Ipip,
            Kind::Gre(None) => Tunnel::Gre,
            Kind::Gre(Some(key)) => Tunnel::Keyed(key),
            Kind::Gue => Tunnel::Gue,
        },
        seen: Seen::Now,
    }
}

/// Prefixes hold addresses of their own family only.
fn is_allowed(tables: &GatewayTables, source: IpAddr) -> bool {
    tables.allowed_sources.iter().any(|prefix: &IpNet| prefix.contains(&source))
}
