//! Every map, and typed access to them; that to [`counters`] and to what answers need ([`icmp`]) has files of its own.
//! Capacities given here are placeholders: the loader sets them from its limits.
//!
//! Values are read in two ways: *cells* by one volatile 8-byte load, because userspace stores to them while packets
//! flow; everything else by plain loads, because it was written before any cell led to it.

mod counters;
pub mod hints;
mod icmp;
pub mod returns;

use anycast_common::{
    flow::FlowKey,
    listen::page_slot,
    map::{
        BackendEntry, Counter, DriverLossKey, Explanation, GroupEntry, HostEntry, LinkEntry, ListenerSet, PortPage,
        PortTable, SlotPair, TransitionKey, TunnelPolicy, VIP_COUNTERS_LEN, VipDropKey, VipEntry,
    },
    outcome::Outcome,
};
use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    macros::map,
    maps::{Array, DevMap, HashMap, LpmTrie, LruHashMap, PerCpuArray, PerCpuHashMap},
};

pub use self::{
    counters::{count_backend, count_outcome, count_probe, count_returned, count_vip, count_vip_drop},
    icmp::{health_source, icmp_admits, icmp_rates, icmp_scratch, icmp_source},
};
use crate::{
    packet::{Frames, opaque},
    sum::Scratch,
};

/// Keys of the flow hash: read-only data, frozen before the program is loaded. In a map of its own, from where a second copy
/// of the program takes them.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.key")]
static FLOW_KEY: FlowKey = FlowKey { words: [0; anycast_common::flow::KEY_WORDS] };

/// A [`TunnelKey`] as it lies in memory. Keys go to the kernel through the stack, and it reads them in words: bytes that were
/// stored one by one, as a key of bytes is, it would have to wait for.
///
/// [`TunnelKey`]: anycast_common::map::TunnelKey
pub type KeyWords = [u32; 5];

#[map]
pub static VIP4: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);
#[map]
pub static VIP6: HashMap<[u32; 4], u32> = HashMap::with_max_entries(1, 0);
#[map]
static VIPS: Array<VipEntry> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static POOLS: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static OLD_POOLS: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static TRANSITIONS: LruHashMap<TransitionKey, u32> = LruHashMap::with_max_entries(1, 0);
#[map]
static SLOTS: Array<SlotPair> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static BACKENDS: Array<BackendEntry> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static GROUPS: Array<GroupEntry> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static NEXT_HOPS: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static LINKS: Array<LinkEntry> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static DEVICES: DevMap = DevMap::with_max_entries(1, 0);

/// The same: programs whose frames may have fragments and others cannot have one device map (`bpf_prog_map_compatible`).
#[map]
static DEVICES_FRAGS: DevMap = DevMap::with_max_entries(1, 0);

#[map]
static LISTENER_SETS: Array<ListenerSet> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static PORT_TABLES: Array<PortTable> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static PORT_PAGES: Array<PortPage> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The value is the index into [`returns::TUNNEL_ADDRESSES`].
#[map]
pub static TUNNELS: HashMap<KeyWords, u32> = HashMap::with_max_entries(1, 0);
/// The value is the index of the PoP host in `BACKENDS`, where a VIP's answers go through PoPs, else 0.
#[map]
pub static SOURCES: LpmTrie<KeyWords, u32> = LpmTrie::with_max_entries(1, 0);

/// The value is the index into [`returns::GRE_KEY_LIST`].
#[map]
pub static GRE_KEYS: HashMap<[u8; 4], u32> = HashMap::with_max_entries(1, 0);
#[map]
static GATEWAY: Array<u64> = Array::with_max_entries(2, BPF_F_MMAPABLE);

