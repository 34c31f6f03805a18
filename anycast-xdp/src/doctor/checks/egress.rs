//! At the egress of a gateway's interfaces: whose programs.

use super::{
    super::{
        Place,
        Severity::{Error, Info},
        facts::{AtEgress, Link, State},
    },
    Answer, Case, Check, Concerns,
    interfaces::present,
};
use crate::{
    dataplane::{attach::egress_program, inspect::XDP_HOOK},
    desired::Interface,
};

pub(super) const CHECKS: [Check; 2] = [
    Check {
        code: "egress_foreign",
        severities: &[Info],
        concerns: Concerns::Gateways,
        finds: "another program at the egress of an interface that answers leave by",
        run: egress_foreign,
    },
    Check {
        code: "egress_detached",
        severities: &[Error],
        concerns: Concerns::Gateways,
        finds: "an instance that is started, and no program of it at the egress of an interface that answers leave by",
        run: egress_detached,
    },
];

/// The interfaces that answers leave by, each with what runs at its egress.
fn answering<'a>(case: &Case<'a>, answer: &mut Answer<'_>) -> Vec<(&'a Interface, &'a Link, &'a [AtEgress])> {
    let role = &case.config.local.role;
    let mut rows = Vec::new();
    for (interface, link) in present(case).filter(|(interface, _)| egress_program(role, interface).is_some()) {
        match case.facts.devices.get(&interface.name).map(|device| &device.egress) {
            Some(Ok(programs)) => rows.push((interface, link, programs.as_slice())),
            Some(Err(reason)) => answer.skip(Place::interface(&interface.name), reason),
            None => {}
        }
    }
    rows
}

fn egress_foreign(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (interface, _, programs) in answering(case, answer) {
        let name = &interface.name;
        let own_at = programs.iter().position(|one| one.is_own);
        for (at, AtEgress { program, link_ids, .. }) in programs.iter().enumerate().filter(|(_, one)| !one.is_own) {
            if let State::Hidden(reason) = &case.facts.instance.state {
                answer.skip(Place::interface(name), reason);
                continue;
            }
            let order = match own_at {
                Some(own_at) if at < own_at => ", before ours: it decides which answers ours sees",
                Some(_) => ", after ours: it sees what ours leaves alone",
                None => "",
            };
            let take_away = match (&program.filter, link_ids.as_slice()) {
                (Some(filter), _) => {
                    let handle = u32::from(filter.handle);
                    format!("tc filter del dev {name} egress pref {} handle 0x{handle:x} bpf", filter.priority)
                }
                (None, []) => format!("bpftool net detach tcx_egress id {} dev {name}", program.program_id),
                (None, [id]) => format!("bpftool link detach id {id}"),
                (None, ids) => format!("bpftool link; then bpftool link detach id ID, which is one of {ids:?}"),
            };
            let label = if program.name.is_empty() { "without a name" } else { &program.name };
            answer.info(
                Place::interface(name),
                format!("another program ({label}, id {}) runs at the egress of `{name}`{order}", program.program_id),
                format!("nothing, if it passes on what it does not take (TC_ACT_UNSPEC); else {take_away}"),
            );
        }
    }
}

fn egress_detached(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(pinned) = case.pinned(answer) else { return };
    for (interface, _, programs) in answering(case, answer) {
        let name = &interface.name;
        let mut attachments = pinned.status.attachments.iter();
        let is_known = attachments.any(|attachment| attachment.interface == *name && attachment.hook != XDP_HOOK);
        if is_known && !programs.iter().any(|one| one.is_own) {
            answer.error(
                Place::interface(name),
                format!(
                    "no program is at the egress of `{name}`: somebody took it away, or the interface went away and came back"
                ),
                "start the daemon again: systemctl restart anycast-xdp",
            );
        }
    }
}
