//! What a gateway knows, and the ways back of its clients.

use std::net::IpAddr;

use fastrand::Rng;
use ipnet::IpNet;

use super::{
    super::{Interface, address, bytes, one_in, pick},
    gre_key, link, next_hop, route, tunnel_ipv4, tunnel_ipv6,
};
use crate::oracle::{
    model::{self, Family},
    tables::{GatewayReturns, GatewayTables, PICKS, Path, Returns, Route, Seen, Tunnel},
};

pub(super) fn random(rng: &mut Rng, interfaces: &[Interface]) -> GatewayTables {
    let tunnel_addresses: Vec<IpAddr> = (0..rng.usize(1..=4)).map(|_| any_family(rng)).collect();
    let allowed_sources = (0..rng.usize(1..=6)).map(|_| prefix(rng)).collect();
    let mut vips: Vec<IpAddr> = (0..rng.usize(1..=8)).map(|_| any_family(rng)).collect();
    vips.retain(|vip| !tunnel_addresses.contains(vip));
    let gre_keys = if rng.bool() { Vec::new() } else { (0..rng.usize(1..=3)).map(|_| gre_key(rng)).collect() };
    let gue_port = pick(rng, &[6080, 53, 1, 65_535]);
    let returns = GatewayReturns::default();
    let tables = GatewayTables { tunnel_addresses, allowed_sources, vips, gre_keys, gue_port, returns };
    if one_in(rng, 4) { tables } else { with_returns(rng, tables, interfaces) }
}

/// Answers of some VIPs go back through PoPs. The ends of tunnels are such as the production code lets be ends.
fn with_returns(rng: &mut Rng, mut tables: GatewayTables, interfaces: &[Interface]) -> GatewayTables {
    for address in &mut tables.tunnel_addresses {
        *address = tunnel_end(rng, address.is_ipv4());
    }
    for prefix in &mut tables.allowed_sources {
        let length = if one_in(rng, 4) { prefix.prefix_len() } else { prefix.max_prefix_len() - rng.u8(..=17) };
        *prefix = IpNet::new(tunnel_end(rng, prefix.addr().is_ipv4()), length).expect("of the family").trunc();
    }
    let ways = [Returns::Direct, Returns::Pop, Returns::PopOrDrop];
    tables.returns.vips = tables.vips.iter().map(|_| pick(rng, &ways)).collect();
    tables.returns.links = (0..rng.usize(1..=4)).map(|_| link(rng, interfaces)).collect();
    let link_count = tables.returns.links.len();
    tables.returns.next_hops = (0..rng.usize(1..=4)).map(|_| next_hop(rng, link_count)).collect();
    let next_hop_count = tables.returns.next_hops.len();
    let sources = tables.allowed_sources.iter();
    tables.returns.routes = sources.map(|_| (!one_in(rng, 8)).then(|| way_back(rng, next_hop_count))).collect();
    for _ in 0..rng.usize(..16) {
        if let Some(path) = path(rng, &tables)
            && tables.returns.paths.iter().all(|other| (other.client, other.vip) != (path.client, path.vip))
        {
            tables.returns.paths.push(path);
        }
    }
    tables
}

/// The kernel's flow hash picks a place, and nobody knows its key: all places are the same.
fn way_back(rng: &mut Rng, next_hop_count: usize) -> Route {
    let route = route(rng, next_hop_count);
    let pick = route.picks[0];
    Route { picks: [pick; PICKS], ..route }
}

/// `None`: of what was chosen, nothing is remembered.
fn path(rng: &mut Rng, tables: &GatewayTables) -> Option<Path> {
    let is_direct = |vip: &usize| tables.returns.vips[*vip] == Returns::Direct;
    let vip = rng.usize(..tables.vips.len());
    let vip = if is_direct(&vip) { rng.usize(..tables.vips.len()) } else { vip };
    let chosen = pick(rng, &tables.allowed_sources);
    let source = address::within(rng, chosen);
    let peer = model::peer(tables, source)?;
    let family = source.is_ipv4();
    let tunnel_address = tables.tunnel_addresses.iter().position(|address| address.is_ipv4() == family)?;
    let gre = if tables.gre_keys.is_empty() { Tunnel::Gre } else { Tunnel::Keyed(pick(rng, &tables.gre_keys)) };
    let tunnel = pick(rng, &[Tunnel::Ipip, gre, Tunnel::Gue]);
    let seen = pick(rng, &[Seen::Before, Seen::Before, Seen::Before, Seen::LongAgo]);
    let client = address::any(rng, Family::of(tables.vips[vip]));
    Some(Path { client, vip, source, peer, tunnel_address, tunnel, seen })
}

fn tunnel_end(rng: &mut Rng, is_v4: bool) -> IpAddr {
    if is_v4 { tunnel_ipv4(rng).into() } else { tunnel_ipv6(rng).into() }
}

fn any_family(rng: &mut Rng) -> IpAddr {
    let family = address::family(rng);
    address::any(rng, family)
}

fn prefix(rng: &mut Rng) -> IpNet {
    let address = any_family(rng);
    let length = match Family::of(address) {
        Family::V4 => pick(rng, &[32, 32, 31, 24, 16, 8, 1, 0]),
        Family::V6 => pick(rng, &[128, 128, 127, 64, 48, 32, 1, 0]),
    };
    let length = if one_in(rng, 6) { bytes(rng, 1)[0] % (length + 1) } else { length };
    IpNet::new(address, length).expect("the length is within the family's").trunc()
}
