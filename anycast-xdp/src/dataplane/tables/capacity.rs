//! The maps: their names, and how many entries each has.
//!
//! A limit says what one configuration may hold. Where old and new stand side by side while it changes, the map has room
//! for both; so what a file is checked for always suffices, whatever it changes from. VIPs need no such room, because a
//! VIP has no other form to stand beside: those that go make room for those that come.

use anycast_common::{maglev::TABLE_SIZES, outcome::Outcome};

use crate::desired::{GRE_KEYS_MAX, Limits, SOURCES_MAX, TUNNEL_ADDRESSES_MAX};

/// Most pairs of interface and kind of loss.
const LOSSES_MAX: u32 = 1024;

/// Names of the maps that are pinned.
pub const MAPS: [&str; 24] = [
    "VIP4",
    "VIP6",
    "VIPS",
    "POOLS",
    "SLOTS",
    "BACKENDS",
    "GROUPS",
    "NEXT_HOPS",
    "LINKS",
    "DEVICES",
    "DEVICES_FRAGS",
    "LISTENER_SETS",
    "PORT_TABLES",
    "PORT_PAGES",
    "TUNNELS",
    "SOURCES",
    "GRE_KEYS",
    "GATEWAY",
    "VIP_COUNTERS",
    "VIP_DROPS",
    "BACKEND_COUNTERS",
    "OUTCOMES",
    "DRIVER_LOSSES",
    "PROGRAM_IDS",
];

/// Entries of every map whose number is not the same for all instances.
pub fn capacities(limits: &Limits) -> Vec<(&'static str, u32)> {
    // Index 0 is reserved.
    let with_zero = |count: u32| count.saturating_add(1);
    let twice = |count: u32| count.saturating_mul(2).saturating_add(1);
    let slots = first_spare_slot(limits) + spare_slots(limits);
    let pairs = slots / 2;
    vec![
        ("VIP4", limits.vips),
        ("VIP6", limits.vips),
        ("VIPS", with_zero(limits.vips)),
        ("POOLS", twice(limits.pools)),
        ("SLOTS", pairs),
        ("BACKENDS", twice(limits.backends)),
        ("GROUPS", twice(limits.groups)),
        ("NEXT_HOPS", twice(limits.next_hops)),
        ("LINKS", twice(limits.links)),
        ("DEVICES", twice(limits.links)),
        ("DEVICES_FRAGS", twice(limits.links)),
        ("LISTENER_SETS", twice(limits.listener_sets)),
        ("PORT_TABLES", twice(limits.port_tables())),
        ("PORT_PAGES", twice(limits.port_pages())),
        ("TUNNELS", 2 * TUNNEL_ADDRESSES_MAX),
        ("SOURCES", 2 * SOURCES_MAX),
        ("GRE_KEYS", 2 * GRE_KEYS_MAX),
        ("GATEWAY", with_zero(1)),
        ("VIP_COUNTERS", with_zero(limits.vips)),
        ("VIP_DROPS", limits.vip_drops),
        ("BACKEND_COUNTERS", twice(limits.backends)),
        ("OUTCOMES", Outcome::COUNT as u32),
        ("DRIVER_LOSSES", LOSSES_MAX),
    ]
}

/// The slot behind the last that tables lie at: twice the limit, and the reserved pair. The spare ones begin here.
pub fn first_spare_slot(limits: &Limits) -> u32 {
    // Even, because slots are stored in pairs.
    limits.slots.next_multiple_of(2).saturating_mul(2).saturating_add(2)
}

/// Slots beyond that, for one table of any size, through which tables move to close gaps.
fn spare_slots(limits: &Limits) -> u32 {
    let [.., largest] = TABLE_SIZES;
    largest.min(limits.slots).next_multiple_of(2)
}
