//! How soon the prober finds out what has happened, and that it finds nothing else.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anycast_xdp::{
    desired::{Check, Health},
    health::{DownSet, Prober, Target, view::HealthState},
};
use tokio::time::timeout;

use super::{
    lab::{FACTS, Lab, health, ipv4, ipv6},
    servers,
};

/// Beyond `fall` intervals and the timeout.
const SLACK: Duration = Duration::from_millis(200);

fn backend(index: u32) -> IpAddr {
    IpAddr::from([10, 4, (index >> 8) as u8, index as u8])
}

fn target(index: u32, vip: IpAddr, health: &Arc<Health>) -> Target {
    Target { pool: "home".to_owned(), backend: backend(index), backend_index: index, vip, health: Arc::clone(health) }
}

fn down(indexes: &[u32]) -> DownSet {
    indexes.iter().map(|index| ("home".to_owned(), backend(*index))).collect()
}

/// Waits until the down set is another one.
async fn next(prober: &mut Prober, patience: Duration) -> DownSet {
    timeout(patience, prober.changed()).await.expect("the down set does not change");
    prober.down()
}

/// Five backends of one type; the third dies and comes back. Nothing else is ever found.
async fn dies_and_comes_back(lab: &Lab, check: Check, vips: [IpAddr; 5]) {
    let health = health(check);
    let directory = tempfile::tempdir().unwrap();
    let mut prober = Prober::start(directory.path()).unwrap();
    let targets: Vec<_> = vips.into_iter().zip(1..).map(|(vip, index)| target(index, vip, &health)).collect();
    prober.follow(FACTS, targets);
    let quiet = timeout(health.interval * 5, prober.changed()).await;
    assert!(quiet.is_err(), "{:?}: {:?}", health.check, prober.down());

    let victim = vips[2];
    let within = health.interval * u32::from(health.fall) + health.timeout + SLACK;
    lab.kill(victim);
    let killed = Instant::now();
    assert_eq!(next(&mut prober, Duration::from_secs(10)).await, down(&[3]), "{:?}", health.check);
    let found = killed.elapsed();
    lab.revive(victim);
    let revived = Instant::now();
    assert_eq!(next(&mut prober, Duration::from_secs(10)).await, down(&[]), "{:?}", health.check);
    let back = revived.elapsed();
    eprintln!("{:?} by {victim}: down after {found:?}, at most {within:?}; up after {back:?}", health.check);
    assert!(found <= within, "{:?}: {found:?}", health.check);
    assert!(back <= health.interval * u32::from(health.rise) + health.timeout + SLACK, "{:?}: {back:?}", health.check);

    let view = prober.watch().view().await;
    assert_eq!(view.len(), 5);
    for (shown, index) in view.iter().zip(1..) {
        let is_victim = index == 3;
        assert_eq!((shown.backend, shown.state), (backend(index), HealthState::Up));
        assert_eq!(shown.transitions, if is_victim { 2 } else { 0 }, "{shown:?}");
        // A machine that stands still for longer than the timeout fails a probe of anybody's.
        assert_eq!(shown.failures >= health.fall.into(), is_victim, "{shown:?}");
        assert!(shown.successes > 5 && shown.rtt_us.is_some() && shown.not_sent == 0, "{shown:?}");
    }
}

fn vips(first: u8, family: fn(u8) -> IpAddr) -> [IpAddr; 5] {
    [0, 1, 2, 3, 4].map(|at| family(first + at))
}

#[test]
fn backend_that_dies_is_found_in_time_by_every_type_and_family() {
    Lab::run("detection", async |lab| {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let (_nginx, _unbound) = (servers::nginx(&lab, at), servers::unbound(&lab, at));
        for family in [ipv4 as fn(u8) -> IpAddr, ipv6] {
            servers::udp_echo(&lab, &vips(41, family));
            let http = |port, tls| Check::Http { port, tls, host: None, path: "/".to_owned(), status: 200..=399 };
            for (first, check) in [
                (1, Check::Icmp),
                (11, Check::Tcp { port: 80 }),
                (21, http(80, false)),
                (31, http(443, true)),
                (51, Check::Dns { port: 53, name: "health.example".to_owned() }),
            ] {
                dies_and_comes_back(&lab, check, vips(first, family)).await;
            }
        }
        let udp = |expect: &[u8]| Check::Udp { port: 7, send: b"ping".to_vec(), expect: expect.to_vec() };
        dies_and_comes_back(&lab, udp(b"pong"), vips(41, ipv4)).await;
    });
}

