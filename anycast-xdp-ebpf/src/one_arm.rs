//! A PoP interface that is both access and backbone: answers in tunnels come in by it as clients' packets do.

use aya_ebpf::{bindings::xdp_md, programs::XdpContext};

use crate::{
    backbone::{self, NOT_TAKEN},
    observe::Observer,
    packet::Frames,
    pop,
};

/// What is an answer in a tunnel is one; all else is what it is on an access interface. Each is a function, so that neither
/// has the other on its stack.
#[inline(always)]
pub fn run<F: Frames, O: Observer>(ctx: &XdpContext) -> u32 {
    match as_backbone::<F, O>(ctx.ctx) {
        NOT_TAKEN => as_access::<F, O>(ctx.ctx),
        action => action,
    }
}

#[inline(never)]
fn as_backbone<F: Frames, O: Observer>(ctx: *mut xdp_md) -> u32 {
    backbone::run::<F, O>(&XdpContext::new(ctx))
}

#[inline(never)]
pub fn as_access<F: Frames, O: Observer>(ctx: *mut xdp_md) -> u32 {
    pop::run::<F, O>(&XdpContext::new(ctx))
}
