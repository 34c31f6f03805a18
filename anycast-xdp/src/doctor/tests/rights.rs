//! Users, groups, and what they may.

use super::{
    super::{
        Severity::{Error, Warning},
        facts::{Socket, State},
    },
    Row,
    world::World,
};

pub(super) const ROWS: &[Row] = &[
    Row {
        what: "bpffs that was made for another user",
        world: World::pop,
        breaks: |world| {
            (world.facts.rights.daemon_uid, world.facts.rights.bpffs_uid) = (Some(990), Some(991));
        },
        says: (Error, "bpffs_of_another_user", "host", "anycast-xdp-prepare"),
    },
    Row {
        what: "tracepoints that could not be had",
        world: World::pop,
        breaks: |world| {
            if let State::Pinned(pinned) = &mut world.facts.instance.state {
                pinned.not_counted = vec!["redirect", "bulk_tx"];
            }
        },
        says: (Warning, "losses_not_counted", "instance default", "anycast-xdp-prepare"),
    },
    Row {
        what: "socket that somebody removed",
        world: World::pop,
        breaks: |world| world.facts.rights.socket = Ok(None),
        says: (Error, "api_socket_missing", "instance default", "systemctl restart anycast-xdp"),
    },
    Row {
        what: "socket of another group than the file says",
        world: World::pop,
        breaks: |world| world.config.local.control.api_group = Some("netops".to_owned()),
        says: (Warning, "api_group", "instance default", "SupplementaryGroups=netops"),
    },
    Row {
        what: "socket for everybody",
        world: World::pop,
        breaks: |world| {
            world.facts.rights.socket = Ok(Some(Socket { group: "anycast-xdp".to_owned(), mode: 0o666 }));
        },
        says: (Warning, "api_group", "instance default", "0660"),
    },
];

#[test]
fn root_uses_the_bpffs_of_any_user() {
    let mut world = World::pop();
    (world.facts.rights.daemon_uid, world.facts.rights.bpffs_uid) = (Some(0), Some(991));
    assert_eq!(world.codes(), ["outer_source_single"]);
}
