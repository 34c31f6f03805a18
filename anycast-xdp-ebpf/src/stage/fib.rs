//! The kernel's routes (`bpf_fib_lookup`): ECMP, policy rules and neighbours are as it has them.

use anycast_common::header::protocol;
use aya_ebpf::{
    bindings::{
        BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_SUCCESS, bpf_fib_lookup as Params,
    },
    helpers::bpf_fib_lookup,
    programs::XdpContext,
};

use super::ip::{Header, Ip};
use crate::{
    maps,
    packet::{Cursor, Window, opaque},
};

/// What a look-up gives.
pub enum Route {
    /// Out of this interface, to this neighbour.
    To {
        /// Kernel interface index.
        ifindex: u32,
        /// The interface's MAC.
        smac: [u8; 6],
        /// The neighbour's.
        dmac: [u8; 6],
    },
    /// The neighbour is not known.
    Unresolved {
        /// Kernel interface index.
        ifindex: u32,
    },
    /// The packet is longer than the route's MTU.
    TooBig {
        /// Kernel interface index.
        ifindex: u32,
        /// In bytes.
        mtu_bytes: u16,
    },
    /// No route, or one that forwards nothing.
    None,
}

/// The way of the packet at `l3`, as if it were not in a tunnel.
#[inline(always)]
pub fn route<I: Ip>(ctx: &XdpContext, l3: Cursor, header: &Header<I>) -> Route {
    let Some(scratch) = maps::returns::scratch() else {
        return Route::None;
    };
    let params = &mut scratch.route;
    // SAFETY: integers and arrays of them, for which zero is valid.
    *params = unsafe { core::mem::zeroed() };
    params.l4_protocol = header.next;
    let has_ports = !header.fragment && (header.next == protocol::TCP || header.next == protocol::UDP);
    if has_ports && let Some(ports) = l3.skip(opaque(header.bytes) & 0x3f).window::<4>() {
        params.sport = Window::ne16::<0>(ports);
        params.dport = Window::ne16::<2>(ports);
    }
    params.__bindgen_anon_1.tot_len = header.length as u16;
    params.ifindex = ctx.ingress_ifindex() as u32;
    I::fill(params, header);
    let mut result = look_up(ctx, params);
    let mut mtu_bytes = 0;
    if result == BPF_FIB_LKUP_RET_FRAG_NEEDED as i64 {
        // SAFETY: the kernel wrote this field, and nothing else: by which interface, it tells for a packet without a length.
        mtu_bytes = unsafe { params.__bindgen_anon_1.mtu_result };
        params.__bindgen_anon_1.tot_len = 0;
        result = look_up(ctx, params);
    }
    let ifindex = params.ifindex;
    let has_neighbour = result == BPF_FIB_LKUP_RET_SUCCESS as i64;
    if !has_neighbour && result != BPF_FIB_LKUP_RET_NO_NEIGH as i64 {
        Route::None
    } else if mtu_bytes != 0 {
        Route::TooBig { ifindex, mtu_bytes }
    } else if has_neighbour {
        Route::To { ifindex, smac: params.smac, dmac: params.dmac }
    } else {
        Route::Unresolved { ifindex }
    }
}

#[inline(always)]
fn look_up(ctx: &XdpContext, params: &mut Params) -> i64 {
    // SAFETY: a valid context, and parameters of this size.
    unsafe { bpf_fib_lookup(ctx.ctx.cast(), params, size_of::<Params>().cast_signed() as i32, 0) }
}