#[test]
fn backend_that_flaps_is_kept_down() {
    Lab::run("damping", async |lab| {
        let directory = tempfile::tempdir().unwrap();
        let mut prober = Prober::start(directory.path()).unwrap();
        let check = health(Check::Icmp);
        prober.follow(FACTS, vec![target(1, ipv4(1), &check), target(2, ipv4(2), &check)]);
        let mut falls = 0;
        let suppressed = loop {
            lab.kill(ipv4(1));
            assert_eq!(next(&mut prober, Duration::from_secs(5)).await, down(&[1]));
            falls += 1;
            lab.revive(ipv4(1));
            let view = prober.watch().view().await;
            if let Some(secs) = view[0].suppressed_secs {
                break Duration::from_secs_f64(secs);
            }
            assert_eq!(next(&mut prober, Duration::from_secs(5)).await, down(&[]));
        };
        // The penalty is halved in ten seconds: the fourth fall is too much, or the fifth on a slow machine.
        assert!((4..=5).contains(&falls), "{falls}");
        let began = Instant::now();
        assert_eq!(next(&mut prober, suppressed + Duration::from_secs(5)).await, down(&[]));
        let kept = began.elapsed();
        eprintln!("{falls} falls; kept down for {kept:?} of {suppressed:?}, although it answered");
        assert!(kept + SLACK >= suppressed && suppressed > Duration::from_secs(8), "{kept:?} of {suppressed:?}");
    });
}

#[test]
fn restart_takes_no_dead_backend_back_in_and_no_good_one_out() {
    Lab::run("restart", async |lab| {
        let directory = tempfile::tempdir().unwrap();
        let check = health(Check::Icmp);
        let targets = || vec![target(1, ipv4(1), &check), target(2, ipv6(2), &check)];
        let mut prober = Prober::start(directory.path()).unwrap();
        prober.follow(FACTS, targets());
        lab.kill(ipv4(1));
        assert_eq!(next(&mut prober, Duration::from_secs(5)).await, down(&[1]));
        drop(prober);

        let mut prober = Prober::start(directory.path()).unwrap();
        assert_eq!(prober.down(), down(&[1]), "before it has probed anything");
        prober.follow(FACTS, targets());
        let quiet = timeout(check.interval * 10, prober.changed()).await;
        assert!(quiet.is_err(), "{:?}", prober.down());
        let view = prober.watch().view().await;
        assert!(view[0].penalty > 400.0 && view[0].transitions == 1, "{view:?}");
        lab.revive(ipv4(1));
        assert_eq!(next(&mut prober, Duration::from_secs(5)).await, down(&[]));

        // A backend that is configured no longer is not in the down set.
        lab.kill(ipv4(1));
        assert_eq!(next(&mut prober, Duration::from_secs(5)).await, down(&[1]));
        prober.follow(FACTS, targets().split_off(1));
        assert_eq!(next(&mut prober, Duration::from_secs(5)).await, down(&[]));
    });
}

#[test]
fn probes_that_cannot_be_sent_change_nothing() {
    Lab::run("own", async |_| {
        let directory = tempfile::tempdir().unwrap();
        let (icmp, tcp) = (health(Check::Icmp), health(Check::Tcp { port: 80 }));
        let mut prober = Prober::start(directory.path()).unwrap();
        let mut without = FACTS;
        without.source_ipv4 = Some([10, 9, 9, 9].into());
        without.source_ipv6 = None;
        prober.follow(without, vec![target(1, ipv4(1), &icmp), target(2, ipv4(2), &tcp), target(3, ipv6(3), &icmp)]);
        let quiet = timeout(icmp.interval * 8, prober.changed()).await;
        assert!(quiet.is_err(), "{:?}", prober.down());
        for shown in prober.watch().view().await {
            assert_eq!((shown.successes, shown.failures, shown.not_sent > 3), (0, 0, true), "{shown:?}");
            assert!(shown.last.as_ref().is_some_and(|last| last.error.is_some()), "{shown:?}");
        }
        // As soon as they can be, they are.
        prober.follow(FACTS, vec![target(1, ipv4(1), &icmp), target(3, ipv6(3), &icmp)]);
        tokio::time::sleep(icmp.interval * 3).await;
        for shown in prober.watch().view().await {
            assert!(shown.successes > 0, "{shown:?}");
        }
    });
}
