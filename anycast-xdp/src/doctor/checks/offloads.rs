//! Offloads that stand in the way of XDP, and queues.

use super::{
    super::{
        Place,
        Severity::{Error, Info, Warning},
        facts::Link,
    },
    Answer, Case, Check, Concerns,
    interfaces::with_xdp,
};
use crate::{
    dataplane::ethtool::RxQueues,
    desired::{AttachMode, Interface},
};

pub(super) const CHECKS: [Check; 4] = [
    Check {
        code: "lro_on",
        severities: &[Error, Warning],
        concerns: Concerns::All,
        finds: "large receive offload, with which drivers refuse native XDP",
        run: lro_on,
    },
    Check {
        code: "gro_hw_on",
        severities: &[Error, Warning],
        concerns: Concerns::All,
        finds: "GRO in hardware, with which drivers refuse native XDP",
        run: gro_hw_on,
    },
    Check {
        code: "vlan_offload_on",
        severities: &[Warning],
        concerns: Concerns::All,
        finds: "an interface with VLANs whose NIC takes the tags out of the frames",
        run: vlan_offload_on,
    },
    Check {
        code: "queues_few",
        severities: &[Warning, Info],
        concerns: Concerns::All,
        finds: "fewer receive queues than CPUs",
        run: queues_few,
    },
];

fn lro_on(case: &Case<'_>, answer: &mut Answer<'_>) {
    merging_on(case, answer, "rx-lro", "lro");
}

fn gro_hw_on(case: &Case<'_>, answer: &mut Answer<'_>) {
    merging_on(case, answer, "rx-gro-hw", "rx-gro-hw");
}

/// Interfaces of the configuration, each with the devices that receive for it: the members of a bond, or itself.
fn receivers<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Interface, &'a String, &'a Link)> {
    let links = &case.facts.links;
    with_xdp(case).flat_map(move |(interface, link)| {
        let is_bond = link.kind == "bond";
        let receives = move |(name, one): &(&String, &Link)| {
            if is_bond { one.controller == Some(link.ifindex) } else { **name == interface.name }
        };
        links.iter().filter(receives).map(move |(name, one)| (interface, name, one))
    })
}

/// An offload that merges packets before a program sees them. What virtual links say of it means nothing.
fn merging_on(case: &Case<'_>, answer: &mut Answer<'_>, offload: &str, word: &str) {
    for (interface, name, _) in receivers(case).filter(|(_, _, link)| link.kind.is_empty()) {
        let problem =
            format!("`{name}` merges received packets in hardware ({offload}): drivers refuse native XDP with it");
        let fix = format!("ethtool -K {name} {word} off");
        match (is_on(case, name, offload), interface.attach) {
            (Err(reason), _) => answer.skip(Place::interface(name), reason),
            (Ok(false), _) => {}
            (Ok(true), AttachMode::Native) => answer.error(Place::interface(name), problem, fix),
            (Ok(true), AttachMode::Auto | AttachMode::Generic) => answer.warning(Place::interface(name), problem, fix),
        }
    }
}

/// An offload that the driver does not know is off.
fn is_on(case: &Case<'_>, interface: &str, offload: &str) -> Result<bool, String> {
    let Some(device) = case.facts.devices.get(interface) else { return Ok(false) };
    Ok(device.offloads.clone()?.get(offload).copied().unwrap_or_default())
}

/// A tag that is not in the frame is not seen by the program; in generic mode it stays on what the program sends.
fn vlan_offload_on(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (interface, link) in with_xdp(case) {
        let name = &interface.name;
        let has_vlans = case.facts.links.values().any(|one| one.kind == "vlan" && one.parent == Some(link.ifindex));
        match is_on(case, name, "rx-vlan-hw-parse") {
            Err(reason) if has_vlans => answer.skip(Place::interface(name), reason),
            Ok(true) if has_vlans => answer.warning(
                Place::interface(name),
                format!(
                    "`{name}` has VLAN interfaces, and its NIC takes the tags out of the frames that the program sees"
                ),
                format!("ethtool -K {name} rxvlan off"),
            ),
            Ok(_) | Err(_) => {}
        }
    }
}

fn queues_few(case: &Case<'_>, answer: &mut Answer<'_>) {
    let cpus = case.facts.system.cpus_online;
    for (_, name, _) in receivers(case) {
        let Some(device) = case.facts.devices.get(name) else { continue };
        let RxQueues { used, max, combined } = match &device.rx_queues {
            Ok(queues) => *queues,
            Err(reason) => {
                answer.skip(Place::interface(name), reason);
                continue;
            }
        };
        let wanted = max.min(cpus);
        let problem = format!("`{name}` receives by {used} of {max} queues; {cpus} CPUs run");
        if used < wanted {
            let fix = format!("ethtool -L {name} {} {wanted}", if combined { "combined" } else { "rx" });
            answer.warning(Place::interface(name), problem, fix);
        } else if used < cpus {
            let fix = "nothing: it has no more queues; as many CPUs as it has queues work for it";
            answer.info(Place::interface(name), problem, fix);
        }
    }
}
