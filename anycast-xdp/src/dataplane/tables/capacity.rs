//! The maps: their names, and how many entries each has.
//!
//! A limit says what one configuration may hold. Where old and new stand side by side while it changes, the map has room
//! for both; so what a file is checked for always suffices, whatever it changes from. VIPs need no such room, because a
//! VIP has no other form to stand beside: those that go make room for those that come.

use anycast_common::{maglev::TABLE_SIZES, outcome::Outcome};

use crate::desired::{GRE_KEYS_MAX, Limits, SOURCES_MAX, TUNNEL_ADDRESSES_MAX};

/// Most pairs of interface and kind of loss.
const LOSSES_MAX: u32 = 1024;

/// Whose a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Userspace writes it and packets only read it: pinned, and an explanation reads the live one.
    Table,
    /// Packets change it, to count or to remember: pinned, and an explanation has an empty one of its own, so that it moves
    /// nothing.
    Counter,
    /// Of one loaded copy of the object: not pinned.
    Own,
}

/// Every map of the object.
pub const MAPS: [(&str, Kind); 42] = [
    ("VIP4", Kind::Table),
    ("VIP6", Kind::Table),
    ("VIP_HINTS", Kind::Table),
    ("VIPS", Kind::Table),
    ("POOLS", Kind::Table),
    ("OLD_POOLS", Kind::Table),
    ("TRANSITIONS", Kind::Counter),
    ("SLOTS", Kind::Table),
    ("BACKENDS", Kind::Table),
    ("GROUPS", Kind::Table),
    ("NEXT_HOPS", Kind::Table),
    ("LINKS", Kind::Table),
    ("DEVICES", Kind::Table),
    ("DEVICES_FRAGS", Kind::Table),
    ("LISTENER_SETS", Kind::Table),
    ("PORT_TABLES", Kind::Table),
    ("PORT_PAGES", Kind::Table),
    ("TUNNELS", Kind::Table),
    ("TUNNEL_HINTS", Kind::Table),
    ("SOURCES", Kind::Table),
    ("GRE_KEYS", Kind::Table),
    ("GATEWAY", Kind::Table),
    ("HOST", Kind::Table),
    ("TUNNEL_ADDRESSES", Kind::Table),
    ("GRE_KEY_LIST", Kind::Table),
    ("RETURNERS", Kind::Table),
    ("PUBLIC_LINKS", Kind::Table),
    ("LINK_HINTS", Kind::Table),
    ("RETURN_PATHS", Kind::Counter),
    ("RETURN_COUNTERS", Kind::Counter),
    ("RETURN_SCRATCH", Kind::Own),
    ("ICMP_LIMITS", Kind::Counter),
    ("ICMP_SCRATCH", Kind::Own),
    ("VIP_COUNTERS", Kind::Counter),
    ("VIP_DROPS", Kind::Counter),
    ("BACKEND_COUNTERS", Kind::Counter),
    ("OUTCOMES", Kind::Counter),
    ("PROBES", Kind::Counter),
    ("DRIVER_LOSSES", Kind::Counter),
    ("PROGRAM_IDS", Kind::Table),
    ("EXPLAIN", Kind::Own),
    (FLOW_KEY_MAP, Kind::Own),
];

/// The map that holds the flow key, and nothing else.
pub const FLOW_KEY_MAP: &str = ".rodata.key";

/// Names of the maps of these kinds.
pub fn maps(kinds: &[Kind]) -> impl Iterator<Item = &'static str> {
    MAPS.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(name, _)| *name)
}

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
        ("OLD_POOLS", twice(limits.pools)),
        ("TRANSITIONS", limits.transitions),
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
        ("RETURNERS", limits.backends.saturating_mul(4)),
        ("PUBLIC_LINKS", twice(limits.links)),
        ("RETURN_PATHS", limits.return_clients),
        ("RETURN_COUNTERS", with_zero(limits.vips)),
        ("VIP_COUNTERS", with_zero(limits.vips)),
        ("VIP_DROPS", limits.vip_drops),
        ("BACKEND_COUNTERS", twice(limits.backends)),
        ("OUTCOMES", Outcome::COUNT as u32),
        ("PROBES", Outcome::COUNT as u32),
        ("DRIVER_LOSSES", LOSSES_MAX),
    ]
}

/// The slot behind the last that tables lie at: four times the limit, and the reserved pair. The spare ones begin here.
///
/// Old and new, and beside each the tables that its flows came from.
pub fn first_spare_slot(limits: &Limits) -> u32 {
    // Even, because slots are stored in pairs.
    limits.slots.next_multiple_of(2).saturating_mul(4).saturating_add(2)
}

/// Slots beyond that, for one table of any size, through which tables move to close gaps.
fn spare_slots(limits: &Limits) -> u32 {
    let [.., largest] = TABLE_SIZES;
    largest.min(limits.slots).next_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aya_obj::Object;

    use super::*;

    #[test]
    fn every_map_of_the_object_has_a_kind_and_no_other_has() {
        let object = Object::parse(crate::objects::DATAPATH).expect("the object");
        let names: BTreeSet<_> = object.maps.keys().map(String::as_str).collect();
        assert_eq!(names, MAPS.iter().map(|(name, _)| *name).collect());
    }
}
