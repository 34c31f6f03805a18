//! The daemon is killed at any instant while services are applied, and started again: store and maps come to one state,
//! and packets of VIPs that no apply touches do not notice.
//!
//! `AXDP_KILLS` is how often; a few times by default.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use anycast_tests::{
    lab::{
        Lab, Topology,
        api::{Api, TOML},
        controlled::{Controlled, ServicesFile},
        stream::{NumberedStream, StreamSpec},
        topology::Family,
        wait::wait_for,
    },
    require_root,
};
use anycast_xdp::{
    documents::{Documents, Kind},
    store::{Repository, SqliteStore},
};
use rusqlite::Connection;

const STREAM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 44));
const PROBED: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 50));
const PORT: u16 = 6000;
/// Leaves a busy machine time for starts.
const RATE_PPS: u32 = 10_000;
/// Longest time from one kill to the next one; an apply takes some 100 ms.
const LIFE: Duration = Duration::from_millis(400);

fn kills() -> usize {
    std::env::var("AXDP_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// Services that differ in everything but the VIP of the stream.
fn services(lab: &Lab, random: &mut fastrand::Rng) -> ServicesFile {
    let homes = [lab.home_address(Family::V4), lab.home_address(Family::V6)];
    let mut weight = || random.u16(1..200);
    let pools = [[homes[0], homes[1]], [homes[1], homes[0]]].map(|[one, other]| [(one, weight()), (other, weight())]);
    let mut file = ServicesFile::default().pool("stream", &[(homes[0], 100), (homes[1], 100)]);
    file = file.pool("one", &pools[0]).pool("other", &pools[1]).vip("stream", STREAM, "stream", "");
    let pool = |random: &mut fastrand::Rng| ["stream", "one", "other"][random.usize(..3)];
    file = file.vip("probed", PROBED, pool(random), "");
    for host in 60..90 {
        if random.bool() {
            let listeners = ["", "listeners = [\"tcp/80\"]\n", "hash = \"source\"\n"][random.usize(..3)];
            file = file.vip(&format!("vip-{host}"), [192, 0, 2, host].into(), pool(random), listeners);
        }
    }
    file
}

/// Applies one after another until told to stop, whether the daemon lives or not.
fn apply_all_the_time(api: &Api, lab: &Lab, stop: &AtomicBool, answered: &AtomicU64) -> u64 {
    let mut random = fastrand::Rng::with_seed(1);
    let mut asked = 0;
    while !stop.load(Ordering::SeqCst) {
        let file = services(lab, &mut random);
        let path = if random.bool() { "/v1/apply?force=true" } else { "/v1/apply?force=true&wait=true" };
        match api.request("post", path).body(TOML, file.text()).send() {
            Ok(answer) => {
                let made = answer.good().unwrap();
                answered.fetch_max(made["revision"].as_u64().unwrap(), Ordering::SeqCst);
                asked += 1;
            }
            // It is dead.
            Err(_) => sleep(Duration::from_millis(10)),
        }
    }
    asked
}

/// The head, by a store of another process: all of its chunks are there, and SQLite finds nothing wrong.
fn head(file: &Path) -> (u64, Documents) {
    let connection = Connection::open(file).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let snapshot = runtime.block_on(async {
        let repository = Repository::new(SqliteStore::open(file).await.unwrap());
        repository.load_head().await.unwrap().unwrap()
    });
    (snapshot.record.revision, snapshot.documents)
}

/// Waits until the maps have the head, and holds them against it.
fn assert_converged(controlled: &Controlled) -> u64 {
    let applied = || {
        let state = controlled.api.get("/v1/reconciler").unwrap();
        (state["state"] == "applied").then_some(state)
    };
    let state = wait_for("applied head", Duration::from_secs(10), applied).unwrap();
    let (revision, documents) = head(&Controlled::store(&controlled.lab));
    assert_eq!((&state["revision"], &state["applied_revision"]), (&revision.into(), &revision.into()));
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let wanted = documents.of(Kind::Vip).map(|(name, vip)| {
        let hash = vip.get("hash").map_or_else(|| "addresses".to_owned(), text);
        let listeners = vip.get("listeners").cloned().unwrap_or_else(|| serde_json::json!([]));
        // Where there are ports, they count unless somebody says otherwise.
        let hash = if listeners == serde_json::json!([]) { hash } else { "5-tuple".to_owned() };
        (name.to_owned(), (text(&vip["address"]), text(&vip["pool"]), hash, listeners))
    });
    let found = controlled.vips().unwrap().into_iter().map(|vip| {
        (text(&vip["name"]), (text(&vip["address"]), text(&vip["pool"]), text(&vip["hash"]), vip["listeners"].clone()))
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), wanted.collect::<BTreeMap<_, _>>());
    revision
}

/// Every datagram for a VIP of the head is forwarded.
fn assert_forwards(controlled: &Controlled) {
    let Controlled { lab, pop, .. } = controlled;
    let before = pop.stats().unwrap().vip_packets("probed", "forwarded");
    let spec = StreamSpec::new(SocketAddr::new(PROBED, PORT), 2000).flows(16);
    let stream = NumberedStream::start(&lab.site().client, &lab.home, &spec).unwrap();
    sleep(Duration::from_millis(50));
    let report = stream.stop().unwrap();
    assert_eq!((report.lost, report.duplicated), (0, 0), "{report:?}");
    let stats = pop.stats().unwrap();
    stats.assert_law();
    assert_eq!(stats.vip_packets("probed", "forwarded") - before, report.sent);
}

#[test]
fn daemon_killed_at_any_instant_of_applies_comes_back_to_the_head() {
    require_root!();
    let mut controlled = Controlled::new(Topology::pop_and_home(), &[STREAM, PROBED]).unwrap();
    let mut random = fastrand::Rng::with_seed(2);
    controlled.api.apply(services(&controlled.lab, &mut random).text()).unwrap();
    let spec = StreamSpec::new(SocketAddr::new(STREAM, PORT), RATE_PPS).flows(8);
    let before = controlled.pop.stats().unwrap().vip_packets("stream", "forwarded");
    let stream = NumberedStream::start(&controlled.lab.site().client, &controlled.lab.home, &spec).unwrap();
    let answered = AtomicU64::new(0);
    let (mut applies, mut starts) = (0, Vec::new());
    let began = Instant::now();
    for run in 0..kills() {
        let stop = AtomicBool::new(false);
        applies += std::thread::scope(|scope| {
            let Controlled { api, lab, pop, .. } = &mut controlled;
            let (api, lab) = (&*api, &*lab);
            let applying = scope.spawn(|| apply_all_the_time(api, lab, &stop, &answered));
            sleep(LIFE.mul_f64(random.f64()));
            pop.kill().unwrap();
            stop.store(true, Ordering::SeqCst);
            applying.join().unwrap()
        });
        starts.push(controlled.pop.resume().unwrap());
        let revision = assert_converged(&controlled);
        assert!(revision >= answered.load(Ordering::SeqCst), "an answered change is gone");
        if run % 5 == 4 {
            assert_forwards(&controlled);
        }
    }
    let took = began.elapsed();
    let report = stream.stop().unwrap();
    println!("{} kills in {took:?}, {applies} applies answered, head {}", kills(), assert_converged(&controlled));
    println!("slowest start {:?}, stream {report:?}", starts.iter().max().unwrap());
    assert_eq!((report.lost - report.receiver_overflows, report.duplicated), (0, 0), "{report:?}");
    let stats = controlled.pop.stats().unwrap();
    assert_eq!(stats.vip_packets("stream", "forwarded") - before, report.sent);
    // What every daemon built for itself was cleared by the next.
    for row in controlled.pop.status().unwrap()["tables"].as_array().unwrap() {
        let (name, used) = (&row["name"], row["used"].as_u64().unwrap());
        let expected = if name == "slots" { u64::MAX } else { 64 };
        assert!(used <= expected, "{row}");
    }
}
