//! Who is in the down set.

use super::*;
use crate::desired::examples::icmp_check;

const HALF_LIFE: Duration = Duration::from_mins(1);

/// Three backends of a home region, and those above of another one.
fn targets(count: u8) -> Targets {
    let health = Arc::new(icmp_check());
    let target = |host| Target {
        pool: if host <= 3 { "home" } else { "away" }.to_owned(),
        backend: IpAddr::from([10, 0, 0, host]),
        backend_index: host.into(),
        vip: IpAddr::from([192, 0, 2, 1]),
        health: Arc::clone(&health),
    };
    let mut targets = Targets::default();
    targets.follow((1..=count).map(target).collect(), &mut Memory::default());
    targets
}

/// What the worker does with results of a slot whose probes began then: who is in the down set after each.
fn feed(targets: &mut Targets, slot: usize, results: &str, began: Instant) -> Vec<usize> {
    let after = |result| {
        let error = ProbeError::Timeout { what: "echo reply", after: Duration::from_secs(1) };
        let result = if result == '+' { Ok(()) } else { Err(error) };
        let entry = targets.get(slot).expect("a backend");
        let transition = entry.take(result, Duration::ZERO, Duration::ZERO, HALF_LIFE);
        entry.is_given_up(began);
        if transition == Some(Transition::Up) {
            targets.await_others(slot, began, HALF_LIFE);
        }
        targets.down().len()
    };
    results.chars().map(after).collect()
}

#[test]
fn others_of_a_pool_that_comes_back_are_waited_for_until_their_next_probe_fails() {
    let mut targets = targets(3);
    let begin = Instant::now();
    let later = |secs| begin + Duration::from_secs(secs);
    for slot in 0..3 {
        feed(&mut targets, slot, "---", begin);
    }
    assert_eq!(targets.down().len(), 3);
    assert_eq!(feed(&mut targets, 0, "++", later(1)), [3, 0]);
    // One that was on its way already says nothing.
    assert_eq!(feed(&mut targets, 1, "-", later(1)), [0]);
    assert_eq!(feed(&mut targets, 1, "++", later(2)), [0, 0]);
    assert_eq!(feed(&mut targets, 2, "+-", later(2)), [0, 1]);
    // Where others are up nobody is waited for.
    assert_eq!(feed(&mut targets, 2, "++", later(3)), [1, 0]);
    assert_eq!(feed(&mut targets, 2, "---", later(4)), [0, 0, 1]);
}

#[test]
fn where_all_pools_were_lost_all_are_waited_for() {
    let mut targets = targets(5);
    let begin = Instant::now();
    let later = |secs| begin + Duration::from_secs(secs);
    for slot in 0..5 {
        feed(&mut targets, slot, "---", begin);
    }
    assert_eq!(feed(&mut targets, 3, "++", later(1)), [5, 0]);
    assert_eq!(feed(&mut targets, 0, "-", later(2)), [1]);
    // A pool that comes back while another one is there is waited for alone.
    for slot in [0, 1, 2, 4] {
        feed(&mut targets, slot, "---", later(3));
    }
    assert_eq!(feed(&mut targets, 1, "++", later(4)), [4, 1]);
}

#[test]
fn backend_that_flaps_is_not_waited_for() {
    let mut targets = targets(2);
    let begin = Instant::now();
    feed(&mut targets, 1, &"---++".repeat(4), begin);
    feed(&mut targets, 0, "---", begin);
    assert_eq!(feed(&mut targets, 0, "++", begin), [2, 1]);
}