#[map]
static HOST: Array<HostEntry> = Array::with_max_entries(1, BPF_F_MMAPABLE);
/// The state of each rate limiter, which all CPUs share. Kept like a counter: nothing but the program writes to it.
#[map]
static ICMP_LIMITS: Array<u64> = Array::with_max_entries(3, 0);
/// Where a quote is summed.
#[map]
static ICMP_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[map]
static VIP_COUNTERS: PerCpuArray<[Counter; VIP_COUNTERS_LEN]> = PerCpuArray::with_max_entries(1, 0);
#[map]
static VIP_DROPS: PerCpuHashMap<VipDropKey, Counter> = PerCpuHashMap::with_max_entries(1, BPF_F_NO_PREALLOC);
#[map]
static BACKEND_COUNTERS: PerCpuArray<Counter> = PerCpuArray::with_max_entries(1, 0);
#[map]
static OUTCOMES: PerCpuArray<Counter> = PerCpuArray::with_max_entries(Outcome::COUNT as u32, 0);
/// Probes and the answers to them, by outcome.
#[map]
static PROBES: PerCpuArray<Counter> = PerCpuArray::with_max_entries(Outcome::COUNT as u32, 0);

/// Frames lost after the verdict; userspace makes the keys of its interfaces, others are not counted.
#[map]
pub static DRIVER_LOSSES: PerCpuHashMap<DriverLossKey, u64> = PerCpuHashMap::with_max_entries(1, 0);
/// Ids of our own programs, so that the tracepoints of others are not counted.
#[map]
pub static PROGRAM_IDS: HashMap<u32, u32> = HashMap::with_max_entries(16, 0);

/// What the explaining programs tell.
#[map]
static EXPLAIN: Array<Explanation> = Array::with_max_entries(1, 0);

/// The flow key.
#[inline(always)]
pub fn flow_key() -> &'static FlowKey {
    // SAFETY: the address of a valid static, through `opaque` because the loader rewrites it before the program is loaded.
    unsafe { &*(opaque(&raw const FLOW_KEY as usize) as *const FlowKey) }
}

/// One volatile load of a cell.
#[inline(always)]
fn cell(pointer: *const u64) -> u64 {
    // SAFETY: callers pass a pointer to an aligned u64 within a map value that was looked up; array values live as
    // long as the program.
    unsafe { core::ptr::read_volatile(pointer) }
}

/// A byte field of a map value as words, as they lie in memory: one load each instead of one a byte.
#[inline(always)]
pub fn words<const BYTES: usize, const WORDS: usize>(field: &[u8; BYTES]) -> [u32; WORDS] {
    const { assert!(WORDS * 4 <= BYTES) };
    // SAFETY: within the field by the assertion; every byte field of a map value lies at a multiple of four in an
    // entry that is aligned to four at least.
    unsafe { *field.as_ptr().cast::<[u32; WORDS]>() }
}

/// The same in half words.
#[inline(always)]
pub fn half_words<const BYTES: usize, const HALVES: usize>(field: &[u8; BYTES]) -> [u16; HALVES] {
    const { assert!(HALVES * 2 <= BYTES) };
    // SAFETY: as for words.
    unsafe { *field.as_ptr().cast::<[u16; HALVES]>() }
}

/// The address of a VIP's entry as two words of eight bytes, as they lie in memory.
#[inline(always)]
pub fn vip_address(entry: &VipEntry) -> [u64; 2] {
    // SAFETY: the address is the first field of an entry, which is aligned to eight.
    unsafe { *(&raw const *entry).cast::<[u64; 2]>() }
}

/// A VIP's entry.
#[inline(always)]
pub fn vip(index: u32) -> Option<&'static VipEntry> {
    VIPS.get(index)
}

/// The cells of a VIP: pool, policy.
#[inline(always)]
pub fn vip_cells(entry: &VipEntry) -> (u64, u64) {
    (cell(&raw const entry.pool), cell(&raw const entry.policy))
}

/// A pool's descriptor cell.
#[inline(always)]
pub fn pool(index: u32) -> Option<u64> {
    POOLS.get_ptr(index).map(cell)
}

