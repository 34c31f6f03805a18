//! What the measuring programs and the bench share: the wrapper's configuration and state, and the floors' map values.

use crate::map::MapValue;

/// Most clock stamps that one run can leave behind.
pub const STAMPS: usize = 1024;

/// Entries of the floors' service map, as in an ordinary forwarder.
pub const SERVICES: u32 = 131_072;

/// Entries of the map of a bare look-up.
pub const ADDRESSES: u32 = 100_000;

/// [`WrapConfig::flows`]: every packet is of the same flow.
pub const FLOWS_ONE: u32 = 0;
/// [`WrapConfig::flows`]: `flow_mask + 1` flows take turns in scattered order.
pub const FLOWS_MANY: u32 = 1;
/// [`WrapConfig::flows`]: every packet begins a new flow.
pub const FLOWS_NEW: u32 = 2;
/// [`WrapConfig::flows`]: the inner source of IPv4 in IPv4 varies, `flow_mask + 1` clients in scattered order, each of them
/// once in as many calls.
pub const FLOWS_CLIENTS: u32 = 3;

/// [`WrapConfig::headers`]: IPv4, bytes 14..34 are put back.
pub const HEADERS_IPV4: u32 = 4;
/// [`WrapConfig::headers`]: IPv6, bytes 14..54.
pub const HEADERS_IPV6: u32 = 6;
/// [`WrapConfig::headers`]: IPv4 in IPv4, bytes 14..54.
pub const HEADERS_IPV4_IN_IPV4: u32 = 44;

/// Read-only data of the wrapper: what it feeds to the program under test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WrapConfig {
    /// Bytes 0..8 of the frame, as they lie in memory.
    pub ethernet_low: u64,
    /// Bytes 8..12.
    pub ethernet_high: u32,
    /// Bytes 12..14.
    pub ethertype: u16,
    /// Bytes 36..38 (IPv4) or 56..58 (IPv6): the destination port.
    pub destination_port: u16,
    /// Bytes 14..54.
    pub ip: [u32; 10],
    /// Length of the frame.
    pub frame_bytes: i32,
    /// How many bytes the program under test grows a frame by; negative when it decapsulates.
    pub growth: i32,
    /// 1: the kernel takes back the growth itself (live frames), but not what was written.
    pub live: u32,
    /// One of `HEADERS_*`: what is put back.
    pub headers: u32,
    /// One of `FLOWS_*`.
    pub flows: u32,
    /// Number of flows minus one; the number is a power of two.
    pub flow_mask: u32,
    /// Number of IPv4 destinations that are touched at random, from the frame's own upwards; 0 or 1: only that one.
    pub destinations: u32,
    /// The clock is read on every `chunk`-th call.
    pub chunk: u32,
}

/// What the wrapper saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct WrapState {
    /// Calls so far.
    pub calls: u64,
    /// Sum of the growth found at the begin of each call, that is, left by the call before it.
    pub grown: i64,
    /// Calls that found a growth that was neither 0 nor the expected one.
    pub odd: u64,
    /// The call that reads the clock next.
    pub next_stamp: u64,
    /// Stamps in use.
    pub stamp_count: u64,
    /// `CLOCK_MONOTONIC` in nanoseconds, one `chunk` of calls apart.
    pub stamps_ns: [u64; STAMPS],
}

impl Default for WrapState {
    fn default() -> Self {
        Self { calls: 0, grown: 0, odd: 0, next_stamp: 0, stamp_count: 0, stamps_ns: [0; STAMPS] }
    }
}

/// Key of the floors' service map: what a listener is found by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Service {
    /// IPv6 address, or IPv4 address and zeros, as it lies in memory.
    pub address: [u32; 4],
    /// Port, as it lies in memory; 0 for protocols without ports.
    pub port: u16,
    /// IP protocol.
    pub protocol: u8,
    /// 4 or 6.
    pub family: u8,
}

/// Value of the floors' service map: the ends of a tunnel and the next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Tunnel {
    /// Outer source, as it lies in memory; IPv4 uses the first two halves.
    pub source: [u16; 8],
    /// Outer destination, likewise.
    pub destination: [u16; 8],
    /// MAC of the next hop.
    pub mac: [u8; 6],
    /// 4 or 6.
    pub family: u16,
}

/// Value of the map of `floor_ipip_min` and `floor_wrap`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Tunnel4 {
    /// Outer source, as it lies in memory.
    pub source: u32,
    /// Outer destination, likewise.
    pub destination: u32,
    /// MAC of the next hop.
    pub mac: [u8; 6],
    /// Reserved, 0.
    pub reserved: [u8; 2],
    /// Where `floor_wrap` sends to.
    pub ifindex: u32,
}

/// Key of the maps of `floor_decap` and `floor_return`: IPv6 address, or IPv4 address and zeros, as it lies in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Address {
    /// In words of four bytes.
    pub words: [u32; 4],
}

/// Indexes of the peer's counters.
pub mod peer {
    /// Frames that arrived.
    pub const TOTAL: u32 = 0;
    /// Of those: frames whose outer header says that IP is inside.
    pub const ENCAPSULATED: u32 = 1;
}

const _: () = {
    assert!(size_of::<WrapConfig>() == 8 + 4 + 2 + 2 + 40 + 8 * 4);
    assert!(size_of::<WrapState>() == 8 * (5 + STAMPS));
    assert!(size_of::<Service>() == 20);
    assert!(size_of::<Tunnel>() == 40);
    assert!(size_of::<Tunnel4>() == 20);
    assert!(size_of::<Address>() == 16);
};

// SAFETY: repr(C), integers and arrays of them only, and the sizes above are the sums of the fields.
unsafe impl MapValue for WrapConfig {}
// SAFETY: as above.
unsafe impl MapValue for WrapState {}
// SAFETY: as above.
unsafe impl MapValue for Service {}
// SAFETY: as above.
unsafe impl MapValue for Tunnel {}
// SAFETY: as above.
unsafe impl MapValue for Tunnel4 {}
// SAFETY: as above.
unsafe impl MapValue for Address {}
