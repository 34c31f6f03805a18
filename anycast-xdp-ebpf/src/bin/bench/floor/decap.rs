//! `floor_decap`: what a decapsulator cannot do without. One look-up of the outer destination among the tunnel addresses,
//! one of the inner destination among the VIPs, the outer header off, an Ethernet header, one per-CPU counter; IPv4 in IPv4
//! and IPv6 in IPv6. No allow-list, no lengths, no ECN.

use anycast_common::{
    bench::Address,
    header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, protocol},
};
use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

use crate::{
    maps::{self, increment},
    packet::{Cursor, adjust_head},
};

#[xdp]
fn floor_decap(ctx: XdpContext) -> u32 {
    match decapsulate(&ctx) {
        Ok(()) => xdp_action::XDP_PASS,
        Err(action) => action,
    }
}

/// Decapsulates and counts, or tells the action for a packet that is not for here.
#[inline(always)]
fn decapsulate(ctx: &XdpContext) -> Result<(), u32> {
    let frame = Cursor::new(ctx).window::<14>().ok_or(xdp_action::XDP_DROP)?;
    match frame.be16::<12>() {
        ETHERTYPE_IPV4 => {
            let headers = Cursor::new(ctx).window::<54>().ok_or(xdp_action::XDP_PASS)?;
            find(headers.u8::<23>() == protocol::IPIP, v4(headers.word::<30>()), v4(headers.word::<50>()))?;
            strip::<20>(ctx, ETHERTYPE_IPV4).ok_or(xdp_action::XDP_DROP)?;
            increment(maps::FORWARDED.get_ptr_mut(0));
        }
        ETHERTYPE_IPV6 => {
            let headers = Cursor::new(ctx).window::<94>().ok_or(xdp_action::XDP_PASS)?;
            let inner = Address { words: headers.words::<78>() };
            find(headers.u8::<20>() == protocol::IPV6, Address { words: headers.words::<38>() }, inner)?;
            strip::<40>(ctx, ETHERTYPE_IPV6).ok_or(xdp_action::XDP_DROP)?;
            increment(maps::FORWARDED.get_ptr_mut(1));
        }
        _ => return Err(xdp_action::XDP_PASS),
    }
    Ok(())
}

/// An IPv4 address as a key.
#[inline(always)]
pub fn v4(address: u32) -> Address {
    Address { words: [address, 0, 0, 0] }
}

/// Is it a tunnel that ends here, with a packet for (or of) a VIP inside?
#[inline(always)]
pub fn find(carries_ip: bool, end: Address, vip: Address) -> Result<(), u32> {
    if carries_ip && maps::FLOOR_TUNNEL_ENDS.get_ptr(end).is_some() && maps::FLOOR_VIPS.get_ptr(vip).is_some() {
        Ok(())
    } else {
        Err(xdp_action::XDP_PASS)
    }
}

/// Takes the outer header off and moves the Ethernet addresses.
#[inline(always)]
fn strip<const OUTER: i32>(ctx: &XdpContext, ethertype: u16) -> Option<()> {
    let old = Cursor::new(ctx).window::<14>()?;
    let addresses = [old.word::<0>(), old.word::<4>(), old.word::<8>()];
    adjust_head(ctx, -OUTER).ok()?;
    let new = Cursor::new(ctx).window::<14>()?;
    new.set_word::<0>(addresses[0]);
    new.set_word::<4>(addresses[1]);
    new.set_word::<8>(addresses[2]);
    new.set_ne16::<12>(ethertype.to_be());
    Some(())
}