/// The descriptor cell of the table that a pool's flows came from.
#[inline(always)]
pub fn old_pool(index: u32) -> Option<u64> {
    OLD_POOLS.get_ptr(index).map(cell)
}

/// Remembers the backend that a flow begins on. That it is not remembered is as if it were forgotten later.
#[inline(always)]
pub fn begin_transition(key: TransitionKey, backend_index: u32) {
    let _ = TRANSITIONS.insert(key, backend_index, 0);
}

/// The backend that a flow began on, if it is remembered and the backend is still there.
#[inline(always)]
pub fn transition(key: TransitionKey) -> Option<u32> {
    // SAFETY: the value is copied at once; one of another flow, while elements are recycled, is a backend all the same.
    let index = unsafe { TRANSITIONS.get(key).copied() }?;
    backend(index).filter(|entry| entry.family != 0).map(|_| index)
}

/// The pair of Maglev slots that holds `slot`.
#[inline(always)]
pub fn slot_pair(slot: u32) -> Option<SlotPair> {
    SLOTS.get_ptr(slot >> 1).map(cell)
}

/// A backend's entry.
#[inline(always)]
pub fn backend(index: u32) -> Option<&'static BackendEntry> {
    BACKENDS.get(index)
}

/// A backend's route cell.
#[inline(always)]
pub fn backend_route(entry: &BackendEntry) -> u64 {
    cell(&raw const entry.route)
}

/// The next-hop index that a flow hash picks in a group.
#[inline(always)]
pub fn group_member(index: u32, flow_hash: u64) -> Option<u16> {
    let entry = GROUPS.get(index)?;
    let position = GroupEntry::position(cell(&raw const entry.picks), flow_hash);
    // SAFETY: a nibble is below 16, the length of `members`; volatile because free positions are written live.
    Some(unsafe { core::ptr::read_volatile(entry.members.as_ptr().add(position)) })
}

/// A next hop's cell.
#[inline(always)]
pub fn next_hop(index: u16) -> Option<u64> {
    NEXT_HOPS.get_ptr(index as u32).map(cell)
}

/// An egress link.
#[inline(always)]
pub fn link(index: u16) -> Option<&'static LinkEntry> {
    LINKS.get(index as u32)
}

/// Sends the frame out of a link: true, if the device map has it.
#[inline(always)]
pub fn redirect<F: Frames>(link_index: u16) -> bool {
    let devices = if F::FRAGMENTED { &DEVICES_FRAGS } else { &DEVICES };
    devices.redirect(link_index as u32, 0).is_ok()
}

/// A listener set.
#[inline(always)]
pub fn listener_set(index: u32) -> Option<&'static ListenerSet> {
    LISTENER_SETS.get(index)
}

/// The page of `port` in a port table.
#[inline(always)]
pub fn port_page(table: u32, port: u16) -> Option<&'static PortPage> {
    let table = PORT_TABLES.get(table)?;
    PORT_PAGES.get(table.pages[page_slot(port)] as u32)
}

/// The cell of a [`TunnelPolicy`], which is read once a packet and unpacked where a part of it is asked for: parts that are
/// unpacked before are kept on the stack until then.
#[derive(Clone, Copy)]
pub struct Tunnels {
    cell: u64,
}

impl Tunnels {
    /// Unpacks it.
    #[inline(always)]
    pub fn policy(self) -> TunnelPolicy {
        TunnelPolicy::from_cell(self.cell)
    }
}

/// Which tunnels this host takes.
#[inline(always)]
pub fn tunnels() -> Tunnels {
    Tunnels { cell: GATEWAY.get_ptr(1).map_or(0, cell) }
}

/// Where the explaining programs write.
#[inline(always)]
pub fn explanation() -> Option<&'static mut Explanation> {
    // SAFETY: no other program has this map, and userspace runs the explaining ones one after the other.
    EXPLAIN.get_ptr_mut(0).map(|explanation| unsafe { &mut *explanation })
}
