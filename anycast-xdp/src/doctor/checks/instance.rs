//! What is pinned and running, and whether packets are lost there now.

use std::collections::BTreeSet;

use anycast_common::outcome::Outcome;

use super::{
    super::{
        Place,
        Severity::{Error, Info, Warning},
        facts::{Pinned, State},
    },
    Answer, Case, Check, Concerns,
};
use crate::{
    desired::{self, Config, Role},
    view::VipRow,
};

pub(super) const CHECKS: [Check; 7] = [
    Check {
        code: "not_started",
        severities: &[Info],
        concerns: Concerns::All,
        finds: "an instance that was not started",
        run: not_started,
    },
    Check {
        code: "pins_unreadable",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "pinned state that cannot be read",
        run: pins_unreadable,
    },
    Check {
        code: "pins_of_another_build",
        severities: &[Info],
        concerns: Concerns::All,
        finds: "maps in use that a build of another ABI version made, which this one cannot look into",
        run: pins_of_another_build,
    },
    Check {
        code: "daemon_not_running",
        severities: &[Warning],
        concerns: Concerns::All,
        finds: "an instance that forwards without a daemon: routes and neighbours are not followed",
        run: daemon_not_running,
    },
    Check {
        code: "config_not_applied",
        severities: &[Warning],
        concerns: Concerns::All,
        finds: "a configuration file that says something else than what runs",
        run: config_not_applied,
    },
    Check {
        code: "packets_dropped",
        severities: &[Error, Info],
        concerns: Concerns::All,
        finds: "packets that are dropped for a reason that somebody can mend: now (error) or earlier (info)",
        run: packets_dropped,
    },
    Check {
        code: "packets_lost",
        severities: &[Error, Info],
        concerns: Concerns::All,
        finds: "frames that drivers lose after the verdict: now (error) or earlier (info)",
        run: packets_lost,
    },
];

/// Reasons that are not the packets' own fault, and what mends each.
const MENDABLE: [(Outcome, &str); 13] = [
    (
        Outcome::SourceNotAllowed,
        "add the PoP's tunnel source to `allowed_sources` in [gateway], and restart the daemon",
    ),
    (Outcome::InnerNotVip, "add the address as a [[vip]] of this gateway, or remove it at the PoPs"),
    (
        Outcome::OuterFragment,
        "raise the MTU of the backbone between PoP and gateway, so that tunnels are not fragmented",
    ),
    (Outcome::NextHopUnresolved, "see route_missing and neighbour_unresolved; `anycast-xdp status` names the backends"),
    (Outcome::TooBig, "raise the MTU of the backbone; see backbone_mtu_small and backend_mtu_small"),
    (Outcome::NoEgress, "start the daemon again: systemctl restart anycast-xdp"),
    (Outcome::NoPool, "start the daemon again: systemctl restart anycast-xdp"),
    (Outcome::EmptyPool, "start the daemon again: systemctl restart anycast-xdp"),
    (
        Outcome::NoPop,
        "write return_without_pop = \"direct\" in the [[vip]], or see that its clients come by PoPs of `allowed_sources`; raise `return_clients` in [limits] if there are more",
    ),
    (
        Outcome::NotReturner,
        "if it is a gateway of yours: make it a backend of the VIP's pools, in the encap and with the key or port that it answers in",
    ),
    (Outcome::ReturnNotVip, "write return = \"pop\" in the [[vip]] here, or return = \"direct\" on the gateways"),
    (Outcome::NoReturnRoute, "see return_forwarding_off and return_route_off_access"),
    (Outcome::Headroom, "write attach = \"generic\" for the interface, or use a NIC whose driver leaves headroom"),
];

fn not_started(case: &Case<'_>, answer: &mut Answer<'_>) {
    match &case.facts.instance.state {
        State::Absent => answer.info(
            case.instance(),
            "nothing is running or pinned: this host does not forward",
            "systemctl start anycast-xdp; or anycast-xdp run --config FILE",
        ),
        State::Hidden(reason) => answer.skip(case.instance(), reason),
        State::Broken(_) | State::Pinned(_) => {}
    }
}

fn pins_unreadable(case: &Case<'_>, answer: &mut Answer<'_>) {
    match &case.facts.instance.state {
        State::Broken(reason) => answer.error(
            case.instance(),
            format!("the pinned state cannot be read: {reason}"),
            "systemctl restart anycast-xdp; if that is refused: anycast-xdp detach, which ends forwarding, and start again",
        ),
        State::Hidden(reason) => answer.skip(case.instance(), reason),
        State::Absent | State::Pinned(_) => {}
    }
}

fn pins_of_another_build(case: &Case<'_>, answer: &mut Answer<'_>) {
    if let Some(generation) = &case.facts.instance.foreign_generation {
        answer.info(
            case.instance(),
            format!("a build of another ABI version made the maps in use ({generation}), and this one cannot look into them"),
            "run the doctor of that build; or systemctl restart anycast-xdp, by which this build takes over without loss",
        );
    }
}

