//! One of two backbone routers is lost, comes back, or has a new MAC: one cell is stored, and the other router forwards
//! within 50 ms of the kernel's event. Times are told as min, median and max of several runs.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{collections::BTreeSet, net::SocketAddr, thread::sleep, time::Duration};

use anycast_tests::{
    lab::{
        Topology,
        deployment::{Deployment, MIXES},
        stream::{NumberedStream, StreamSpec},
        topology::Family,
        wait::wait_for,
    },
    live::{
        batch::IpBatch,
        log,
        tap::{Passed, Tap},
        time::{Figures, now_ns},
    },
    require_root,
};

/// From the kernel's event until the other router forwards.
const LIMIT_MS: f64 = 50.0;
/// Of each event.
const RUNS: usize = 5;
/// So many flows that every place of a group is used.
const FLOWS: u32 = 64;
const RATE_PPS: u32 = 8000;
/// How long a packet may take from the store that another one saw already to the time stamp of the router.
const STORE_NS: u64 = 5_000_000;
/// What is watched before and after an event.
const BEFORE: Duration = Duration::from_millis(150);
const AFTER: Duration = Duration::from_millis(300);

/// A PoP with several routers, and a stream over all of them.
struct Scene {
    deployment: Deployment,
    stream: NumberedStream,
    pop: IpBatch,
    routers: Vec<IpBatch>,
}

/// What an event did.
struct Effect {
    /// From the event until the first datagram of a flow of the lost router went by another; `None`: not all moved.
    moved_after_ns: Option<u64>,
    /// Datagrams that went by the lost router after that.
    late: usize,
    /// Flows that moved although their router was not lost.
    disturbed: BTreeSet<u64>,
    /// Cells stored.
    cells: u64,
}

impl Scene {
    fn new(routers: u8) -> Self {
        // A VIP with listeners hashes on ports: flows of one client spread.
        let topology = Topology::pop_and_home().routers(routers);
        let deployment = Deployment::with(topology, |config, lab| {
            let backend = lab.home_address(Family::V4);
            config.pool("main", &[backend]).vip_with_listeners("stream", MIXES[0].vip, &["udp/6000"], "main")
        })
        .unwrap();
        let lab = &deployment.lab;
        // The home host keeps all its addresses behind whichever router is left.
        let spec = StreamSpec::new(SocketAddr::new(MIXES[0].vip, 6000), RATE_PPS).flows(FLOWS);
        let stream = NumberedStream::start(&lab.site().client, &lab.home, &spec).unwrap();
        let pop = IpBatch::new(&lab.site().pop).unwrap();
        let routers = lab.routers.iter().map(|router| IpBatch::new(router).unwrap()).collect();
        Self { deployment, stream, pop, routers }
    }

    fn taps(&self) -> Vec<Tap> {
        self.deployment.lab.routers.iter().map(|router| Tap::start(router, "rt_pop0").unwrap()).collect()
    }

    /// Flows by router, over `time` from now on.
    fn spread(&self, time: Duration) -> Vec<BTreeSet<u64>> {
        let taps = self.taps();
        sleep(time);
        taps.into_iter().map(|tap| tap.stop().iter().map(|passed| passed.flow).collect()).collect()
    }

    /// Waits until flows are spread as in `wanted`.
    fn wait_for_spread(&self, wanted: &[BTreeSet<u64>]) {
        let seen = wait_for("return of the flows", Duration::from_secs(15), || {
            (self.spread(Duration::from_millis(100)) == wanted).then_some(())
        });
        seen.unwrap_or_else(|error| panic!("{error:#}: {:?}, not {wanted:?}", self.spread(BEFORE)));
    }

