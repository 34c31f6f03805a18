//! Out of the tunnel and toward the client: the outer header comes off, Ethernet is written, the TTL counts down.

use anycast_common::{
    header::{ETHERNET_BYTES, VLAN_TAG_BYTES},
    map::LinkEntry,
    outcome::Outcome,
};
use aya_ebpf::programs::XdpContext;

use super::ip::{INNER_WRITTEN_BYTES, Ip};
use crate::{
    maps,
    packet::{Cursor, Window, adjust_head},
};

const TAGGED_BYTES: usize = ETHERNET_BYTES + VLAN_TAG_BYTES;

/// Takes `outer_bytes` off and writes the L2 header of the link.
#[inline(always)]
pub fn run<I: Ip>(
    ctx: &XdpContext,
    l2_bytes: usize,
    outer_bytes: usize,
    ecn: Option<u8>,
    link: &LinkEntry,
    smac: [u8; 6],
    dmac: [u8; 6],
) -> Result<(), Outcome> {
    let [vlan_tci]: [u16; 1] = maps::half_words(&link.vlan_tci);
    let front_bytes = l2_bytes + outer_bytes;
    let ip = if vlan_tci == 0 {
        write::<I, ETHERNET_BYTES, { ETHERNET_BYTES + INNER_WRITTEN_BYTES }>(ctx, front_bytes, smac, dmac, 0)
    } else {
        write::<I, TAGGED_BYTES, { TAGGED_BYTES + INNER_WRITTEN_BYTES }>(ctx, front_bytes, smac, dmac, vlan_tci)
    }?;
    if let Some(ecn) = ecn {
        I::set_ecn(ip, ecn);
    }
    I::decrement_ttl(ip);
    Ok(())
}

#[inline(always)]
fn write<I: Ip, const L2: usize, const WRITTEN: usize>(
    ctx: &XdpContext,
    front_bytes: usize,
    smac: [u8; 6],
    dmac: [u8; 6],
    vlan_tci: u16,
) -> Result<Window<INNER_WRITTEN_BYTES>, Outcome> {
    adjust_head(ctx, L2.cast_signed() as i32 - front_bytes.cast_signed() as i32).map_err(|()| Outcome::Headroom)?;
    let frame = Cursor::new(ctx).window::<WRITTEN>().ok_or(Outcome::Headroom)?;
    set_mac(frame.part(0), dmac);
    set_mac(frame.part(6), smac);
    crate::frame::set_ethertype(frame, L2, vlan_tci, I::ETHERTYPE);
    Ok(frame.part(L2))
}

#[inline(always)]
fn set_mac(to: Window<6>, mac: [u8; 6]) {
    to.set_bytes4::<0>([mac[0], mac[1], mac[2], mac[3]]);
    to.set_ne16::<4>(u16::from_ne_bytes([mac[4], mac[5]]));
}
