//! What the stages gave, for `anycast-xdp explain`: its programs are those of the fast path with another observer.

use anycast_common::{
    flow::Transport,
    map::{
        Explanation, STAGE_BACKEND, STAGE_CELLS, STAGE_FLOW, STAGE_L4, STAGE_NEXT_HOP, STAGE_ROUTE, STAGE_SLOT,
        STAGE_VIP,
    },
};

use crate::{
    maps,
    stage::{flow::L4, ip::Ip},
};

/// Is told what the stages give, as they give it. What it does not want to know costs nothing.
pub trait Observer {
    /// The VIP was found.
    #[inline(always)]
    fn vip(_index: u32) {}
    /// Its cells were read.
    #[inline(always)]
    fn cells(_pool: u64, _policy: u64) {}
    /// The listeners are asked about this.
    #[inline(always)]
    fn l4(_l4: L4) {}
    /// The flow was hashed.
    #[inline(always)]
    fn flow<I: Ip>(_source: I::Address, _transport: Transport, _hash: u64) {}
    /// The pool's cell was read, and its slot is this.
    #[inline(always)]
    fn slot(_table: u64, _slot: u32) {}
    /// The slot named this backend.
    #[inline(always)]
    fn backend(_index: u32) {}
    /// The backend's route cell was read.
    #[inline(always)]
    fn route(_cell: u64) {}
    /// The next hop's cell was read.
    #[inline(always)]
    fn next_hop(_member: u16, _cell: u64) {}
    /// The kernel's routes gave this neighbour on this link.
    #[inline(always)]
    fn neighbour(_link_index: u16, _mac: [u8; 6]) {}
}

/// The observer of the fast path.
pub struct Nobody;

impl Observer for Nobody {}

/// Writes it all down in `EXPLAIN`.
pub struct Explainer;

impl Observer for Explainer {
    #[inline(always)]
    fn vip(index: u32) {
        note(STAGE_VIP, |explanation| explanation.vip_index = index);
    }

    #[inline(always)]
    fn cells(pool: u64, policy: u64) {
        note(STAGE_CELLS, |explanation| {
            explanation.pool = pool;
            explanation.policy = policy;
        });
    }

    #[inline(always)]
    fn l4(l4: L4) {
        note(STAGE_L4, |explanation| {
            explanation.protocol = l4.protocol;
            explanation.ports = l4.ports.to_ne_bytes();
            explanation.has_ports = l4.has_ports as u8;
        });
    }

    #[inline(always)]
    fn flow<I: Ip>(source: I::Address, transport: Transport, hash: u64) {
        note(STAGE_FLOW, |explanation| {
            let [_, _, _, _, address @ ..] = I::with_family(source);
            explanation.source = address;
            explanation.hashed_ports = transport.ports;
            explanation.hashed_protocol = transport.protocol;
            explanation.flow_hash = hash;
        });
    }

    #[inline(always)]
    fn slot(table: u64, slot: u32) {
        note(STAGE_SLOT, |explanation| {
            explanation.table = table;
            explanation.slot = slot;
        });
    }

    #[inline(always)]
    fn backend(index: u32) {
        note(STAGE_BACKEND, |explanation| explanation.backend_index = index);
    }

    #[inline(always)]
    fn route(cell: u64) {
        note(STAGE_ROUTE, |explanation| explanation.route = cell);
    }

    #[inline(always)]
    fn next_hop(member: u16, cell: u64) {
        note(STAGE_NEXT_HOP, |explanation| {
            explanation.member = member as u32;
            explanation.next_hop = cell;
        });
    }

    #[inline(always)]
    fn neighbour(link_index: u16, mac: [u8; 6]) {
        let [low, high] = link_index.to_le_bytes();
        let cell = [mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], low, high];
        Self::next_hop(0, u64::from_le_bytes(cell));
    }
}

#[inline(always)]
fn note(stage: u32, write: impl FnOnce(&mut Explanation)) {
    if let Some(explanation) = maps::explanation() {
        write(explanation);
        explanation.stages |= stage;
    }
}
