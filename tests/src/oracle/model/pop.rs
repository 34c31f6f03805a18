//! The PoP program.

use anycast_common::outcome::Outcome;

use super::{super::tables::PopTables, Action, Facts, Input, Sent, encap, flow, ip, layer2::Layer2, select};

pub(super) fn run(tables: &PopTables, input: &Input, layer2: Layer2, facts: &mut Facts) -> Result<Sent, Outcome> {
    let bytes = &input.frame[layer2.ip_offset..];
    let readable_bytes = input.readable_bytes().saturating_sub(layer2.ip_offset);
    let family = layer2.family.filter(|family| readable_bytes >= family.header_bytes()).ok_or(Outcome::NotVip)?;
    let destination = ip::destination(family, bytes);
    let position = tables.vips.iter().position(|vip| vip.address == destination).ok_or(Outcome::NotVip)?;
    let vip = &tables.vips[position];
    if vip.stale {
        return Err(Outcome::StaleVip);
    }
    facts.vip = Some(position);

    let packet = ip::validate(family, bytes, bytes.len())?;
    facts.bytes = packet.len();
    if ip::hop_limit(family, packet) <= 1 {
        return Err(Outcome::TtlExpired);
    }
    let flow = flow::parse(family, packet, readable_bytes, vip.address, !vip.listeners.is_empty())?;
    if !select::is_taken(vip, &flow) {
        return Err(Outcome::NoListener);
    }
    let flow_hash = select::flow_hash(&tables.seed, vip, &flow);
    let (pool, backend_position) = select::backend(tables, vip, flow_hash)?;
    let backend = &tables.pools[pool].backends[backend_position];
    let (mac, link) = select::next_hop(tables, backend.route.as_ref(), flow_hash)?;
    let outer_bytes = encap::outer_bytes(backend);
    let mtu_bytes = backend.route.map_or(0, |route| usize::from(route.mtu_bytes));
    if packet.len() + outer_bytes > mtu_bytes {
        return Err(Outcome::TooBig);
    }
    if !input.headroom {
        return Err(Outcome::Headroom);
    }
    let action = if link.ifindex == input.ingress_ifindex {
        Action::Tx
    } else if link.in_device_map {
        Action::Redirect
    } else {
        return Err(Outcome::NoEgress);
    };
    let mut frame = encap::ethernet(mac, link, backend.address);
    frame.extend(encap::outer_header(tables, family, packet, backend, flow_hash));
    frame.extend(encap::with_hop_limit_decremented(family, bytes));
    facts.backend = Some((pool, backend_position));
    Ok(Sent { outcome: Outcome::Forwarded, action, frame })
}
