//! What is learnt, and when it is forgotten: time is given, not waited for.

use std::{net::IpAddr, time::Duration};

use super::{
    address,
    forge::{HOME_V4, HOME_V6, Path},
};
use crate::path_mtu::{Learnt, Told};

const START: Duration = Duration::from_secs(1_000_000);

fn after(secs: u64) -> Duration {
    START + Duration::from_secs(secs)
}

fn told(mtu_bytes: u16) -> Told {
    Told { backend: address(HOME_V4), mtu_bytes }
}

fn mtus(learnt: &Learnt) -> Vec<(IpAddr, u16)> {
    learnt.mtus().into_iter().collect()
}

#[test]
fn learnt_mtu_is_forgotten_after_ten_minutes() {
    let routes = Path::direct().view.routes;
    let route = &routes[&address(HOME_V4)];
    let mut learnt = Learnt::default();
    assert_eq!(learnt.next_expiry(START), None);
    assert!(learnt.learn(told(1450), route, START));
    assert_eq!(learnt.next_expiry(after(100)), Some(Duration::from_secs(500)));
    assert!(learnt.forget(&routes, after(599)).is_empty());
    assert_eq!(mtus(&learnt), [(address(HOME_V4), 1450)]);
    assert_eq!(learnt.forget(&routes, after(600)), [address(HOME_V4)]);
    assert_eq!(mtus(&learnt), []);
    assert_eq!(learnt.next_expiry(after(600)), None);
}

#[test]
fn lower_mtu_is_news_and_holds_from_then_on() {
    let routes = Path::direct().view.routes;
    let route = &routes[&address(HOME_V4)];
    let mut learnt = Learnt::default();
    assert!(learnt.learn(told(1450), route, START));
    for stale in [1450, 1500] {
        assert!(!learnt.learn(told(stale), route, after(1)));
    }
    assert!(learnt.learn(told(1400), route, after(300)));
    assert_eq!(mtus(&learnt), [(address(HOME_V4), 1400)]);
    assert!(learnt.forget(&routes, after(899)).is_empty());
    assert_eq!(learnt.forget(&routes, after(900)), [address(HOME_V4)]);
}

#[test]
fn another_route_is_another_path() {
    let mut routes = Path::direct().view.routes;
    let mut learnt = Learnt::default();
    learnt.learn(told(1450), &routes[&address(HOME_V4)], START);
    learnt.learn(Told { backend: address(HOME_V6), mtu_bytes: 1450 }, &routes[&address(HOME_V6)], START);
    routes.get_mut(&address(HOME_V4)).expect("route").hops[0].via = address("10.3.0.9");
    assert_eq!(learnt.forget(&routes, after(1)), [address(HOME_V4)]);
    routes.remove(&address(HOME_V6));
    assert_eq!(learnt.forget(&routes, after(1)), [address(HOME_V6)]);
}

#[test]
fn file_reads_back_and_a_broken_one_is_an_error() {
    let directory = tempfile::tempdir().expect("directory");
    assert_eq!(Learnt::read(directory.path()).expect("nothing"), Learnt::default());
    let mut learnt = Learnt::default();
    learnt.learn(told(1450), &Path::direct().view.routes[&address(HOME_V4)], START);
    learnt.write(directory.path()).expect("write");
    assert_eq!(Learnt::read(directory.path()).expect("read"), learnt);
    std::fs::write(directory.path().join("learnt-mtus.json"), "[1]").expect("write");
    assert!(Learnt::read(directory.path()).is_err());
}