fn daemon_not_running(case: &Case<'_>, answer: &mut Answer<'_>) {
    if case.pinned(answer).is_some() && case.facts.instance.daemon_pid.is_none() {
        answer.warning(
            case.instance(),
            "the daemon is not running: packets go on to the next hops that it knew last",
            "systemctl start anycast-xdp; or anycast-xdp run --config FILE",
        );
    }
}

fn config_not_applied(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(pinned) = case.pinned(answer) else { return };
    let differences = differences(case.config, pinned);
    if !differences.is_empty() {
        answer.warning(
            case.instance(),
            format!("the file differs from what runs: {}", differences.join("; ")),
            "systemctl restart anycast-xdp (no packet is lost by it)",
        );
    }
}

/// In words, what is not the same.
fn differences(config: &Config, pinned: &Pinned) -> Vec<String> {
    let status = &pinned.status;
    let role = match config.local.role {
        Role::Pop(_) => "pop",
        Role::Gateway(_) => "gateway",
    };
    let services = &config.services;
    let vip = |vip: &VipRow| {
        let VipRow { name, address, hash, pool, fallback_pools, icmp_echo, returns, listeners } = vip;
        format!(
            "{name} ({address}) {hash:?} {pool:?} {fallback_pools:?} {icmp_echo:?} {returns:?} {}",
            listeners.join(" ")
        )
    };
    let of_file = services.vips.iter().map(|one| VipRow {
        name: one.name.clone(),
        address: one.address,
        listeners: one.listeners.iter().map(ToString::to_string).collect(),
        hash: (role == "pop").then_some(one.hash),
        pool: one.pool.clone(),
        fallback_pools: one.fallback_pools.clone(),
        icmp_echo: (role == "pop").then_some(one.icmp_echo),
        returns: one.returns,
    });
    let backend = |pool: &str, address, weight, encap: &str, state: desired::State| {
        format!("{pool} {address} {weight} {encap} {state}")
    };
    let backends = services.pools.iter().flat_map(|pool| {
        pool.backends.iter().map(move |one| {
            let state = if pool.state == desired::State::Up { one.state } else { pool.state };
            backend(&pool.name, one.address, one.weight, &one.encap.to_string(), state)
        })
    });
    let parts = [
        ("role", BTreeSet::from([role.to_owned()]), BTreeSet::from([status.role.clone()])),
        (
            "interfaces",
            config.local.interfaces.iter().map(|one| one.name.clone()).collect(),
            status.attachments.iter().map(|one| one.interface.clone()).collect(),
        ),
        ("VIPs", of_file.map(|row| vip(&row)).collect(), pinned.vips.iter().map(vip).collect()),
        (
            "backends",
            backends.collect(),
            status
                .backends
                .iter()
                .map(|one| backend(&one.pool, one.address, one.weight, &one.encap, one.state))
                .collect(),
        ),
    ];
    let told = parts.into_iter().filter_map(|(what, file, runs)| {
        let (only_file, only_runs) = (file.difference(&runs).count(), runs.difference(&file).count());
        (only_file + only_runs > 0)
            .then(|| format!("{what} ({only_file} in the file only, {only_runs} in what runs only)"))
    });
    told.collect()
}

fn packets_dropped(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(pinned) = case.pinned(answer) else { return };
    for (outcome, fix) in MENDABLE {
        let label = outcome.label();
        let Some(rise) = pinned.outcomes.get(label) else { continue };
        let place = Place::Outcome(label.to_owned());
        if rise.now > 0 {
            let problem =
                format!("packets are dropped as `{label}`, {} in the last second: {}", rise.now, outcome.description());
            answer.error(place, problem, fix);
        } else if rise.total > 0 {
            let problem = format!("{} packets were dropped as `{label}`, none in the last second", rise.total);
            answer.info(place, problem, fix);
        }
    }
}

fn packets_lost(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(pinned) = case.pinned(answer) else { return };
    for (interface, rise) in pinned.losses.iter().filter(|(_, rise)| rise.total > 0) {
        let fix = format!(
            "see xdp_xmit_missing; `anycast-xdp stats` names the kernel's tracepoints, and `ethtool -S {interface}` the driver's reasons; the MTU at the other end of `{interface}` must be the same"
        );
        if rise.now > 0 {
            let problem =
                format!("frames of `{interface}` are lost after the verdict, {} in the last second", rise.now);
            answer.error(Place::interface(interface), problem, fix);
        } else {
            let problem =
                format!("{} frames of `{interface}` were lost after the verdict, none in the last second", rise.total);
            answer.info(Place::interface(interface), problem, fix);
        }
    }
}