    /// Watches while `event`, which returns its time, takes router 0 away.
    fn lose_first(&mut self, event: impl FnOnce(&mut Self) -> u64) -> Effect {
        let known = log::stores(self.deployment.pop()).len();
        let taps = self.taps();
        sleep(BEFORE);
        let at_ns = event(self);
        sleep(AFTER);
        let passed: Vec<Vec<Passed>> = taps.into_iter().map(Tap::stop).collect();
        let before = |router: usize| -> BTreeSet<u64> {
            passed[router].iter().filter(|one| one.at_ns < at_ns).map(|one| one.flow).collect()
        };
        let lost = before(0);
        assert!(!lost.is_empty(), "no flow went by the first router");
        let mut moved = BTreeSet::new();
        let mut first_ns = None;
        let mut disturbed = BTreeSet::new();
        for (router, passed) in passed.iter().enumerate().skip(1) {
            let own = before(router);
            for one in passed.iter().filter(|one| one.at_ns >= at_ns) {
                if lost.contains(&one.flow) {
                    moved.insert(one.flow);
                    first_ns = first_ns.into_iter().chain([one.at_ns]).min();
                } else if !own.contains(&one.flow) {
                    disturbed.insert(one.flow);
                }
            }
        }
        // All flows move with the one store: from the first one on, nothing goes by the lost router.
        let late = passed[0].iter().filter(|one| first_ns.is_some_and(|first| one.at_ns > first + STORE_NS)).count();
        let stores = log::stores(self.deployment.pop());
        Effect {
            moved_after_ns: first_ns.filter(|_| moved == lost).map(|first| first - at_ns),
            late,
            disturbed,
            cells: stores[known..].iter().map(|(cells, _)| cells).sum(),
        }
    }
}

/// Loses router 0 again and again by `lose`, brings it back by `restore`, and checks times, cells and flows.
fn lose_and_restore(what: &str, routers: u8, lose: impl Fn(&mut Scene) -> u64, restore: impl Fn(&mut Scene)) {
    let mut scene = Scene::new(routers);
    let spread = scene.spread(AFTER);
    assert!(spread.iter().all(|flows| !flows.is_empty()), "{spread:?}");
    assert_eq!(spread.iter().map(BTreeSet::len).sum::<usize>(), FLOWS as usize, "{spread:?}");
    let mut times_ns = Vec::new();
    for run in 0..RUNS {
        let effect = scene.lose_first(&lose);
        assert_eq!(effect.cells, 1, "{what}, run {run}");
        assert_eq!((effect.late, effect.disturbed), (0, BTreeSet::new()), "{what}, run {run}");
        let moved_after_ns = effect.moved_after_ns;
        times_ns.push(moved_after_ns.unwrap_or_else(|| panic!("{what}, run {run}: flows stayed away")));
        restore(&mut scene);
        scene.wait_for_spread(&spread);
    }
    let figures = Figures::of(&times_ns);
    eprintln!("{what}, {routers} routers: {figures}; 1 cell each");
    assert!(figures.median_ms < LIMIT_MS, "{what}: {figures}");
}

fn neighbour_fails(scene: &mut Scene) -> u64 {
    // It does not answer any more, or the kernel would find it again at once.
    scene.routers[0].run("link set rt_pop0 arp off").unwrap();
    sleep(Duration::from_millis(20));
    scene.pop.run("neigh replace 10.3.0.1 dev bb0 nud failed").unwrap()
}

fn neighbour_answers(scene: &mut Scene) {
    scene.routers[0].run("link set rt_pop0 arp on").unwrap();
    let mac = mac_of_router(scene);
    scene.pop.run(&format!("neigh replace 10.3.0.1 dev bb0 lladdr {mac} nud reachable")).unwrap();
}

fn mac_of_router(scene: &Scene) -> String {
    let link = scene.deployment.lab.routers[0].ip("-json link show rt_pop0").unwrap();
    let link: serde_json::Value = serde_json::from_str(&link).unwrap();
    link[0]["address"].as_str().unwrap().to_owned()
}

#[test]
fn a_failed_neighbour_is_one_cell_and_its_flows_move() {
    require_root!();
    lose_and_restore("neighbour failed", 2, neighbour_fails, neighbour_answers);
    lose_and_restore("neighbour failed", 3, neighbour_fails, neighbour_answers);
}

