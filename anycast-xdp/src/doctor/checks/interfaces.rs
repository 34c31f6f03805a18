//! The interfaces of the configuration: are they there, up, and what can carry a program?

use super::{
    super::{
        Place,
        Severity::{Error, Warning},
        facts::Link,
    },
    Answer, Case, Check, Concerns,
};
use crate::{
    dataplane::attach::xdp_program,
    desired::{AttachMode, Interface},
};

/// Modes in which the bonding driver runs programs natively (`bond_xdp_check`, drivers/net/bonding).
const XDP_BOND_MODES: [&str; 4] = ["balance-rr", "active-backup", "balance-xor", "802.3ad"];

pub(super) const CHECKS: [Check; 5] = [
    Check {
        code: "interface_missing",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "an interface that this host has not",
        run: interface_missing,
    },
    Check {
        code: "interface_down",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "an interface that is down or has no carrier",
        run: interface_down,
    },
    Check {
        code: "interface_not_ethernet",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "an interface whose frames are no Ethernet frames",
        run: interface_not_ethernet,
    },
    Check {
        code: "bond_member",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "a member of a bond or team in the place of the bond",
        run: bond_member,
    },
    Check {
        code: "bond_mode",
        severities: &[Error, Warning],
        concerns: Concerns::All,
        finds: "a bond in a mode without native XDP",
        run: bond_mode,
    },
];

/// The interfaces of the configuration that this host has.
pub(super) fn present<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Interface, &'a Link)> {
    let links = &case.facts.links;
    case.interfaces().filter_map(|interface| Some((interface, links.get(&interface.name)?)))
}

/// Those of them that an XDP program is for.
pub(super) fn with_xdp<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a Interface, &'a Link)> {
    let role = &case.config.local.role;
    present(case).filter(|(interface, _)| xdp_program(role, interface).is_some())
}

fn interface_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    let links = &case.facts.links;
    for (index, interface) in case.interfaces().enumerate().filter(|(_, one)| !links.contains_key(&one.name)) {
        let known: Vec<_> = links.iter().filter(|(_, link)| link.ethernet).map(|(name, _)| name.as_str()).collect();
        answer.error(
            Place::interface(&interface.name),
            format!("this host has no interface `{}`", interface.name),
            format!("write interface[{index}].name as one that it has: {}", known.join(", ")),
        );
    }
}

fn interface_down(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (interface, link) in present(case) {
        let name = &interface.name;
        if !link.up {
            answer.error(Place::interface(name), format!("`{name}` is down"), format!("ip link set {name} up"));
        } else if !link.carrier {
            answer.error(
                Place::interface(name),
                format!("`{name}` is up and has no carrier"),
                format!("plug in the cable of `{name}`, or bring its other end up; `ethtool {name}` tells"),
            );
        }
    }
}

fn interface_not_ethernet(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (index, (interface, _)) in present(case).enumerate().filter(|(_, (_, link))| !link.ethernet) {
        answer.error(
            Place::interface(&interface.name),
            format!("`{}` is not an Ethernet interface", interface.name),
            format!("write interface[{index}].name as the Ethernet interface that carries the packets"),
        );
    }
}

fn bond_member(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (interface, link) in present(case) {
        let controller = link.controller.and_then(|ifindex| case.facts.link_by_index(ifindex));
        let Some((bond, _)) = controller.filter(|(_, link)| matches!(link.kind.as_str(), "bond" | "team")) else {
            continue;
        };
        let name = &interface.name;
        answer.error(
            Place::interface(name),
            format!("`{name}` is a member of `{bond}`, whose packets are not only its own"),
            format!("write name = \"{bond}\" in its [[interface]], and remove those of the other members"),
        );
    }
}

fn bond_mode(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (interface, link) in present(case) {
        let Some(mode) = link.bond_mode.as_deref().filter(|mode| !XDP_BOND_MODES.contains(mode)) else { continue };
        let name = &interface.name;
        let problem = format!("bond `{name}` is in mode {mode}, in which bonds have no native XDP");
        let fix = format!("use mode 802.3ad, balance-xor, balance-rr or active-backup for `{name}`");
        match interface.attach {
            AttachMode::Native => answer.error(Place::interface(name), problem, fix),
            AttachMode::Auto | AttachMode::Generic => answer.warning(Place::interface(name), problem, fix),
        }
    }
}
