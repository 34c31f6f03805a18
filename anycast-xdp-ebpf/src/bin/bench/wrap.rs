//! The wrapper: undoes what the previous call did to the packet, varies it if asked, and tail-calls the program under test.
//!
//! `BPF_PROG_TEST_RUN` with `repeat` hands the packet to each call as the call before left it. An encapsulating
//! program would see its own output from the second call on.

use core::hint::black_box;

use anycast_common::bench::{
    FLOWS_CLIENTS, FLOWS_MANY, FLOWS_NEW, FLOWS_ONE, HEADERS_IPV4, HEADERS_IPV4_IN_IPV4, STAMPS, WrapConfig, WrapState,
};
use aya_ebpf::{bindings::xdp_action, helpers::bpf_ktime_get_ns, macros::xdp, programs::XdpContext};

use crate::{
    maps,
    packet::{Cursor, Window, adjust_head},
};

/// Set by the bench. Read-only data, so the verifier drops the branches that are not taken.
#[unsafe(no_mangle)]
static WRAP_CONFIG: WrapConfig = WrapConfig {
    ethernet_low: 0,
    ethernet_high: 0,
    ethertype: 0,
    destination_port: 0,
    ip: [0; 10],
    frame_bytes: 0,
    growth: 0,
    live: 0,
    headers: HEADERS_IPV4,
    flows: FLOWS_ONE,
    flow_mask: 0,
    destinations: 0,
    chunk: 0,
};

/// One field of the configuration.
macro_rules! config {
    ($($field:tt)+) => {
        // SAFETY: a valid static; volatile because the bench rewrites it before the program is loaded.
        unsafe { core::ptr::read_volatile(&raw const WRAP_CONFIG.$($field)+) }
    };
}

#[xdp]
fn wrap(ctx: XdpContext) -> u32 {
    if prepare(&ctx).is_some() {
        // SAFETY: the context is the one that the kernel gave to this program.
        unsafe { maps::TARGET.tail_call(&ctx, 0) };
    }
    xdp_action::XDP_ABORTED
}

#[inline(always)]
fn prepare(ctx: &XdpContext) -> Option<()> {
    let state = maps::STATE.get_ptr_mut(0)?;
    // SAFETY: the value behind the pointer lives as long as the program, and one run at a time uses it.
    let call = unsafe { stamp(&mut *state) };
    if config!(live) == 0 {
        // Opaque, so that the compiler subtracts the whole pointers: the verifier refuses arithmetic on halves of them.
        let length = (black_box(Cursor::new(ctx).remaining()) as u32).cast_signed();
        let growth = length - config!(frame_bytes);
        // SAFETY: as above.
        unsafe { account(&mut *state, growth) };
        // Called for a growth of 0 too, so that every program under test pays the same.
        adjust_head(ctx, -growth).ok()?;
    }
    if config!(headers) == HEADERS_IPV4_IN_IPV4 {
        let frame = Cursor::new(ctx).window::<58>()?;
        restore(frame);
        restore_ipv4(frame);
        restore_ipv6(frame);
        vary_client(frame, call);
    } else if config!(headers) == HEADERS_IPV4 {
        let frame = Cursor::new(ctx).window::<58>()?;
        restore(frame);
        restore_ipv4(frame);
        vary::<34, 26>(frame, call);
        touch(frame, call);
    } else {
        let frame = Cursor::new(ctx).window::<58>()?;
        restore(frame);
        restore_ipv4(frame);
        restore_ipv6(frame);
        vary::<54, 34>(frame, call);
    }
    Some(())
}

/// Numbers the call, and reads the clock once per chunk: the kernel's own duration is in whole nanoseconds, and the
/// time of the system call has the grace periods of setting up in it.
#[inline(always)]
fn stamp(state: &mut WrapState) -> u64 {
    let call = state.calls;
    state.calls = call + 1;
    if call == state.next_stamp {
        let at = state.stamp_count as usize & (STAMPS - 1);
        // SAFETY: a helper without arguments.
        state.stamps_ns[at] = unsafe { bpf_ktime_get_ns() };
        state.stamp_count = at as u64 + 1;
        state.next_stamp = call + config!(chunk) as u64;
    }
    call
}

