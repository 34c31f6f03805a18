//! The probe program, of frames with a mark.

use std::net::IpAddr;

use anycast_common::outcome::Outcome;

use super::{
    super::tables::PopTables,
    Facts, Input, Mark, Sent, answer, encap, flow,
    ip::{self, Family},
    select,
};

const ETHERNET_BYTES: usize = 14;
const TCP: u8 = 6;

pub(super) fn run(tables: &PopTables, input: &Input, mark: Mark, facts: &mut Facts) -> Result<Sent, Outcome> {
    facts.is_probe = true;
    let bytes = &input.frame[ETHERNET_BYTES..];
    facts.bytes = bytes.len();
    let family = family(input).ok_or(Outcome::NotVip)?;
    let destination = vip(tables, family, bytes)?;
    let packet = ip::validate(family, bytes, bytes.len())?;
    facts.bytes = packet.len();
    if input.frame[0] & 1 == 1 {
        return Err(Outcome::LinkGroup);
    }
    let source = ip::source(family, packet);
    if answer::is_martian(source, destination) {
        return Err(Outcome::MartianSource);
    }
    if ip::hop_limit(family, packet) <= 1 {
        return Err(Outcome::TtlExpired);
    }
    let upper = flow::upper(family, packet, bytes.len())?;
    let protocol = upper.protocol;
    let ports = flow::ports(family, packet, bytes.len(), &upper)?;
    let flow_hash = select::hash(&tables.seed, source, destination, protocol, ports);
    let Mark::Of(pool, position) = mark else { return Err(Outcome::NoBackend) };
    let backend = &tables.pools[pool].backends[position];
    let (mac, link) = select::next_hop(tables, backend.route.as_ref(), flow_hash)?;
    let outer_bytes = encap::outer_bytes(backend);
    let mtu_bytes = backend.route.map_or(0, |route| usize::from(route.mtu_bytes));
    if packet.len() + outer_bytes > mtu_bytes {
        // The mark is taken off: the answer goes to where the frame was going.
        let layer2 = [&input.frame[..6], &input.frame[..6], &input.frame[12..ETHERNET_BYTES]].concat();
        let arrived = answer::Arrived { family, packet, readable_bytes: bytes.len(), bytes, layer2: &layer2 };
        let room_bytes = mtu_bytes.saturating_sub(outer_bytes);
        let told = answer::too_big(&tables.answers, &arrived, room_bytes, destination, input.headroom);
        return told.ok_or(Outcome::TooBig);
    }
    encap::forwarded(tables, input, (family, packet, bytes), backend, (mac, link), flow_hash)
}

/// Nobody gives tags to what goes out by this interface: what has one is none of a VIP's.
fn family(input: &Input) -> Option<Family> {
    match input.frame[12..ETHERNET_BYTES] {
        [0x08, 0x00] => Some(Family::V4),
        [0x86, 0xdd] => Some(Family::V6),
        _ => None,
    }
}

/// The VIP that a packet is for.
fn vip(tables: &PopTables, family: Family, bytes: &[u8]) -> Result<IpAddr, Outcome> {
    if bytes.len() < family.header_bytes() {
        return Err(Outcome::NotVip);
    }
    let destination = ip::destination(family, bytes);
    let vip = tables.vips.iter().find(|vip| vip.address == destination).ok_or(Outcome::NotVip)?;
    if vip.stale { Err(Outcome::StaleVip) } else { Ok(destination) }
}

/// The length of a packet without a mark that is about the answer to a probe that has ended.
pub(super) fn ended_bytes(tables: &PopTables, input: &Input) -> Option<usize> {
    let bytes = &input.frame[ETHERNET_BYTES..];
    let family = family(input)?;
    let vip = vip(tables, family, bytes).ok()?;
    let packet = ip::validate(family, bytes, bytes.len()).ok()?;
    let source = ip::source(family, packet);
    if !tables.health.contains(&source) {
        return None;
    }
    let upper = flow::upper(family, packet, bytes.len()).ok()?;
    if upper.is_fragment {
        return None;
    }
    let segment = &packet[upper.offset..];
    let is_ended = if upper.protocol == TCP {
        segment.len() >= 20 && segment[13] & 0b1_0100 == 0b100
    } else {
        let is_error = segment.first().is_some_and(|kind| flow::is_icmp_error(family, *kind));
        // Who the quoted packet of the VIP was for.
        let is_about = || flow::parse(family, packet, bytes.len(), vip, false).is_ok_and(|flow| flow.source == source);
        upper.protocol == flow::icmp_protocol(family) && is_error && is_about()
    };
    is_ended.then_some(packet.len())
}
