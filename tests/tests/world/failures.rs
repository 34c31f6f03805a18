//! What players see of failures that nobody is told of.

use std::{net::SocketAddr, time::Duration};

use anycast_tests::{
    lab::{
        client::Connections,
        players::{Flow, Flows, Record},
        world::{Dark, GAME_PORT, NUMBER_PORT, VIPS, World, plan::REGIONS},
    },
    require_root,
};
use anyhow::Result;

use crate::{
    results::{Bars, Results, Watched, all, is_wanted, runs, watch},
    withdrawn,
};

/// A failure, and what of it may be felt.
pub(crate) struct Case {
    pub name: &'static str,
    pub fail: fn(&World) -> Result<Dark>,
    /// The players who are hit: at one place, or everywhere.
    pub hit: Option<usize>,
    pub gap_limit: Duration,
    /// Connections live on a host that is gone, or stand still for longer than players have patience.
    pub breaks_connections: bool,
    /// Who uses the home region's own address is cut off for as long as it lasts.
    pub cuts_off_home: bool,
    /// Some of the players who are hit lose something, and not only those who happen to be on one host.
    pub is_felt: bool,
    /// What is looked at besides.
    pub also: Also,
}

/// What is looked at besides what players see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Also {
    /// Nothing.
    Nothing,
    /// The PoP of the players who are hit takes back what it publishes, and no other one does; and connections by TCP live on,
    /// also those that stood still for longer than players have patience: TCP doubles its pauses.
    Withdrawal,
    /// Flows that the first gateway of the first region does not serve lose nothing and stay where they are.
    OtherFlows,
}

/// Interval and timeout of a probe.
const PROBE: Duration = Duration::from_millis(300);
/// How long it takes at most until a backend is down: three probes, the timeout of the last one, and 200 ms.
const DOWN: Duration = PROBE.saturating_mul(3).saturating_add(PROBE).saturating_add(Duration::from_millis(200));

/// Of the time, BFD takes 100 to 150 ms, or three probes [`DOWN`].
const CASES: [Case; 6] = [
    Case {
        name: "carrier is silent",
        fail: |world| world.fail_carrier(0),
        hit: Some(0),
        gap_limit: Duration::from_millis(500),
        breaks_connections: false,
        cuts_off_home: true,
        is_felt: true,
        also: Also::Nothing,
    },
    Case {
        name: "one of two hosts dies",
        fail: |world| world.fail_host(0, 0),
        hit: Some(0),
        gap_limit: Duration::from_millis(400),
        breaks_connections: false,
        cuts_off_home: false,
        is_felt: false,
        also: Also::Nothing,
    },
    Case {
        name: "PoP dies",
        fail: |world| world.fail_pop(0),
        hit: Some(0),
        gap_limit: Duration::from_millis(400),
        breaks_connections: false,
        cuts_off_home: false,
        is_felt: true,
        also: Also::Nothing,
    },
    Case {
        name: "PoP loses its backbone",
        fail: |world| world.fail_backbone(0),
        hit: Some(0),
        // Its routes go, and carriers have to hear of it.
        gap_limit: DOWN.saturating_add(Duration::from_millis(400)),
        breaks_connections: true,
        cuts_off_home: false,
        is_felt: true,
        also: Also::Withdrawal,
    },
    Case {
        name: "backend dies",
        fail: |world| world.fail_gateway(0, 0),
        hit: None,
        gap_limit: DOWN,
        breaks_connections: true,
        cuts_off_home: true,
        is_felt: true,
        also: Also::OtherFlows,
    },
    Case {
        name: "home region dies",
        fail: |world| world.fail_region(0),
        hit: None,
        gap_limit: DOWN.saturating_add(Duration::from_millis(200)),
        breaks_connections: true,
        cuts_off_home: true,
        is_felt: true,
        also: Also::Nothing,
    },
];

/// How long players are watched after a failure.
const AFTER: Duration = Duration::from_secs(2);
/// Who hears nothing for so long of it is cut off: the first and the last datagram are not sent at its very ends.
const CUT_OFF: Duration = Duration::from_millis(1900);
/// Flows of [`Also::OtherFlows`].
const FLOWS: usize = 32;
/// Connections of [`Also::Withdrawal`].
const CONNECTIONS: usize = 100;

