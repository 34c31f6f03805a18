//! What an explanation tells of the stages.

use super::MapValue;

/// `EXPLAIN`: what each stage gave for the last packet that an explaining program ran on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Explanation {
    /// Hash of the flow.
    pub flow_hash: u64,
    /// The VIP's pool cell: [`super::PoolRef`].
    pub pool: u64,
    /// The VIP's policy cell: [`super::VipPolicy`].
    pub policy: u64,
    /// The pool's cell: [`super::PoolDescriptor`].
    pub table: u64,
    /// The backend's cell: [`super::BackendRoute`].
    pub route: u64,
    /// The neighbour's cell: [`super::NextHop`].
    pub next_hop: u64,
    /// The client's address, v4-mapped.
    pub source: [u8; 16],
    /// Ports that were hashed, source first.
    pub hashed_ports: [u8; 4],
    /// Ports that the listeners saw, source first; of a quoted packet, turned round.
    pub ports: [u8; 4],
    /// Which stages gave something: `STAGE_*` bits. Fields of the others mean nothing.
    pub stages: u32,
    /// Index into `VIPS`.
    pub vip_index: u32,
    /// Slot in `SLOTS`, from the beginning of them all.
    pub slot: u32,
    /// Index into `BACKENDS`.
    pub backend_index: u32,
    /// Index into `NEXT_HOPS`.
    pub member: u32,
    /// Protocol that was hashed; 0: none.
    pub hashed_protocol: u8,
    /// Protocol that the listeners saw.
    pub protocol: u8,
    /// 1: `ports` are ports. 0: a fragment, or a protocol without.
    pub has_ports: u8,
    /// Reserved, 0.
    pub reserved: u8,
}
map_value!(Explanation, size 96, align 8, fields [
    u64, u64, u64, u64, u64, u64, [u8; 16], [u8; 4], [u8; 4], u32, u32, u32, u32, u32, u8, u8, u8, u8
]);

/// `vip_index` is set.
pub const STAGE_VIP: u32 = 1;
/// `pool` and `policy` are set.
pub const STAGE_CELLS: u32 = 1 << 1;
/// `protocol`, `ports` and `has_ports` are set.
pub const STAGE_L4: u32 = 1 << 2;
/// `source`, `hashed_ports`, `hashed_protocol` and `flow_hash` are set.
pub const STAGE_FLOW: u32 = 1 << 3;
/// `table` and `slot` are set.
pub const STAGE_SLOT: u32 = 1 << 4;
/// `backend_index` is set.
pub const STAGE_BACKEND: u32 = 1 << 5;
/// `route` is set.
pub const STAGE_ROUTE: u32 = 1 << 6;
/// `member` and `next_hop` are set.
pub const STAGE_NEXT_HOP: u32 = 1 << 7;

impl Explanation {
    /// Did this stage give something?
    pub const fn has(&self, stage: u32) -> bool {
        self.stages & stage != 0
    }
}
