//! What only socket buffers have: the metadata that they carry beside the frame, and helpers that mind it.

use anycast_common::header::{ETHERNET_BYTES, ETHERTYPE_VLAN};
use aya_ebpf::{
    bindings::{BPF_F_ADJ_ROOM_FIXED_GSO, BPF_F_INGRESS, bpf_adj_room_mode::BPF_ADJ_ROOM_MAC},
    helpers::{
        bpf_l4_csum_replace, bpf_skb_adjust_room, bpf_skb_change_tail, bpf_skb_store_bytes, bpf_skb_vlan_pop,
        bpf_skb_vlan_push,
    },
    programs::TcContext,
};

use crate::{
    packet::Cursor,
    stage::{
        ip::{Header, Ip},
        mss,
    },
};

/// Flag of a redirect: into the stack, as if the packet had come in by the interface.
pub const INGRESS: u64 = BPF_F_INGRESS as u64;

/// The EtherType of what the frame carries, tags aside.
#[inline(always)]
pub fn ethertype(ctx: &TcContext) -> u16 {
    // SAFETY: the context is the one that the kernel gave to this program.
    u16::from_be(unsafe { (*ctx.skb.skb).protocol } as u16)
}

/// Kernel index of the interface that the packet is leaving by.
#[inline(always)]
pub fn ifindex(ctx: &TcContext) -> u32 {
    // SAFETY: as above.
    unsafe { (*ctx.skb.skb).ifindex }
}

/// The mark of the socket that the packet is from.
#[inline(always)]
pub fn socket_mark(ctx: &TcContext) -> u32 {
    // SAFETY: as above.
    unsafe { (*ctx.skb.skb).mark }
}

/// Writes bytes of the frame, if it has so many.
#[inline(always)]
pub fn store<const N: usize>(ctx: &TcContext, at: u32, bytes: [u8; N]) {
    // SAFETY: as above; the bytes are on the stack.
    let _ = unsafe { bpf_skb_store_bytes(ctx.skb.skb, at, (&raw const bytes).cast(), N as u32, 0) };
}

/// Payload bytes of the segments that the packet is to be cut into; 0: it is sent as it is.
#[inline(always)]
pub fn segment_bytes(ctx: &TcContext) -> usize {
    // SAFETY: as above.
    unsafe { (*ctx.skb.skb).gso_size as usize }
}

/// Makes room for `bytes` of outer header behind Ethernet, and takes a tag off that the packet was to have. `keeps_segments`:
/// segments keep their length, else each is so much shorter.
#[inline(always)]
pub fn grow(ctx: &TcContext, bytes: usize, flags: u32, keeps_segments: bool) -> Result<(), ()> {
    let fixed = if keeps_segments { BPF_F_ADJ_ROOM_FIXED_GSO } else { 0 };
    // SAFETY: the context is the one that the kernel gave to this program.
    let failed = unsafe {
        let has_tag = (*ctx.skb.skb).vlan_present != 0;
        has_tag && bpf_skb_vlan_pop(ctx.skb.skb) != 0
            || bpf_skb_adjust_room(ctx.skb.skb, bytes.cast_signed() as i32, BPF_ADJ_ROOM_MAC, (flags | fixed) as u64)
                != 0
    };
    if failed { Err(()) } else { Ok(()) }
}

/// Gives the frame a tag; `vlan_tci` in wire order.
#[inline(always)]
pub fn push_tag(ctx: &TcContext, vlan_tci: u16) -> Result<(), ()> {
    // SAFETY: as above.
    if unsafe { bpf_skb_vlan_push(ctx.skb.skb, ETHERTYPE_VLAN.to_be(), u16::from_be(vlan_tci)) } == 0 {
        Ok(())
    } else {
        Err(())
    }
}

/// Cuts the frame to so many bytes.
#[inline(always)]
pub fn cut(ctx: &TcContext, bytes: u32) -> Result<(), ()> {
    // SAFETY: as above.
    if unsafe { bpf_skb_change_tail(ctx.skb.skb, bytes, 0) } == 0 { Ok(()) } else { Err(()) }
}

/// A SYN asks for segments whose packets have no more bytes than this. The kernel's helper knows whether the checksum is
/// there yet, or left to the device.
#[inline(always)]
pub fn clamp_mss<I: Ip>(ctx: &TcContext, l3: Cursor, header: &Header<I>, packet_bytes_max: usize) {
    let Some(too_long) = mss::too_long::<I>(l3, header, || Some(packet_bytes_max)) else {
        return;
    };
    let (old, new) = too_long.as_summed();
    let tcp_at = (ETHERNET_BYTES + too_long.tcp_at) as u32;
    let value = too_long.new;
    // SAFETY: as above; the value is two bytes on the stack.
    unsafe {
        let _ = bpf_l4_csum_replace(ctx.skb.skb, tcp_at + 16, old as u64, new as u64, 2);
        let at = tcp_at + too_long.value_at as u32;
        let _ = bpf_skb_store_bytes(ctx.skb.skb, at, (&raw const value).cast(), 2, 0);
    }
}
