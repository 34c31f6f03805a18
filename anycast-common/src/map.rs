//! Map value layouts. The chain, each arrow one small read:
//!
//! `address -> vip index -> VipEntry -> pool cell -> PoolDescriptor -> Maglev slot -> backend index -> BackendEntry
//! -> route cell -> GroupEntry -> picks cell -> next-hop cell -> LinkEntry`
//!
//! Index 0 is reserved in every table, so zeroed memory selects nothing.

/// Types that may live in a BPF map.
///
/// # Safety
///
/// Implementors are `repr(C)` or plain integers, have no padding, and are valid for every bit pattern.
pub unsafe trait MapValue: Copy + 'static {}

macro_rules! map_value {
    ($type:ty, size $size:literal, align $align:literal, fields [$($field:ty),+ $(,)?]) => {
        const _: () = {
            assert!(size_of::<$type>() == $size, "layout changed: bump ABI_VERSION");
            assert!(align_of::<$type>() == $align);
            // The sum of the fields is the size: no padding.
            assert!(0 $(+ size_of::<$field>())+ == $size);
        };
        // SAFETY: repr(C), integers and arrays of them only, and the assertions above exclude padding.
        unsafe impl MapValue for $type {}
    };
}

// SAFETY: plain integers and byte arrays.
unsafe impl MapValue for u32 {}
// SAFETY: as above.
unsafe impl MapValue for u64 {}
// SAFETY: as above.
unsafe impl<const N: usize> MapValue for [u8; N] {}

// SAFETY: repr(C) and an array of integers only; it is a global of the program, not a map value, under the same rules.
unsafe impl MapValue for crate::flow::FlowKey {}

mod counter;
mod explanation;
mod hint;
mod host;
mod listeners;
mod pool;
mod returns;
mod tunnel;
mod vip;
mod way;

pub use counter::{
    Counter, DROP_OF_RETURN, DriverLossKey, LOSS_BULK_TX, LOSS_DEVMAP_XMIT, LOSS_EXCEPTION, LOSS_REDIRECT,
    VIP_COUNTERS_LEN, VipDropKey,
};
pub use explanation::{
    Explanation, STAGE_BACKEND, STAGE_CELLS, STAGE_FLOW, STAGE_L4, STAGE_NEXT_HOP, STAGE_ROUTE, STAGE_SLOT, STAGE_VIP,
};
pub use hint::{HINT_PLACES, HINT_V4, HINT_V6, HINT_WORD, Hint, Hinted, VIP_HINT_PLACES, hint_word_v6};
pub use host::{HostEntry, IcmpRates, LIMIT_ECHO, LIMIT_ERRORS, OWN_ADDRESS_WORDS, OwnAddresses};
pub use listeners::{ListenerSet, PORTS_PER_PAGE, PortPage, PortTable};
pub use pool::{
    BackendEntry, BackendRoute, ENCAP_GRE, ENCAP_GRE_KEYED, ENCAP_GUE, ENCAP_IPIP, IN_TRANSITION, OUTER_MAX_BYTES,
    PoolDescriptor, SlotPair, TransitionKey, WHOLE_TABLE, backend_of, is_in_transition, slot_of,
};
pub use returns::{
    RETURN_IDLE, RETURN_PATHS_VERSION, RETURN_REFRESH, RETURN_SEEN_SHIFT, ReturnKey, ReturnPath, ReturnTunnel,
    ReturnValue, ReturnerKey, return_check,
};
pub use tunnel::{SOURCE_FAMILY_BITS, TunnelKey, TunnelPolicy, tunnel_key};
pub use vip::{
    ECHO_ANSWER, ECHO_DROP, ECHO_FORWARD, HASH_ADDRESSES, HASH_FLOW, HASH_SOURCE, PoolRef, RETURN_DIRECT, RETURN_POP,
    RETURN_POP_OR_DROP, VipEntry, VipPolicy, v4_mapped,
};
pub use way::{GROUP_PICKS, GroupEntry, LinkEntry, NextHop};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_reads_back() {
        let descriptor = PoolDescriptor { offset: 0x0102_0304, size: 131_071, flags: WHOLE_TABLE };
        assert_eq!(PoolDescriptor::from_cell(descriptor.to_cell()), descriptor);
        let next_hop = NextHop { mac: [1, 2, 3, 4, 5, 6], link_index: 0xfffe };
        assert_eq!(NextHop::from_cell(next_hop.to_cell()), next_hop);
        let route = BackendRoute { group_index: u32::MAX, mtu_bytes: 9216 };
        assert_eq!(BackendRoute::from_cell(route.to_cell()), route);
        let policy = VipPolicy { listener_set: 77, hash_mode: HASH_FLOW, echo: ECHO_DROP, returns: RETURN_POP };
        assert_eq!(VipPolicy::from_cell(policy.to_cell()), policy);
        let tunnel = TunnelPolicy {
            gue_port: 6080,
            is_gre_keyed: true,
            varying_bits_v4: 8,
            varying_bits_v6: 16,
            tick_8ns: 1_250_000,
        };
        assert_eq!(TunnelPolicy::from_cell(tunnel.to_cell()), tunnel);
        // A machine with 250 ticks a second, one second after its start.
        let at_250 = TunnelPolicy { tick_8ns: 500_000, ..tunnel };
        assert_eq!(at_250.now_ns((1 << 32) - 300 * 250 + 250), 1_000_000_000);
        let rates = IcmpRates { echo_pps: 1, errors_pps: u32::MAX };
        assert_eq!(IcmpRates::from_cell(rates.to_cell()), rates);
        let pool = PoolRef { pool_index: 9 };
        assert_eq!(PoolRef::from_cell(pool.to_cell()), pool);
    }

    #[test]
    fn slot_covers_the_table_and_never_leaves_it() {
        let pool = PoolDescriptor { offset: 10, size: 251, flags: WHOLE_TABLE };
        assert_eq!(pool.slot(0), 10);
        assert_eq!(pool.slot(u64::MAX), 10 + 250);
    }

    #[test]
    fn mark_of_a_slot_and_flag_of_its_table_are_one_test_and_no_part_of_the_index() {
        let plain = PoolDescriptor { offset: 2, size: 251, flags: 0 };
        let whole = PoolDescriptor { flags: WHOLE_TABLE, ..plain };
        let pair = 7 | u64::from(9 | IN_TRANSITION) << 32;
        assert_eq!((slot_of(pair, 2), slot_of(pair, 3)), (7, 9 | IN_TRANSITION));
        assert_eq!((backend_of(pair, 2), backend_of(pair, 3)), (7, 9));
        assert!(!is_in_transition(slot_of(pair, 2), plain) && is_in_transition(slot_of(pair, 3), plain));
        assert!(is_in_transition(slot_of(pair, 2), whole) && is_in_transition(slot_of(pair, 3), whole));
    }

    #[test]
    fn zeroed_group_picks_position_zero() {
        for low in 0..16 {
            assert_eq!(GroupEntry::position(0, low), 0);
        }
        assert_eq!(GroupEntry::position(0x0000_0000_0000_0321, 2), 3);
    }
}
