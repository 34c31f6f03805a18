//! The measuring programs: a wrapper that makes every call of a program under test see the same packet, floors to
//! compare with, and a peer that counts what live frames deliver. `docs/bench.md` tells how they are used.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

mod floor;
mod maps;
#[path = "../../packet.rs"]
#[expect(dead_code, reason = "the accessors of the datapath; the measuring programs need some of them")]
mod packet;
mod peer;
mod wrap;

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
