//! Counting: once per packet, after the verdict, here only.

use anycast_common::{
    map::VipDropKey,
    outcome::{Class, Outcome},
};
use aya_ebpf::programs::XdpContext;

use crate::maps;

/// What the stages learnt about the packet, for its counters.
#[derive(Default)]
pub struct Record {
    /// Bytes of Ethernet header and tags.
    pub l2_bytes: usize,
    /// Bytes of the IP packet; 0 until its length is known to be true.
    pub ip_bytes: usize,
    /// Index of the VIP; 0: none.
    pub vip_index: u32,
    /// Index of the backend; 0: none.
    pub backend_index: u32,
}

/// Counts a forwarded or decapsulated packet.
#[inline(always)]
pub fn success(record: &Record, outcome: Outcome) {
    let bytes = record.ip_bytes as u64;
    maps::count_vip(record.vip_index, outcome.class(), bytes);
    if record.backend_index != 0 {
        maps::count_backend(record.backend_index, bytes);
    }
}

/// Counts every other packet. The frame has not grown when its length is taken from it: `ip_bytes` is known before that.
#[inline(always)]
pub fn other(ctx: &XdpContext, record: &Record, outcome: Outcome) {
    let bytes = if record.ip_bytes == 0 {
        (ctx.data_end() - ctx.data()).saturating_sub(record.l2_bytes) as u64
    } else {
        record.ip_bytes as u64
    };
    maps::count_outcome(outcome, bytes);
    if record.vip_index != 0 {
        maps::count_vip(record.vip_index, outcome.class(), bytes);
        if outcome.class() == Class::Dropped {
            maps::count_vip_drop(VipDropKey { vip_index: record.vip_index, outcome: outcome as u32 }, bytes);
        }
    }
}
