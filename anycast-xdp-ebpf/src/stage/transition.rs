//! A slot that is in transition: does the flow stay where it was, or go where new flows go?
//!
//! New flows go to the new backend and leave an entry, which their later packets find. A flow without one was there
//! before, and stays on the backend that the old table has. Whatever is not TCP has no beginning to tell by, and goes to
//! the new one.

use anycast_common::{
    flow::Transport,
    header::protocol,
    map::{IN_TRANSITION, PoolDescriptor, TransitionKey, backend_of},
};
use aya_ebpf::{bindings::xdp_md, programs::XdpContext};

use super::{
    flow::is_icmp_error,
    icmp,
    ip::{Ip, V4, V6},
};
use crate::{
    maps,
    packet::{Cursor, Fragmented},
};

const SYN: u8 = 2;
const ACK: u8 = 16;

/// What a packet says of its flow, in one word: ports in bits 0..32, where the client's address lies from the IP header in
/// bits 32..48, and one of these in bits 48..64. It is not of TCP:
const NO_TCP: u64 = 0;
/// It begins the flow.
const FIRST: u64 = 1 << 48;
/// It belongs to a flow that began before.
const LATER: u64 = 2 << 48;
/// The same, but nothing says to which.
const FRAGMENT: u64 = 3 << 48;

const KIND_MASK: u64 = 0xffff << 48;

/// Index of the backend of a packet whose slot, or whole table, is in transition. Reads the packet once more: it is rare,
/// and the ordinary way has not read as much of it.
///
/// In two steps, one after the other, because all frames of a chain of calls share 512 bytes of stack.
#[inline(always)]
pub fn backend<I: Ip>(ctx: *mut xdp_md, l2_bytes: usize, pool_index: u32, flow_hash: u64, slot: u32) -> u32 {
    let tcp = I::tcp(ctx, l2_bytes as u64);
    I::transition(ctx, l2_bytes as u64, flow_hash, (pool_index as u64) << 32 | slot as u64, tcp)
}

/// The first step, for IPv4. These are global functions: the verifier looks at each once, and not again at every call in
/// every state.
#[unsafe(no_mangle)]
pub extern "C" fn tcp_v4(ctx: *mut xdp_md, l2_bytes: u64) -> u64 {
    tcp::<V4>(ctx, l2_bytes)
}

/// The same for IPv6.
#[unsafe(no_mangle)]
pub extern "C" fn tcp_v6(ctx: *mut xdp_md, l2_bytes: u64) -> u64 {
    tcp::<V6>(ctx, l2_bytes)
}

/// The second step, for IPv4.
#[unsafe(no_mangle)]
pub extern "C" fn transition_v4(ctx: *mut xdp_md, l2_bytes: u64, flow_hash: u64, pool_and_slot: u64, tcp: u64) -> u32 {
    choose::<V4>(ctx, l2_bytes, flow_hash, pool_and_slot, tcp)
}

/// The same for IPv6.
#[unsafe(no_mangle)]
pub extern "C" fn transition_v6(ctx: *mut xdp_md, l2_bytes: u64, flow_hash: u64, pool_and_slot: u64, tcp: u64) -> u32 {
    choose::<V6>(ctx, l2_bytes, flow_hash, pool_and_slot, tcp)
}

#[inline(always)]
fn l3(ctx: *mut xdp_md, l2_bytes: u64) -> Cursor {
    let ctx = &XdpContext::new(ctx);
    Cursor::new(ctx).of_frames::<Fragmented>(ctx).skip(l2_bytes as usize & 31)
}

#[inline(always)]
fn tcp<I: Ip>(ctx: *mut xdp_md, l2_bytes: u64) -> u64 {
    let l3 = l3(ctx, l2_bytes);
    // It was read already, so nothing of this fails.
    let Ok(header) = I::parse(l3) else { return NO_TCP };
    let Some(upper) = I::upper(l3, &header) else { return NO_TCP };
    if is_icmp_error::<I>(l3, &header, upper) {
        return match icmp::turned_round::<I>(l3, &header, upper, true) {
            Ok((_, l4)) if l4.protocol == protocol::TCP && l4.has_ports => {
                let client = (upper.offset + icmp::ICMP_BYTES + I::DESTINATION_AT) as u64;
                LATER | client << 32 | l4.ports as u64
            }
            Ok((_, l4)) if l4.protocol == protocol::TCP => FRAGMENT,
            // A VIP that takes everything takes a quote without ports, too.
            Ok(_) | Err(_) => NO_TCP,
        };
    }
    if upper.protocol != protocol::TCP {
        return NO_TCP;
    }
    if upper.fragment {
        return FRAGMENT;
    }
    if upper.offset + 20 > header.length {
        return NO_TCP;
    }
    let Some(tcp) = l3.skip(upper.offset).window::<20>() else { return NO_TCP };
    let kind = if tcp.u8::<13>() & (SYN | ACK) == SYN { FIRST } else { LATER };
    kind | (I::SOURCE_AT as u64) << 32 | tcp.word::<0>() as u64
}

#[inline(always)]
fn choose<I: Ip>(ctx: *mut xdp_md, l2_bytes: u64, flow_hash: u64, pool_and_slot: u64, tcp: u64) -> u32 {
    let new = pool_and_slot as u32 & !IN_TRANSITION;
    let pool_index = (pool_and_slot >> 32) as u32;
    match tcp & KIND_MASK {
        FIRST => {
            if let Some(key) = key::<I>(ctx, l2_bytes, pool_index, tcp) {
                maps::begin_transition(key, new);
            }
            new
        }
        LATER => {
            let begun_on = key::<I>(ctx, l2_bytes, pool_index, tcp).and_then(maps::transition);
            begun_on.or_else(|| old(pool_index, flow_hash)).unwrap_or(new)
        }
        FRAGMENT => old(pool_index, flow_hash).unwrap_or(new),
        _ => new,
    }
}

/// Always of the whole 5-tuple: what a VIP hashes on may be the same for many flows, old and new.
#[inline(always)]
fn key<I: Ip>(ctx: *mut xdp_md, l2_bytes: u64, pool_index: u32, tcp: u64) -> Option<TransitionKey> {
    let l3 = l3(ctx, l2_bytes);
    let destination = I::destination(l3)?;
    // Behind eight extension headers at most, of 2 KiB each; the verifier wants a bound that leaves room for the address.
    let source = I::address(l3.skip((tcp >> 32) as usize & 0x7fff))?;
    let transport = Transport { ports: (tcp as u32).to_ne_bytes(), protocol: protocol::TCP };
    let flow_hash = I::hash(maps::flow_key(), source, destination, transport);
    Some(TransitionKey { flow_hash, pool_index, reserved: 0 })
}

/// The backend that the old table has for this flow.
#[inline(always)]
fn old(pool_index: u32, flow_hash: u64) -> Option<u32> {
    let descriptor = PoolDescriptor::from_cell(maps::old_pool(pool_index)?);
    if descriptor.size == 0 {
        return None;
    }
    let at = descriptor.slot(flow_hash);
    Some(backend_of(maps::slot_pair(at)?, at)).filter(|index| *index != 0)
}
