//! The way back: clients and their PoPs on a gateway, who may answer on a PoP.

use anycast_common::map::{Counter, ReturnKey, ReturnValue, ReturnerKey};
use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray},
};

#[map]
pub static RETURN_PATHS: LruHashMap<ReturnKey, ReturnValue> = LruHashMap::with_max_entries(1, 0);
/// The tunnel addresses of a gateway by their index, v4-mapped; 0 is reserved.
#[map]
pub static TUNNEL_ADDRESSES: Array<[u8; 16]> = Array::with_max_entries(256, BPF_F_MMAPABLE);
/// The GRE keys of a gateway by their index, in wire order in the first four bytes; 0 is reserved.
#[map]
pub static GRE_KEY_LIST: Array<u64> = Array::with_max_entries(32, BPF_F_MMAPABLE);
#[map]
pub static RETURNERS: HashMap<ReturnerKey, u64> = HashMap::with_max_entries(1, 0);
/// From the kernel's interface index that a route names to the link; access interfaces only.
#[map]
pub static PUBLIC_LINKS: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);
/// Answers on their way back, by VIP.
#[map]
pub static RETURN_COUNTERS: PerCpuArray<Counter> = PerCpuArray::with_max_entries(1, 0);
