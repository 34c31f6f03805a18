//! What drivers and the kernel lose after a verdict, from the kernel's XDP tracepoints.
//!
//! Field offsets are those of `/sys/kernel/tracing/events/xdp/*/format`, the same on every kernel from 6.1 on.
//! Tracepoints fire for the whole machine: events of other programs and of interfaces that are not ours are left out.

use anycast_common::map::{DriverLossKey, LOSS_BULK_TX, LOSS_DEVMAP_XMIT, LOSS_EXCEPTION, LOSS_REDIRECT};
use aya_ebpf::{macros::tracepoint, programs::TracePointContext};

use crate::maps;

#[tracepoint]
fn redirect_err(ctx: TracePointContext) -> u32 {
    // `to_ifindex` is at 24; 0 where the kernel does not know it.
    let _ = of_our_program(&ctx, LOSS_REDIRECT, 24);
    0
}

#[tracepoint]
fn exception(ctx: TracePointContext) -> u32 {
    let _ = of_our_program(&ctx, LOSS_EXCEPTION, INGRESS_AT);
    0
}

#[tracepoint]
fn devmap_xmit(ctx: TracePointContext) -> u32 {
    let _ = bulk(&ctx, LOSS_DEVMAP_XMIT, 16, 20);
    0
}

#[tracepoint]
fn bulk_tx(ctx: TracePointContext) -> u32 {
    let _ = bulk(&ctx, LOSS_BULK_TX, 8, 16);
    0
}

/// Where `xdp_redirect_err` and `xdp_exception` name the interface that the frame came in by.
const INGRESS_AT: usize = 16;

/// One frame, lost on the interface that the record names at `ifindex_at`; on the one that it came in by if that is
/// none of ours. `prog_id` is at 8.
#[inline(always)]
fn of_our_program(ctx: &TracePointContext, kind: u32, ifindex_at: usize) -> Result<(), i32> {
    // SAFETY: all fields lie within the tracepoint's record.
    let (program_id, ifindex, ingress) =
        unsafe { (ctx.read_at::<u32>(8)?, ctx.read_at::<u32>(ifindex_at)?, ctx.read_at::<u32>(INGRESS_AT)?) };
    if maps::PROGRAM_IDS.get_ptr(program_id).is_some() && !add(DriverLossKey { ifindex, kind }, 1) {
        add(DriverLossKey { ifindex: ingress, kind }, 1);
    }
    Ok(())
}

/// An interface index and a number of dropped frames, 0 for the many bulks that went well.
#[inline(always)]
fn bulk(ctx: &TracePointContext, kind: u32, ifindex_at: usize, drops_at: usize) -> Result<(), i32> {
    // SAFETY: both fields lie within the tracepoint's record.
    let (ifindex, drops) = unsafe { (ctx.read_at::<u32>(ifindex_at)?, ctx.read_at::<i32>(drops_at)?) };
    if drops > 0 {
        add(DriverLossKey { ifindex, kind }, u64::from(drops.cast_unsigned()));
    }
    Ok(())
}

/// False: the interface is none of ours.
#[inline(always)]
fn add(key: DriverLossKey, frames: u64) -> bool {
    let Some(counter) = maps::DRIVER_LOSSES.get_ptr_mut(key) else {
        return false;
    };
    // SAFETY: a per-CPU value that was just looked up.
    unsafe { *counter += frames };
    true
}