#[test]
fn players_go_on_elsewhere() {
    require_root!();
    if !CASES.iter().any(|case| is_wanted(case.name)) {
        return;
    }
    let mut world = World::build().unwrap();
    let mut results = Results::default();
    for _ in 0..runs() {
        for case in CASES.iter().filter(|case| is_wanted(case.name)) {
            world.wait_until_settled().unwrap();
            play(&mut world, case, &mut results);
        }
    }
    let lost = world.lost_by_wires();
    results.check(lost == 0, || format!("the lab lost {lost} frames itself"), Duration::ZERO);
    results.finish();
}

fn play(world: &mut World, case: &Case, results: &mut Results) {
    let before = withdrawn::publishing(world);
    let vip = SocketAddr::new(VIPS[0].1, NUMBER_PORT);
    let flows = (case.also == Also::OtherFlows).then(|| Flows::start(&world.access[0].players, vip, FLOWS).unwrap());
    let game = SocketAddr::new(VIPS[0].1, GAME_PORT);
    let connect = || Connections::open(&world.access[0].players, game, CONNECTIONS).unwrap();
    let connections = (case.also == Also::Withdrawal).then(connect);
    // Long enough for players to lose patience with connections that stand still.
    let after = if case.also == Also::Withdrawal { AFTER * 2 } else { AFTER };
    let (dark, watched) = watch(world, after, |world| (case.fail)(world));
    if let Some(flows) = flows {
        see_other_flows(case, &flows.stop().unwrap(), &watched, results);
    }
    if let Some(connections) = connections {
        withdrawn::check(world, case, &before, &watched, results);
        let used = connections.use_for(2);
        let broken = connections.stop().unwrap().broken;
        results.check(
            used.is_ok(),
            || format!("{}: connections stand still, {used:?} {broken:?}", case.name),
            watched.stall,
        );
        results.add(&format!("{}: broken of {CONNECTIONS}", case.name), broken.len() as u64, watched.stall, Some(0));
    }
    let hit = watched.observed.iter().enumerate().filter(|(at, _)| case.hit.is_none_or(|hit| hit == *at));
    let seen =
        hit.flat_map(|(_, observed)| observed.vips).map(|seen| seen.total()).fold(Record::default(), Record::with);
    let broken = (!case.breaks_connections).then_some(0);
    let bars = Bars { gap: Some(case.gap_limit), lost: None, broken };
    results.see(case.name, &seen, &watched, bars);
    results.check(seen.lost > 0 || !case.is_felt, || format!("{} is not felt", case.name), watched.stall);

    let home = watched.observed[0].home.expect("those at the first place have a way home").total();
    let name = format!("{}, without anycast", case.name);
    let is_cut_off = home.longest_gap >= CUT_OFF;
    results.check(is_cut_off == case.cuts_off_home, || format!("{name}: {home:?}"), watched.stall);
    results.see(&name, &home, &watched, Bars::default());

    let mend = |world: &mut World| dark.end().and_then(|()| world.wait_until_whole());
    let ((), back) = watch(world, Duration::ZERO, mend);
    results.see(&format!("{}, and comes back", case.name), &all(&back.observed), &back, Bars::default());
}

fn see_other_flows(case: &Case, flows: &[Flow], watched: &Watched, results: &mut Results) {
    let (dead, others): (Vec<&Flow>, Vec<&Flow>) = flows.iter().partition(|flow| flow.server == Some(0));
    let seen = |flows: &[&Flow], of: fn(&Flow) -> u64| flows.iter().map(|flow| of(flow)).sum::<u64>();
    let name = format!("{}, flows of others", case.name);
    results.add(&format!("{name}: lost"), seen(&others, Flow::lost), watched.stall, Some(0));
    results.add(&format!("{name}: moved"), seen(&others, |flow| flow.answered_by_others), watched.stall, Some(0));
    let both = !others.is_empty() && seen(&dead, Flow::lost) > 0 && REGIONS[0].gateways > 1;
    results.check(both, || format!("{name}: not on both backends, {flows:?}"), watched.stall);
}
