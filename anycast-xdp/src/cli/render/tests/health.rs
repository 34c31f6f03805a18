//! `health` and `health check`.

use crate::{
    cli::render::{Style, checked, health},
    health::view::{BackendHealth, HealthState, LastProbe, ProbeTold, StepTold},
};

fn backend(host: u8) -> BackendHealth {
    BackendHealth {
        pool: "home".to_owned(),
        backend: [10, 4, 0, host].into(),
        backend_index: host.into(),
        vip: [192, 0, 2, 80].into(),
        check: "http/80".to_owned(),
        state: HealthState::Up,
        since_secs: None,
        last: Some(LastProbe { ago_secs: 0.4, error: None }),
        rtt_us: Some(31_234),
        penalty: 0.0,
        suppressed_secs: None,
        transitions: 0,
        successes: 912,
        failures: 0,
        not_sent: 0,
    }
}

#[test]
fn health_tells_who_is_down_and_why() {
    let new = BackendHealth { last: None, rtt_us: None, successes: 0, ..backend(3) };
    let error = |error: &str| Some(LastProbe { ago_secs: 0.4021, error: Some(error.to_owned()) });
    let down = BackendHealth {
        state: HealthState::Down,
        since_secs: Some(14.2),
        last: error("status 503 Service Unavailable, not of 200 to 399"),
        penalty: 851.4,
        failures: 14,
        transitions: 1,
        ..backend(4)
    };
    let flapping = BackendHealth {
        state: HealthState::Down,
        since_secs: Some(7300.0),
        last: error("no TCP connection within 800ms"),
        penalty: 3170.0,
        suppressed_secs: Some(64.7),
        transitions: 7,
        ..backend(5)
    };
    insta::assert_snapshot!(health(&[backend(2), new, down, flapping], Style { width: Some(80), ..Style::default() }));
    assert_eq!(health(&[], Style::default()), "no pool has a check\n");
}

#[test]
fn probe_is_told_step_by_step() {
    let step = |after_us, what: &str| StepTold { after_us, what: what.to_owned() };
    let probe = |host, steps, error: Option<&str>| ProbeTold {
        pool: "home".to_owned(),
        backend: [10, 4, 0, host].into(),
        vip: [192, 0, 2, 80].into(),
        check: "http/80".to_owned(),
        error: error.map(str::to_owned),
        took_us: 62_931,
        steps,
    };
    let syn = step(84, "SYN to 192.0.2.80:80 from 10.3.0.9, mark 0xa0000007");
    let good = probe(2, vec![syn.clone(), step(31_310, "connected"), step(62_918, "status 200 OK")], None);
    let bad = probe(3, vec![syn], Some("no TCP connection within 800ms"));
    insta::assert_snapshot!(checked(&[good, bad]));
}
