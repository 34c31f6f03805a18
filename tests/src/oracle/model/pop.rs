//! The PoP program.

use anycast_common::outcome::Outcome;

use super::{super::tables::PopTables, Facts, Input, Sent, answer, encap, flow, ip, layer2::Layer2, select};

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
    if input.frame[0] & 1 == 1 {
        return Err(Outcome::LinkGroup);
    }
    if answer::is_martian(ip::source(family, packet), vip.address) {
        return Err(Outcome::MartianSource);
    }
    let layer2 = &input.frame[..layer2.ip_offset];
    let arrived = answer::Arrived { family, packet, readable_bytes, bytes, layer2 };
    if ip::hop_limit(family, packet) <= 1 {
        return answer::time_exceeded(&tables.answers, &arrived, input.headroom).ok_or(Outcome::TtlExpired);
    }
    if let Some(answered) = answer::echo(&tables.answers, vip.echo, &arrived) {
        return answered;
    }
    let flow = flow::parse(family, packet, readable_bytes, vip.address, vip.reads_ports())?;
    if !select::is_taken(vip, &flow) {
        return Err(Outcome::NoListener);
    }
    let flow_hash = select::flow_hash(&tables.seed, vip, &flow);
    // Whether a packet begins its flow is read from its TCP header, all of which must be readable then.
    let whole_flow = flow::parse(family, packet, readable_bytes, vip.address, true).ok();
    let whole_flow = whole_flow.filter(|_| flow::is_tcp_readable(family, packet, readable_bytes));
    let (pool, backend_position) = select::backend(tables, vip, flow_hash, whole_flow.as_ref())?;
    let backend = &tables.pools[pool].backends[backend_position];
    let (mac, link) = select::next_hop(tables, backend.route.as_ref(), flow_hash)?;
    let outer_bytes = encap::outer_bytes(backend);
    let mtu_bytes = backend.route.map_or(0, |route| usize::from(route.mtu_bytes));
    if packet.len() + outer_bytes > mtu_bytes {
        let room_bytes = mtu_bytes.saturating_sub(outer_bytes);
        let told = answer::too_big(&tables.answers, &arrived, room_bytes, vip.address, input.headroom);
        return told.ok_or(Outcome::TooBig);
    }
    let sent = encap::forwarded(tables, input, (family, packet, bytes), backend, (mac, link), flow_hash)?;
    facts.backend = Some((pool, backend_position));
    Ok(sent)
}
