//! The programs of a host: `pop` on access interfaces, `backbone` on backbone interfaces, `gateway` in a home region,
//! and the tracepoints that tell what drivers lost after a verdict.
//!
//! `docs/datapath.md` specifies what they decide. This file alone knows XDP actions; [`pop`] and [`gateway`] alone know
//! the order of the stages; [`maps`] alone declares maps; [`packet`] alone touches packet memory.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

mod count;
mod frame;
mod gateway;
mod losses;
mod maps;
#[expect(dead_code, reason = "the bench programs use the rest of it")]
mod packet;
mod pop;
mod stage;

use anycast_common::outcome::{Class, Outcome};
use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

use crate::count::Record;

/// Where a forwarded frame goes.
#[derive(Clone, Copy)]
pub enum Egress {
    /// Out of the interface that it came in by.
    Transmit,
    /// Out of the device that `bpf_redirect_map` chose.
    Redirect,
    /// Up to the host's own stack, decapsulated.
    Stack,
}

#[xdp]
fn pop(ctx: XdpContext) -> u32 {
    let mut record = Record::default();
    let verdict = pop::forward(&ctx, &mut record);
    finish(&ctx, &record, verdict, Outcome::Forwarded)
}

#[xdp]
fn gateway(ctx: XdpContext) -> u32 {
    let mut record = Record::default();
    let verdict = gateway::decapsulate(&ctx, &mut record);
    finish(&ctx, &record, verdict, Outcome::Decapsulated)
}

#[xdp]
fn backbone(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Counts the packet and turns the verdict into an XDP action.
#[inline(always)]
fn finish(ctx: &XdpContext, record: &Record, verdict: Result<Egress, Outcome>, success: Outcome) -> u32 {
    match verdict {
        Ok(egress) => {
            count::success(record, success);
            match egress {
                Egress::Transmit => xdp_action::XDP_TX,
                Egress::Redirect => xdp_action::XDP_REDIRECT,
                Egress::Stack => xdp_action::XDP_PASS,
            }
        }
        Err(outcome) => {
            count::other(ctx, record, outcome);
            match outcome.class() {
                Class::Passed => xdp_action::XDP_PASS,
                Class::Answered => xdp_action::XDP_TX,
                Class::Forwarded | Class::Dropped => xdp_action::XDP_DROP,
            }
        }
    }
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel refuses helpers such as `bpf_xdp_adjust_head` variants to programs without a GPL-compatible licence.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// On the host the crate is only checked and linted.
#[cfg(not(target_arch = "bpf"))]
fn main() {}
