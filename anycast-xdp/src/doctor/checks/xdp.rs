//! XDP on the interfaces: whose program, and in which mode.

use super::{
    super::{
        Place,
        Severity::{Error, Warning},
        facts::{Device, Link, State},
    },
    Answer, Case, Check, Concerns,
    interfaces::with_xdp,
};
use crate::{dataplane::inspect::XDP_HOOK, desired::AttachMode, netlink::device::XdpFeatures};

pub(super) const CHECKS: [Check; 3] = [
    Check {
        code: "xdp_foreign",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "another XDP program on an interface",
        run: xdp_foreign,
    },
    Check {
        code: "xdp_detached",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "an instance that is started, and no program of it on an interface",
        run: xdp_detached,
    },
    Check {
        code: "xdp_generic",
        severities: &[Warning],
        concerns: Concerns::All,
        finds: "a program in generic mode where native would do",
        run: xdp_generic,
    },
];

/// Whether the program on a link is the one that our pinned link runs there. Where the pins are hidden, nobody can say.
fn is_ours(device: Option<&Device>, link: &Link) -> bool {
    let own = device.and_then(|device| device.own_program_id);
    link.xdp.is_some_and(|xdp| own == Some(xdp.program_id))
}

fn xdp_foreign(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (interface, link) in with_xdp(case) {
        let (name, device) = (&interface.name, case.facts.devices.get(&interface.name));
        let Some(xdp) = link.xdp.filter(|_| !is_ours(device, link)) else { continue };
        if let State::Hidden(reason) = &case.facts.instance.state {
            answer.skip(Place::interface(name), reason);
            continue;
        }
        let program = device.and_then(|device| device.program_name.as_deref()).unwrap_or("without a name");
        let fix = match device.map(|device| device.link_ids.as_slice()).unwrap_or_default() {
            [] => format!("ip link set dev {name} {} off", ip_word(xdp.mode)),
            [id] => format!("bpftool link detach id {id}; or end the process that holds it, or remove its pin"),
            // Which of them is on this interface, `bpftool` tells.
            ids => format!("bpftool link; then bpftool link detach id ID, which is one of {ids:?}"),
        };
        answer.error(
            Place::interface(name),
            format!("another XDP program ({program}, id {}) is attached to `{name}`, {}", xdp.program_id, xdp.mode),
            fix,
        );
    }
}

/// How `ip link` calls a mode.
fn ip_word(mode: &str) -> &'static str {
    match mode {
        "native" => "xdpdrv",
        "generic" => "xdpgeneric",
        _ => "xdp",
    }
}

fn xdp_detached(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(pinned) = case.pinned(answer) else { return };
    for (interface, link) in with_xdp(case) {
        let name = &interface.name;
        let mut attachments = pinned.status.attachments.iter();
        let is_known = attachments.any(|attachment| attachment.interface == *name && attachment.hook == XDP_HOOK);
        if link.xdp.is_none() && is_known {
            answer.error(
                Place::interface(name),
                format!("no program is attached to `{name}`: it went away and came back since the daemon started"),
                "start the daemon again: systemctl restart anycast-xdp",
            );
        }
    }
}

fn xdp_generic(case: &Case<'_>, answer: &mut Answer<'_>) {
    for (interface, link) in with_xdp(case) {
        let name = &interface.name;
        let device = case.facts.devices.get(name);
        // A driver that does not tell may have it.
        let has_native =
            device.is_none_or(|device| !device.xdp_features.as_ref().is_ok_and(|f| !f.has(XdpFeatures::BASIC)));
        let runs_generic = is_ours(device, link) && link.xdp.is_some_and(|xdp| xdp.mode == "generic");
        if interface.attach == AttachMode::Generic {
            let fix = format!("write attach = \"auto\" for `{name}`, and start the daemon again");
            let problem = format!("`{name}` is asked to run in generic mode, which is several times slower");
            answer.warning(Place::interface(name), problem, fix);
        } else if runs_generic && has_native {
            answer.warning(
                Place::interface(name),
                format!("`{name}` runs in generic mode, although its driver has native XDP"),
                format!("write attach = \"native\" for `{name}` and start the daemon again: the refusal says what is in the way"),
            );
        }
    }
}
