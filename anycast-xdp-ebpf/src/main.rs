//! The programs of a host: `pop` on access interfaces, `backbone` on backbone interfaces, `gateway` in a home region,
//! their copies that explain, and the tracepoints that tell what drivers lost after a verdict.
//!
//! Each program is there twice: as it is, and with the ending `_frags` for interfaces whose frames may have fragments.
//!
//! `docs/datapath.md` specifies what they decide. [`verdict`] alone knows XDP actions; [`pop`] and [`gateway`] alone know
//! the order of the stages; [`maps`] alone declares maps; [`packet`] alone touches packet memory.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

mod count;
mod frame;
mod gateway;
mod losses;
mod maps;
mod observe;
#[expect(dead_code, reason = "the bench programs use the rest of it")]
mod packet;
mod pop;
mod stage;
mod sum;
mod verdict;

use aya_ebpf::{
    bindings::{TC_ACT_UNSPEC, xdp_action},
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};

use self::{
    observe::{Explainer, Nobody},
    packet::{Fragmented, Linear},
};

#[xdp]
fn pop(ctx: XdpContext) -> u32 {
    pop::run::<Linear, Nobody>(&ctx)
}

#[xdp]
fn gateway(ctx: XdpContext) -> u32 {
    gateway::run::<Linear, Nobody>(&ctx)
}

#[xdp]
fn backbone(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// At the egress of a gateway's interfaces.
#[classifier]
fn gateway_return(_ctx: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

/// `pop`, which tells what it does; never attached.
#[xdp]
fn explain_pop(ctx: XdpContext) -> u32 {
    pop::run::<Linear, Explainer>(&ctx)
}

/// `gateway`, which tells what it does; never attached.
#[xdp]
fn explain_gateway(ctx: XdpContext) -> u32 {
    gateway::run::<Linear, Explainer>(&ctx)
}

#[xdp(frags)]
fn explain_pop_frags(ctx: XdpContext) -> u32 {
    pop::run::<Fragmented, Explainer>(&ctx)
}

#[xdp(frags)]
fn explain_gateway_frags(ctx: XdpContext) -> u32 {
    gateway::run::<Fragmented, Explainer>(&ctx)
}

#[xdp(frags)]
fn pop_frags(ctx: XdpContext) -> u32 {
    pop::run::<Fragmented, Nobody>(&ctx)
}

#[xdp(frags)]
fn gateway_frags(ctx: XdpContext) -> u32 {
    gateway::run::<Fragmented, Nobody>(&ctx)
}

#[xdp(frags)]
fn backbone_frags(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel refuses some helpers to programs without a GPL-compatible licence.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// On the host the crate is only checked and linted.
#[cfg(not(target_arch = "bpf"))]
fn main() {}
