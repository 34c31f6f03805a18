//! The files of hosts and gateways, and the services of all hosts.

use std::{fmt::Write as _, path::Path};

use ipnet::IpNet;

use super::{
    super::topology::{FAMILIES, Family},
    DRAIN_SIGNAL, GAME_PORT, NUMBER_PORT, VIPS,
    addresses::Net,
    plan::{POPS, PREFIXES, REGIONS},
};

/// Failures follow each other faster here than anywhere else: with the default, backends would be held down for flapping.
const DAMPING_HALF_LIFE: &str = "2s";

/// Longer than a failure is watched. With the default, what began in one would be remembered in the next ones, by the PoP that it had
/// come in by alone.
const TRANSITION_SECS: u32 = 10;

/// A host of a PoP: its services are in a store.
pub(super) fn host(instance: &str, pop: u8, host: u8, store: &Path) -> String {
    let name = POPS[usize::from(pop)].name;
    let [v4, v6] = FAMILIES.map(|family| Net::HostBackbone { pop, host }.address(family, 2));
    let (store, drain_signal_secs) = (store.display(), DRAIN_SIGNAL.as_secs());
    format!(
        "role = \"pop\"
instance = \"{instance}\"

[host]
pop = \"{name}\"
name = \"{name}-{host}\"

[hash]
seed = \"000102030405060708090a0b0c0d0e0f\"

[tunnel]
source_ipv4 = \"{v4}\"
source_ipv6 = \"{v6}\"

[store]
path = \"{store}\"

[health]
source_ipv4 = \"{v4}\"
source_ipv6 = \"{v6}\"
damping_half_life = \"{DAMPING_HALF_LIFE}\"

[transition]
secs = {TRANSITION_SECS}

[publish]
hold_down = \"1s\"
drain_signal = \"{drain_signal_secs}s\"

[[interface]]
name = \"in0\"
roles = [\"access\"]
attach = \"native\"

[[interface]]
name = \"bb0\"
roles = [\"backbone\"]
attach = \"native\"
"
    )
}

/// Prefixes, pools and VIPs: the first region serves, the second one takes its place.
pub(super) fn services() -> String {
    let mut text = String::new();
    for (prefix, name) in PREFIXES.iter().zip(["anycast-v4", "anycast-v6"]) {
        let _ = write!(text, "[[prefix]]\nname = \"{name}\"\nprefix = \"{prefix}\"\n\n");
    }
    for (region, number) in REGIONS.iter().zip(0..) {
        let _ = write!(
            text,
            "[[pool]]
name = \"{0}\"
home_region = \"{0}\"

[pool.health]
type = \"http\"
interval = \"300ms\"
timeout = \"300ms\"

",
            region.name
        );
        for gateway in 0..region.gateways {
            let address = Net::Gateway { region: number, gateway }.address(Family::V4, 2);
            let _ = write!(text, "[[pool.backend]]\naddress = \"{address}\"\n\n");
        }
    }
    for (name, address) in VIPS {
        let _ = write!(
            text,
            "[[vip]]
name = \"{name}\"
address = \"{address}\"
listeners = [\"tcp/80\", \"tcp/{GAME_PORT}\", \"udp/{GAME_PORT}\", \"udp/{NUMBER_PORT}\", \"udp/53\", \"icmp\"]
pool = \"{}\"
fallback_pools = [\"{}\"]
failback = \"1s\"
return = \"pop\"

",
            REGIONS[0].name, REGIONS[1].name
        );
    }
    text
}

/// A gateway: it believes every host of every PoP.
pub(super) fn gateway(instance: &str, region: u8, gateway: u8) -> String {
    let name = REGIONS[usize::from(region)].name;
    let own = FAMILIES.map(|family| Net::Gateway { region, gateway }.address(family, 2).to_string());
    let hosts = POPS.iter().zip(0..).flat_map(|(plan, pop)| (0..plan.hosts.len() as u8).map(move |host| (pop, host)));
    let sources: Vec<String> = hosts
        .flat_map(|(pop, host)| FAMILIES.map(|family| Net::HostBackbone { pop, host }.address(family, 2)))
        .map(|address| IpNet::from(address).to_string())
        .collect();
    let mut text = format!(
        "role = \"gateway\"
instance = \"{instance}\"

[host]
pop = \"{name}\"
name = \"{name}-{gateway}\"

[gateway]
tunnel_addresses = {own:?}
allowed_sources = {sources:?}

[[interface]]
name = \"lb0\"
roles = [\"backbone\"]
attach = \"native\"
"
    );
    for (name, vip) in VIPS {
        let _ = write!(text, "\n[[vip]]\nname = \"{name}\"\naddress = \"{vip}\"\nreturn = \"pop\"\n");
    }
    text
}
