//! The way back: clients and their PoPs on a gateway, who may answer on a PoP.

use anycast_common::map::{Counter, ReturnValue, return_check};
use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, bpf_fib_lookup},
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray},
};

use super::{KeyWords, cell};
use crate::stage::ip::join;

#[map]
/// The key is a [`ReturnKey`](anycast_common::map::ReturnKey), in words of eight bytes.
pub static RETURN_PATHS: LruHashMap<[u64; 3], ReturnValue> = LruHashMap::with_max_entries(1, 0);
/// The tunnel addresses of a gateway by their index, v4-mapped; 0 is reserved.
#[map]
pub static TUNNEL_ADDRESSES: Array<[u64; 2]> = Array::with_max_entries(256, BPF_F_MMAPABLE);
/// The GRE keys of a gateway by their index, in wire order in the first four bytes; 0 is reserved.
#[map]
pub static GRE_KEY_LIST: Array<u64> = Array::with_max_entries(32, BPF_F_MMAPABLE);
#[map]
/// The key is a [`ReturnerKey`](anycast_common::map::ReturnerKey), in words.
pub static RETURNERS: HashMap<[u32; 6], u64> = HashMap::with_max_entries(1, 0);
/// From the kernel's interface index that a route names to the link; access interfaces only.
#[map]
pub static PUBLIC_LINKS: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);
/// Answers on their way back, by VIP.
#[map]
pub static RETURN_COUNTERS: PerCpuArray<Counter> = PerCpuArray::with_max_entries(1, 0);

/// Room for what would be too much for the stack; nothing else on this CPU uses it meanwhile.
#[repr(C)]
pub struct Scratch {
    /// Parameters of a route look-up.
    pub route: bpf_fib_lookup,
    /// Words of an outer header.
    pub outer: [u32; 12],
}

#[map]
static RETURN_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// The scratch of this CPU.
#[inline(always)]
pub fn scratch() -> Option<&'static mut Scratch> {
    // SAFETY: one value for each CPU, on which nothing else runs until the program ends; it is asked for once at a time.
    RETURN_SCRATCH.get_ptr_mut(0).map(|scratch| unsafe { &mut *scratch })
}

/// A client of a VIP, and what the value of it repeats.
pub struct Client {
    key: [u64; 3],
    check: u64,
}

impl Client {
    /// The client with this v4-mapped address.
    #[inline(always)]
    pub fn new(address: [u64; 2], vip_index: u32) -> Self {
        let [high, low] = address;
        Self { key: [high, low, join([vip_index, 0])], check: return_check(address, vip_index) }
    }
}

/// The way that a client's last packet came, and where to write another. See [`ReturnValue`] for the order of the reads.
#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a key that is moved is copied on the stack, word by word"
)]
#[inline(always)]
pub fn return_path(client: &Client) -> Option<(u64, *mut u64)> {
    let value = RETURN_PATHS.get_ptr_mut(&client.key)?;
    // SAFETY: a pointer to a map value that was just looked up, aligned to eight.
    let (check, path) = unsafe { (&raw const (*value).check, &raw mut (*value).path) };
    let known = cell(path);
    (cell(check) == client.check).then_some((known, path))
}

/// Writes another way of a client that is known. In the moment in which the kernel gives the element to another client, that
/// one gets it, until its own next packet.
#[inline(always)]
pub fn set_return_path(path: *mut u64, cell: u64) {
    // SAFETY: as in `return_path`, from where the pointer is.
    unsafe { core::ptr::write_volatile(path, cell) }
}

/// Remembers the way of a client that is not known. That it is not remembered is as if it were forgotten later.
#[expect(clippy::needless_borrows_for_generic_args, reason = "as in `return_path`")]
#[inline(always)]
pub fn insert_return_path(client: &Client, path: u64) {
    let _ = RETURN_PATHS.insert(&client.key, ReturnValue { check: client.check, path }, 0);
}

/// A tunnel address of this gateway, v4-mapped; 0 where there is none.
#[inline(always)]
pub fn tunnel_address(index: u8) -> [u64; 2] {
    match TUNNEL_ADDRESSES.get_ptr(index as u32) {
        // SAFETY: a map value that was looked up; written before anything leads to the index.
        Some(address) => unsafe { *address },
        None => [0; 2],
    }
}

/// A GRE key of this gateway as it lies in memory.
#[inline(always)]
pub fn gre_key(index: u8) -> u32 {
    GRE_KEY_LIST.get_ptr(index as u32).map_or(0, cell) as u32
}

/// The tunnel that answers of a gateway come in, if it may answer for a binding.
#[inline(always)]
pub fn returner(pool_index: u32, gateway: KeyWords) -> Option<u64> {
    let [family, first, second, third, fourth] = gateway;
    RETURNERS.get_ptr([pool_index, family, first, second, third, fourth]).map(cell)
}