/// Did the call before do its work?
#[inline(always)]
fn account(state: &mut WrapState, growth: i32) {
    state.grown = state.grown.wrapping_add(growth as i64);
    if growth != 0 && growth != config!(growth) {
        state.odd += 1;
    }
}

#[inline(always)]
fn restore(frame: Window<58>) {
    frame.set_u64::<0>(config!(ethernet_low));
    frame.set_bytes4::<8>(config!(ethernet_high).to_ne_bytes());
    frame.set_ne16::<12>(config!(ethertype));
}

/// Puts back bytes 14..34, for every program under test alike: ours edits the TTL and the checksum in them.
#[inline(always)]
fn restore_ipv4(frame: Window<58>) {
    frame.set_bytes4::<14>(config!(ip[0]).to_ne_bytes());
    frame.set_bytes4::<18>(config!(ip[1]).to_ne_bytes());
    frame.set_bytes4::<22>(config!(ip[2]).to_ne_bytes());
    frame.set_bytes4::<26>(config!(ip[3]).to_ne_bytes());
    frame.set_bytes4::<30>(config!(ip[4]).to_ne_bytes());
}

/// Puts back bytes 34..54.
#[inline(always)]
fn restore_ipv6(frame: Window<58>) {
    frame.set_bytes4::<34>(config!(ip[5]).to_ne_bytes());
    frame.set_bytes4::<38>(config!(ip[6]).to_ne_bytes());
    frame.set_bytes4::<42>(config!(ip[7]).to_ne_bytes());
    frame.set_bytes4::<46>(config!(ip[8]).to_ne_bytes());
    frame.set_bytes4::<50>(config!(ip[9]).to_ne_bytes());
}

/// Gives the packet of this call its flow: 16,384 source ports, then source addresses of 172.16.0.0/12 (for IPv6 in
/// the last four bytes of the address). `PORTS` and `SOURCE` are where those lie.
#[inline(always)]
fn vary<const PORTS: usize, const SOURCE: usize>(frame: Window<58>, call: u64) {
    let flow = match config!(flows) {
        FLOWS_NEW => call as u32,
        FLOWS_MANY => ((call as u32).wrapping_mul(0x9e37_79b1) >> 4) & config!(flow_mask),
        _ => return,
    };
    let [high, low] = (1024 + (flow & 0x3fff) as u16).to_be_bytes();
    let [port_high, port_low] = config!(destination_port).to_ne_bytes();
    // Both ports by one store: loads of two and of four bytes can both be forwarded from it.
    frame.set_bytes4::<PORTS>([high, low, port_high, port_low]);
    frame.set_bytes4::<SOURCE>((0xac10_0000 + (flow >> 14)).to_be_bytes());
}

/// Gives the packet inside its client, of 172.16.0.0/12. The number of clients is a power of two and the multiplier is odd, so
/// each has its turn before the first comes again.
#[inline(always)]
fn vary_client(frame: Window<58>, call: u64) {
    if config!(flows) == FLOWS_CLIENTS {
        let client = (call as u32).wrapping_mul(0x9e37_79b1) & config!(flow_mask);
        frame.set_bytes4::<46>((0xac10_0000 + client).to_be_bytes());
    }
}

/// Gives the packet of this call its IPv4 destination, at random.
#[inline(always)]
fn touch(frame: Window<58>, call: u64) {
    let destinations = config!(destinations);
    if destinations < 2 {
        return;
    }
    // Two rounds of multiply and xor-shift (the finalizer of SplitMix64): neighbouring calls are far apart.
    let mixed = (call ^ (call >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let nth = (((mixed >> 32) * destinations as u64) >> 32) as u32;
    frame.set_bytes4::<30>(u32::from_be(config!(ip[4])).wrapping_add(nth).to_be_bytes());
}