#[test]
fn a_link_that_goes_down_at_the_router_is_one_cell_and_its_flows_move() {
    require_root!();
    for routers in [2, 3] {
        lose_and_restore(
            "link down at the router",
            routers,
            |scene| scene.routers[0].run("link set rt_pop0 down").unwrap(),
            |scene| {
                scene.routers[0].run("link set rt_pop0 up").unwrap();
            },
        );
    }
}

#[test]
fn a_route_that_loses_a_member_is_one_cell_and_its_flows_move() {
    require_root!();
    for routers in [2, 3] {
        let hops = |from: u8| -> String {
            (from..routers)
                .flat_map(|router| [" nexthop via 10.3.".to_owned(), router.to_string(), ".1".to_owned()])
                .collect()
        };
        lose_and_restore(
            "route without the router",
            routers,
            |scene| scene.pop.run(&format!("route replace 10.4.0.0/16{}", hops(1))).unwrap(),
            |scene| {
                scene.pop.run(&format!("route replace 10.4.0.0/16{}", hops(0))).unwrap();
            },
        );
    }
}

#[test]
fn a_new_mac_of_a_router_is_one_cell_and_frames_carry_it() {
    require_root!();
    let mut scene = Scene::new(2);
    let mut times_ns = Vec::new();
    for run in 0..RUNS as u8 {
        let known = log::stores(scene.deployment.pop()).len();
        let mac = [2, 0, 0, 0, 9, run];
        let text = mac.map(|byte| format!("{byte:02x}")).join(":");
        let tap = Tap::start(&scene.deployment.lab.routers[0], "rt_pop0").unwrap();
        scene.routers[0].run(&format!("link set rt_pop0 address {text}")).unwrap();
        sleep(Duration::from_millis(30));
        let line = format!("neigh replace 10.3.0.1 dev bb0 lladdr {text} nud reachable");
        let at_ns = scene.pop.run(&line).unwrap();
        sleep(AFTER);
        let passed = tap.stop();
        let first = passed.iter().find(|one| one.mac == mac).map(|one| one.at_ns);
        let late = passed.iter().filter(|one| one.mac != mac && Some(one.at_ns) > first).count();
        assert_eq!(late, 0, "run {run}: frames for the old MAC behind one for the new");
        times_ns.push(first.expect("a frame for the new MAC").saturating_sub(at_ns));
        let stores = log::stores(scene.deployment.pop());
        assert_eq!(stores[known..].iter().map(|(cells, _)| cells).sum::<u64>(), 1, "run {run}: {:?}", &stores[known..]);
        assert_eq!(stores[known..].iter().map(|(_, entries)| entries).sum::<u64>(), 0, "run {run}");
    }
    let figures = Figures::of(&times_ns);
    eprintln!("new MAC: {figures}; 1 cell each");
    assert!(figures.median_ms < LIMIT_MS, "{figures}");
}

#[test]
fn interfaces_of_the_pop_flap_and_flows_come_back() {
    require_root!();
    let mut scene = Scene::new(2);
    let spread = scene.spread(AFTER);
    let effect = scene.lose_first(|scene| scene.pop.run("link set bb0 down").unwrap());
    eprintln!("bb0 down: {:?} ns, {} cells", effect.moved_after_ns, effect.cells);
    assert!(effect.moved_after_ns.is_some(), "flows of bb0 stayed away");
    assert_eq!(effect.disturbed, BTreeSet::new());
    scene.pop.run("link set bb0 up").unwrap();
    scene.wait_for_spread(&spread);

    scene.pop.run("link set in0 down").unwrap();
    sleep(BEFORE);
    scene.pop.run("link set in0 up").unwrap();
    let (began, received) = (now_ns(), scene.stream.received());
    wait_for("datagram after in0 came up", Duration::from_secs(5), || {
        (scene.stream.received() > received + 100).then_some(())
    })
    .unwrap();
    eprintln!("in0 up: datagrams after {} ms", (now_ns() - began) / 1_000_000);
    scene.wait_for_spread(&spread);
}
