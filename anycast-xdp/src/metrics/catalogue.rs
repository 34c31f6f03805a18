//! One table of all metrics, from which expositions and the reference are made.

use super::descriptor::Descriptor;

macro_rules! families {
    ($($title:literal { $($constant:ident = $kind:ident($name:literal, [$($label:literal),*], $help:literal);)* })*) => {
        $($(
            #[doc = $help]
            pub const $constant: Descriptor = Descriptor::$kind($name, &[$($label),*], $help);
        )*)*

        /// All of them, by what they are about.
        pub const FAMILIES: &[(&str, &[&Descriptor])] = &[$(($title, &[$(&$constant),*])),*];
    };
}

families! {
    "Program and host" {
        BUILD = info("anycast_xdp_build", ["version"], "The program that runs.");
        HOST = info("anycast_xdp_host", ["instance_name", "role", "pop", "host", "abi_version"], "What this host is, and the ABI version of its maps.");
        START_TIME = gauge("anycast_xdp_daemon_start_time_seconds", [], "When the daemon started, since 1970.");
        SCRAPE_DURATION = gauge("anycast_xdp_scrape_duration_seconds", [], "How long it took to read what this exposition tells.");
        DATAPATH_READABLE = gauge("anycast_xdp_datapath_readable", [], "1: the pinned maps could be read; 0: metrics of the datapath are absent.");
    }
    "VIPs" {
        VIPS = gauge("anycast_xdp_vips", [], "VIPs that the maps hold.");
        VIPS_OF_THEIR_OWN = gauge("anycast_xdp_vips_with_series", [], "VIPs that have series of their own: those with labels, and `metrics.top_vips` others.");
        VIP = info("anycast_xdp_vip", ["vip", "address", "pools"], "A VIP with series of its own, its pools in order, and each of its labels as `label_NAME`.");
        VIP_RECEIVED_PACKETS = counter("anycast_xdp_vip_received_packets", ["vip"], "Packets that came in for the VIP: forwarded, answered, passed and dropped ones.");
        VIP_RECEIVED_BYTES = counter("anycast_xdp_vip_received_bytes", ["vip"], "Their bytes, of the IP packet as the client sent it.");
        VIP_PACKETS = counter("anycast_xdp_vip_packets", ["vip", "direction", "outcome"], "What became of packets. `in`: `forwarded`, `answered`, `passed` or `dropped`; `return` (answers on their way back): `returned`, `passed` or `dropped`.");
        VIP_BYTES = counter("anycast_xdp_vip_bytes", ["vip", "direction", "outcome"], "Their bytes.");
        VIP_DROPPED_PACKETS = counter("anycast_xdp_vip_dropped_packets", ["vip", "direction", "reason"], "Dropped packets by reason; there is a series from the first one on.");
        VIP_DROPPED_BYTES = counter("anycast_xdp_vip_dropped_bytes", ["vip", "direction", "reason"], "Their bytes.");
    }
    "Outcomes of the whole host" {
        OUTCOME_PACKETS = counter("anycast_xdp_outcome_packets", ["outcome", "class"], "Packets by outcome, those for no VIP too.");
        OUTCOME_BYTES = counter("anycast_xdp_outcome_bytes", ["outcome", "class"], "Their bytes.");
        PROBE_PACKETS = counter("anycast_xdp_probe_packets", ["outcome"], "Packets of this host's own probes of backends by outcome, and `probe_answered`: answers to them that came in a tunnel, and `probe_ended`: what the kernel said to answers that came too late. They are in none of the other counters.");
    }
    "Pools and backends" {
        BINDING_VIPS = gauge("anycast_xdp_binding_vips", ["pools", "failover", "failback"], "VIPs that are bound to this list of pools, with these rules of going from one to another.");
        BINDING_ACTIVE = gauge("anycast_xdp_binding_active", ["pools", "failover", "failback", "pool"], "1: this pool of the list takes new flows.");
        BINDING_SHARE = gauge("anycast_xdp_binding_share_ratio", ["pools", "failover", "failback", "pool"], "Share of the new flows that this pool of the list takes.");
        BINDING_DEGRADED = gauge("anycast_xdp_binding_degraded", ["pools", "failover", "failback"], "1: not the first pool of the list takes all new flows, or the one that does is not usable; `anycast-xdp status` tells why.");
        BINDING_IN_TRANSITION = gauge("anycast_xdp_binding_in_transition", ["pools", "failover", "failback"], "1: TCP flows that were there before a change may still be on other backends.");
        BACKEND = info("anycast_xdp_backend", ["pool", "backend", "encap", "state", "mtu_source"], "A backend; `mtu_source` is `route`, `configured` or `learnt`, empty without a route.");
        BACKEND_WEIGHT = gauge("anycast_xdp_backend_weight", ["pool", "backend"], "Configured share of the flows.");
        BACKEND_PACKETS = counter("anycast_xdp_backend_packets", ["pool", "backend"], "Packets handed to the driver toward the backend.");
        BACKEND_BYTES = counter("anycast_xdp_backend_bytes", ["pool", "backend"], "Their bytes.");
        BACKEND_ROUTED = gauge("anycast_xdp_backend_routed", ["pool", "backend"], "1: a route leads to the backend.");
        BACKEND_UP = gauge("anycast_xdp_backend_up", ["pool", "backend"], "1: its probes do not fail, or there are none; 0: it is in the down set.");
        BACKEND_MTU = gauge("anycast_xdp_backend_mtu_bytes", ["pool", "backend"], "Longest outer packet toward the backend; 0: no route.");
        BACKEND_NEXT_HOPS = gauge("anycast_xdp_backend_next_hops", ["pool", "backend"], "Resolved next hops that its packets leave by; 0: they are dropped.");
        BACKEND_NEXT_HOP_SHARE = gauge("anycast_xdp_backend_next_hop_share_ratio", ["pool", "backend", "interface", "mac"], "Share of its flows that leave by this next hop.");
    }
    "Health" {
        HEALTH_UP = gauge("anycast_xdp_health_up", ["pool", "backend"], "1: the backend is up by its probes, or was never probed; 0: its flows go to others.");
        HEALTH_PROBES = counter("anycast_xdp_health_probes", ["pool", "backend", "result"], "Probes by what they came to: `success`, `failure`, or `not_sent`, which says nothing of the backend.");
        HEALTH_RTT = gauge("anycast_xdp_health_probe_duration_seconds", ["pool", "backend"], "How long the last successful probe took.");
        HEALTH_TRANSITIONS = counter("anycast_xdp_health_transitions", ["pool", "backend"], "How often the backend went down or came up.");
        HEALTH_PENALTY = gauge("anycast_xdp_health_penalty", ["pool", "backend"], "1000 for each time that the backend went down, halved every `health.damping_half_life`; above 3000 it stays down until 1500 is reached.");
        HEALTH_SUPPRESSED = gauge("anycast_xdp_health_suppressed", ["pool", "backend"], "1: the backend stays down whatever its probes say, because it flaps.");
    }
    "Interfaces and programs" {
        PROGRAM = info("anycast_xdp_program", ["interface", "hook", "program", "asked", "mode", "frags"], "A program that is to run on an interface; `mode` is `native`, `generic` or, at the egress, `attached`; else `detached`.");
        PROGRAM_ATTACHED = gauge("anycast_xdp_program_attached", ["interface", "hook", "program"], "1: it runs there.");
        INTERFACE_LOST = counter("anycast_xdp_interface_lost_frames", ["interface", "tracepoint"], "Frames that were lost after the verdict, by the kernel tracepoint that told of them.");
        INTERFACE_NIC = counter("anycast_xdp_interface_nic_errors", ["interface", "counter"], "The kernel's and the driver's counters that speak of loss; there is a series where one is not 0.");
    }
    "Tables" {
        TABLE_USED = gauge("anycast_xdp_table_used_entries", ["table"], "Entries in use.");
        TABLE_CAPACITY = gauge("anycast_xdp_table_capacity_entries", ["table"], "Entries that there is room for, by `[limits]`.");
    }
    "Reconciler" {
        RECONCILER_REVISION = gauge("anycast_xdp_reconciler_revision", [], "Newest revision of the services; 0: they are those of the host's file, or there are none.");
        RECONCILER_APPLIED = gauge("anycast_xdp_reconciler_applied_revision", [], "Revision that the maps have.");
        RECONCILER_FAILING = gauge("anycast_xdp_reconciler_failing", [], "1: the maps have not taken the newest services, and it is tried again.");
        RECONCILER_FAILURES = counter("anycast_xdp_reconciler_failures", [], "Changes that the maps did not take.");
        RECONCILER_DURATION = histogram("anycast_xdp_reconciler_apply_duration_seconds", [], "How long changes of the maps took, failed ones too.");
        RECONCILER_DRIFT = gauge("anycast_xdp_reconciler_drift_entries", [], "Map entries that were not as they should be at the last look; absent before the first one.");
    }
    "Publishing" {
        PUBLISHING_VIPS = gauge("anycast_xdp_publishing_vips", ["state"], "VIPs that are `published`, `draining` (their routers are being told) or `withdrawn`; this and what follows is absent without `[publish]`.");
        PUBLISHING_PREFIXES = gauge("anycast_xdp_publishing_prefixes", ["state"], "Prefixes likewise.");
        PUBLISHING_PREFIX = gauge("anycast_xdp_publishing_prefix_published", ["prefix"], "1: this host publishes the prefix with this name, in service.");
        PUBLISHING_WITHHELD = gauge("anycast_xdp_publishing_withheld_vips", ["reason"], "VIPs that are withdrawn, by what keeps them from being published.");
        PUBLISHING_DRAINING = gauge("anycast_xdp_publishing_draining", ["scope"], "1: the `host`, or its `pop`, drains.");
        PUBLISHING_INTERFACE_UP = gauge("anycast_xdp_publishing_interface_up", ["interface"], "1: the interface that routes lead to is there and up; 0: nothing is published.");
        PUBLISHING_CHANGES = counter("anycast_xdp_publishing_route_changes", [], "Routes that the daemon added and removed.");
        PUBLISHING_RESTORED = counter("anycast_xdp_publishing_restored_routes", [], "Routes that somebody else took away, and that were added again.");
    }
    "Store" {
        STORE_READABLE = gauge("anycast_xdp_store_readable", [], "1: the store could be read just now; this and what follows is absent where the services are those of the host's file.");
        STORE_REVISIONS = gauge("anycast_xdp_store_revisions", [], "Revisions that are kept.");
        STORE_SIZE = gauge("anycast_xdp_store_size_bytes", [], "What the store occupies.");
        STORE_COMMIT = histogram("anycast_xdp_store_commit_duration_seconds", [], "How long commits took, failed ones too.");
        STORE_FAILURES = counter("anycast_xdp_store_failures", [], "Commits that the store did not take, but for those that came too late for their revision.");
    }
    "API" {
        API = histogram("anycast_xdp_api_request_duration_seconds", ["operation", "status"], "How long answers took, by method and path, and by HTTP status. A change with `wait` waits for the maps.");
    }
}

/// The metric with this name.
pub fn named(name: &str) -> Option<&'static Descriptor> {
    FAMILIES.iter().flat_map(|(_, families)| *families).copied().find(|family| family.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::descriptor::Kind, *};

    #[test]
    fn names_are_unique_and_carry_what_their_kind_adds_only_in_samples() {
        let mut seen = BTreeSet::new();
        for family in FAMILIES.iter().flat_map(|(_, families)| *families) {
            assert!(seen.insert(family.name), "{} twice", family.name);
            assert!(family.name.starts_with("anycast_xdp_"), "{}", family.name);
            for suffix in ["_total", "_info", "_count", "_sum", "_bucket"] {
                assert!(!family.name.ends_with(suffix), "{}", family.name);
            }
            assert!(family.help.ends_with('.') && !family.help.contains(['\\', '\n', '"']), "{}", family.help);
            assert_eq!(named(family.name), Some(*family));
            if family.kind == Kind::Histogram {
                assert!(family.name.ends_with("_seconds"), "{}", family.name);
            }
        }
    }
}
