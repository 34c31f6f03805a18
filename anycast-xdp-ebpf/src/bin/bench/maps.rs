//! Every map of the measuring programs.

use anycast_common::bench::{ADDRESSES, Address, SERVICES, Service, Tunnel, Tunnel4, WrapState};
use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{Array, DevMap, HashMap, PerCpuArray, ProgramArray},
};

/// The program under test.
#[map]
pub static TARGET: ProgramArray = ProgramArray::with_max_entries(1, 0);
/// What the wrapper saw.
#[map]
pub static STATE: Array<WrapState> = Array::with_max_entries(1, 0);

/// `floor_encap`: listeners.
#[map]
pub static FLOOR_SERVICES: HashMap<Service, Tunnel> = HashMap::with_max_entries(SERVICES, BPF_F_NO_PREALLOC);
/// `floor_encap`: packets forwarded, IPv4 and IPv6.
#[map]
pub static FORWARDED: PerCpuArray<u64> = PerCpuArray::with_max_entries(2, 0);
/// `floor_encap_redirect` and `floor_return`: the ways out.
#[map]
pub static EGRESS: DevMap = DevMap::with_max_entries(2, 0);
/// `floor_decap` and `floor_return`: the addresses that tunnels end at.
#[map]
pub static FLOOR_TUNNEL_ENDS: HashMap<Address, u32> = HashMap::with_max_entries(256, 0);
/// The same, and `floor_wrap`: VIPs.
#[map]
pub static FLOOR_VIPS: HashMap<Address, u32> = HashMap::with_max_entries(SERVICES, BPF_F_NO_PREALLOC);
/// `floor_ipip_min`: destinations. `floor_wrap`: clients.
#[map]
pub static FLOOR_TUNNELS: HashMap<[u8; 4], Tunnel4> = HashMap::with_max_entries(256, 0);
/// `floor_lookup`: addresses. The entries are indexes, as in the datapath's own map.
#[map]
pub static FLOOR_ADDRESSES: HashMap<[u8; 4], u32> = HashMap::with_max_entries(ADDRESSES, 0);

/// What arrived at the peer; the indexes are in [`anycast_common::bench::peer`].
#[map]
pub static ARRIVED: PerCpuArray<u64> = PerCpuArray::with_max_entries(2, 0);

/// Adds one to a per-CPU number.
#[inline(always)]
pub fn increment(counter: Option<*mut u64>) {
    if let Some(counter) = counter {
        // SAFETY: a per-CPU value that was just looked up; nothing else runs on this CPU until the program ends.
        unsafe { *counter += 1 };
    }
}
