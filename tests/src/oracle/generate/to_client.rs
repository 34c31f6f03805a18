//! What leaves a gateway: answers of its VIPs, and what is easily taken for one.

use fastrand::Rng;

use super::{Abilities, address, bytes, ip, mutate, one_in, pick, syn, transport};
use crate::oracle::{
    model::{Buffer, Family, Input, Program},
    tables::{GatewayTables, Path},
};

/// A test run takes a page, less what the kernel keeps of it.
const FRAME_BYTES_MAX: usize = 3600;

/// One packet on its way out by an interface.
pub(super) fn input(rng: &mut Rng, tables: &GatewayTables, ifindex: u32, abilities: Abilities) -> Input {
    let is_of_stack = abilities.make_buffers && !one_in(rng, 4);
    let segment_bytes =
        if one_in(rng, 3) { pick(rng, &[1, 8, 48, 100, 536, 1000, 1220, 1360, 1400, 1440, 1460]) } else { 0 };
    let packet = packet(rng, tables, segment_bytes != 0);
    // The stack puts tags beside the frame, but for devices that cannot have them there.
    let tags = one_in(rng, 20).into();
    let mut frame = mutate::frame_with_tags(rng, packet, tags);
    frame.truncate(FRAME_BYTES_MAX);
    let vlan_tci = (is_of_stack && one_in(rng, 4)).then(|| rng.u16(..));
    let mut input = Input {
        linear_bytes: (is_of_stack && one_in(rng, 3)).then(|| rng.usize(14..160)),
        buffer: Buffer { segment_bytes, vlan_tci, is_of_stack },
        ..Input::new(Program::GatewayReturn, ifindex, frame)
    };
    input.frame.resize(input.frame.len().max(input.frame_bytes_min()), 0);
    input
}

fn packet(rng: &mut Rng, tables: &GatewayTables, is_long: bool) -> Vec<u8> {
    let path = match tables.returns.paths.as_slice() {
        paths if !paths.is_empty() && !one_in(rng, 6) => Some(pick(rng, paths)),
        _ => None,
    };
    let vip = path.map_or_else(|| rng.usize(..tables.vips.len()), |path| path.vip);
    let source = match rng.u8(..30) {
        0 => address::confusable(rng, tables.vips[vip]),
        _ => tables.vips[vip],
    };
    let family = Family::of(source);
    let client = match path {
        Some(path) if one_in(rng, 30) => address::confusable(rng, path.client),
        Some(path) => path.client,
        None => address::any(rng, family),
    };
    // Seen from the VIP, the client is what it sends to.
    let ends = transport::Ends { client: source, client_port: None, vip: client, vip_port: rng.u16(..) };
    let (protocol, mut segment) = match rng.u8(..6) {
        0 | 1 => (6, syn::segment(rng)),
        2 => {
            let protocol = pick(rng, &[6, 17]);
            transport::to_vip(rng, ends, Some(protocol))
        }
        _ => transport::to_vip(rng, ends, None),
    };
    let room = path.and_then(|path| Some((path, tables.returns.routes.get(path.peer)?.as_ref()?.mtu_bytes)));
    let missing = match room {
        _ if is_long => rng.usize(..3000),
        // Around what fits.
        Some((Path { source, .. }, mtu_bytes)) if one_in(rng, 3) => {
            let headers_bytes = family.header_bytes() + Family::of(source).header_bytes();
            let behind = pick(rng, &[0, 4, 8]);
            let most = usize::from(mtu_bytes).saturating_sub(headers_bytes + behind) + pick(rng, &[0, 0, 1, 2]);
            most.saturating_sub(segment.len())
        }
        _ if one_in(rng, 4) => rng.usize(1200..1480),
        _ => 0,
    };
    segment.extend(bytes(rng, missing));
    let strangeness = if rng.bool() { ip::TUNNEL } else { ip::ACCESS };
    ip::packet(rng, strangeness, source, client, (protocol, segment))
}
