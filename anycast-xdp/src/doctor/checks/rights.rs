//! Users, groups, and what they may.

use super::{
    super::{
        Place,
        Severity::{Error, Warning},
    },
    Answer, Case, Check, Concerns,
};

/// What makes both the bpffs and the numbers of tracepoints.
const PREPARE: &str = "systemctl start anycast-xdp-prepare; without systemd, as root: anycast-xdp prepare --user USER";

pub(super) const CHECKS: [Check; 4] = [
    Check {
        code: "bpffs_of_another_user",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "a bpffs of the daemon's that another user than the daemon's owns",
        run: bpffs_of_another_user,
    },
    Check {
        code: "losses_not_counted",
        severities: &[Warning],
        concerns: Concerns::All,
        finds: "tracepoints that the daemon could not attach to: what drivers lose is not all counted",
        run: losses_not_counted,
    },
    Check {
        code: "api_socket_missing",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "a daemon that runs without the socket of its API",
        run: api_socket_missing,
    },
    Check {
        code: "api_group",
        severities: &[Warning],
        concerns: Concerns::All,
        finds: "a socket of the API that is not for the group of the configuration, or for everybody",
        run: api_group,
    },
];

fn bpffs_of_another_user(case: &Case<'_>, answer: &mut Answer<'_>) {
    let rights = &case.facts.rights;
    let (Some(daemon), Some(owner)) = (rights.daemon_uid, rights.bpffs_uid) else { return };
    // root may do anything there.
    if daemon != owner && daemon != 0 {
        answer.error(
            Place::Host,
            format!("the daemon runs as user {daemon}, and its bpffs belongs to user {owner}: it cannot pin anything"),
            PREPARE,
        );
    }
}

fn losses_not_counted(case: &Case<'_>, answer: &mut Answer<'_>) {
    let Some(pinned) = case.pinned(answer) else { return };
    if !pinned.not_counted.is_empty() {
        answer.warning(
            case.instance(),
            format!("losses after the verdict are not counted: {}", pinned.not_counted.join(", ")),
            format!("{PREPARE}; then systemctl restart anycast-xdp"),
        );
    }
}

fn api_socket_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    if case.facts.rights.daemon_uid.is_none() {
        return;
    }
    match &case.facts.rights.socket {
        Ok(Some(_)) => {}
        Ok(None) => answer.error(
            case.instance(),
            "the daemon runs, and the socket of its API is gone: nobody can change services",
            "systemctl restart anycast-xdp (no packet is lost by it)",
        ),
        Err(reason) => answer.skip(case.instance(), reason),
    }
}

fn api_group(case: &Case<'_>, answer: &mut Answer<'_>) {
    let socket = match &case.facts.rights.socket {
        Ok(Some(socket)) => socket,
        Ok(None) => return,
        Err(reason) => return answer.skip(case.instance(), reason),
    };
    let wanted = case.config.local.control.api_group.as_ref().filter(|group| **group != socket.group);
    if let Some(wanted) = wanted {
        answer.warning(
            case.instance(),
            format!("the socket of the API is for group `{}`, the file says `{wanted}`", socket.group),
            format!("SupplementaryGroups={wanted} in the [Service] of its unit; then systemctl restart anycast-xdp"),
        );
    }
    if socket.mode & 0o007 != 0 {
        answer.warning(
            case.instance(),
            format!("everybody on this host may change services: the socket of the API has mode {:04o}", socket.mode),
            "systemctl restart anycast-xdp, which makes it anew with mode 0660",
        );
    }
}
