//! The programs of a host: `pop` on access interfaces, `backbone` on backbone interfaces, `one_arm` on those that are both,
//! `gateway` in a home region and `gateway_return` at its egress, `probe` and `probe_mark` for what a PoP host sends to VIPs
//! itself, copies that explain, and the tracepoints that tell what drivers lost after a verdict.
//!
//! Each XDP program of an interface that the operator names is there twice: as it is, and with the ending `_frags` for frames that
//! may have fragments.
//!
//! `docs/datapath.md` specifies what they decide. [`verdict`] alone knows XDP actions; [`pop`], [`gateway`], [`backbone`],
//! [`gateway_return`] and [`probe`] alone know the order of the stages; [`maps`] alone declares maps; [`packet`] alone touches packet memory.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

mod backbone;
mod count;
mod frame;
mod gateway;
mod gateway_return;
mod losses;
mod maps;
mod observe;
mod one_arm;
#[expect(dead_code, reason = "the bench programs use the rest of it")]
mod packet;
mod pop;
mod probe;
mod probe_mark;
mod skb;
mod stage;
mod sum;
mod verdict;

use aya_ebpf::{
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};

use self::{
    observe::{Explainer, Nobody},
    packet::{Fragmented, Linear},
};

#[xdp]
#[inline(always)]
fn pop(ctx: XdpContext) -> u32 {
    pop::run::<Linear, Nobody>(&ctx)
}

#[xdp]
#[inline(always)]
fn gateway(ctx: XdpContext) -> u32 {
    gateway::run::<Linear, Nobody>(&ctx)
}

#[xdp]
#[inline(always)]
fn backbone(ctx: XdpContext) -> u32 {
    backbone::or_pass(backbone::run::<Linear, Nobody>(&ctx))
}

/// `pop` and `backbone` for an interface that is both.
#[xdp]
#[inline(always)]
fn one_arm(ctx: XdpContext) -> u32 {
    one_arm::run::<Linear, Nobody>(&ctx)
}

/// On the far end of `axp0`: what this host itself sends to VIPs, its probes of backends among it.
#[xdp]
#[inline(always)]
fn probe(ctx: XdpContext) -> u32 {
    probe::run(&ctx)
}

/// On `axp0` itself. Its presence makes veth poll this end with NAPI, without which what `probe` answers would never be taken
/// from the ring (`veth_xdp_flush`, drivers/net/veth.c).
#[xdp]
#[inline(always)]
fn probe_answers(_ctx: XdpContext) -> u32 {
    verdict::PASS
}

/// At the egress of `axp0`.
#[classifier]
#[inline(always)]
fn probe_mark(ctx: TcContext) -> i32 {
    probe_mark::run(&ctx)
}

/// At the egress of a gateway's interfaces.
#[classifier]
#[inline(always)]
fn gateway_return(ctx: TcContext) -> i32 {
    gateway_return::run::<Nobody>(&ctx)
}

/// `gateway_return`, which tells what it does; never attached.
#[classifier]
#[inline(always)]
fn explain_gateway_return(ctx: TcContext) -> i32 {
    gateway_return::run::<Explainer>(&ctx)
}

/// `pop`, which tells what it does; never attached.
#[xdp]
#[inline(always)]
fn explain_pop(ctx: XdpContext) -> u32 {
    pop::run::<Linear, Explainer>(&ctx)
}

/// `gateway`, which tells what it does; never attached.
#[xdp]
#[inline(always)]
fn explain_gateway(ctx: XdpContext) -> u32 {
    gateway::run::<Linear, Explainer>(&ctx)
}

#[xdp(frags)]
#[inline(always)]
fn explain_pop_frags(ctx: XdpContext) -> u32 {
    pop::run::<Fragmented, Explainer>(&ctx)
}

#[xdp(frags)]
#[inline(always)]
fn explain_gateway_frags(ctx: XdpContext) -> u32 {
    gateway::run::<Fragmented, Explainer>(&ctx)
}

#[xdp(frags)]
#[inline(always)]
fn pop_frags(ctx: XdpContext) -> u32 {
    pop::run::<Fragmented, Nobody>(&ctx)
}

#[xdp(frags)]
#[inline(always)]
fn gateway_frags(ctx: XdpContext) -> u32 {
    gateway::run::<Fragmented, Nobody>(&ctx)
}

#[xdp(frags)]
#[inline(always)]
fn backbone_frags(ctx: XdpContext) -> u32 {
    backbone::or_pass(backbone::run::<Fragmented, Nobody>(&ctx))
}

#[xdp(frags)]
#[inline(always)]
fn one_arm_frags(ctx: XdpContext) -> u32 {
    one_arm::run::<Fragmented, Nobody>(&ctx)
}

/// `backbone`, which tells what it does; never attached.
#[xdp]
#[inline(always)]
fn explain_backbone(ctx: XdpContext) -> u32 {
    backbone::or_pass(backbone::run::<Linear, Explainer>(&ctx))
}

#[xdp(frags)]
#[inline(always)]
fn explain_backbone_frags(ctx: XdpContext) -> u32 {
    backbone::or_pass(backbone::run::<Fragmented, Explainer>(&ctx))
}

/// `one_arm`, which tells what it does; never attached.
#[xdp]
#[inline(always)]
fn explain_one_arm(ctx: XdpContext) -> u32 {
    one_arm::run::<Linear, Explainer>(&ctx)
}

#[xdp(frags)]
#[inline(always)]
fn explain_one_arm_frags(ctx: XdpContext) -> u32 {
    one_arm::run::<Fragmented, Explainer>(&ctx)
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
