//! The backends that are probed, each with its state and what its probes came to.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    DownSet, Target,
    memory::{Memory, Record},
    penalty::Penalty,
    probe::ProbeError,
    state::{Machine, Rules, Transition},
    view::{BackendHealth, HealthState, LastProbe},
};
use crate::desired::{Check, Health};

/// Penalties below it are as good as none.
const PENALTY_MIN: f64 = 1.0;

/// One backend.
pub struct Entry {
    pub target: Target,
    machine: Machine,
    /// The probe that is under way.
    pub in_flight: Option<InFlight>,
    /// Its pool has come back then, and it is not in the down set until a probe says once more that it is down.
    awaited_since: Option<Instant>,
    since: Option<Duration>,
    last: Option<(Duration, Option<ProbeError>)>,
    rtt: Option<Duration>,
    transitions: u64,
    successes: u64,
    failures: u64,
    not_sent: u64,
}

/// A probe that is under way.
#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    /// Of this probe alone.
    pub nonce: u64,
    pub began: Instant,
}

/// All of them. A backend keeps its slot for as long as it is there.
#[derive(Default)]
pub struct Targets {
    slots: Vec<Option<Entry>>,
    at: HashMap<(String, IpAddr), usize>,
    free: Vec<usize>,
}

/// What another list of targets changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Slots of backends that are new, or have another check: when they are probed is for the caller to say.
    pub due: Vec<usize>,
    /// Slots that are empty now.
    pub gone: Vec<usize>,
}

impl Targets {
    /// Takes another list. What is known of backends that stay stays known; of new ones what `memory` has is.
    pub fn follow(&mut self, targets: Vec<Target>, memory: &mut Memory) -> Followed {
        let mut followed = Followed::default();
        let mut gone = std::mem::take(&mut self.at);
        for target in targets {
            let key = (target.pool.clone(), target.backend);
            let slot = gone.remove(&key);
            if let Some((slot, entry)) = slot.and_then(|slot| Some((slot, self.slots.get_mut(slot)?.as_mut()?))) {
                if !is_same_check(&entry.target, &target) {
                    entry.machine.forget_row();
                    entry.in_flight = None;
                    followed.due.push(slot);
                }
                entry.target = target;
                self.at.insert(key, slot);
                continue;
            }
            let entry = Entry::new(target, memory);
            let slot = self.free.pop().unwrap_or_else(|| {
                self.slots.push(None);
                self.slots.len() - 1
            });
            self.slots[slot] = Some(entry);
            // One that is named twice is one.
            if let Some(twice) = self.at.insert(key, slot) {
                self.slots[twice] = None;
                self.free.push(twice);
                followed.due.retain(|due| *due != twice);
            }
            followed.due.push(slot);
        }
        for slot in gone.into_values() {
            self.slots[slot] = None;
            self.free.push(slot);
            followed.gone.push(slot);
        }
        followed
    }

    /// The backend in a slot.
    pub fn get(&mut self, slot: usize) -> Option<&mut Entry> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// The backend in a slot has come up. Where it is the first of its pool, or of all, the others of those are waited for until
    /// their next probes have failed: a way that is back is mostly back for all of them, and slots that they would give away for a
    /// moment, or pools, would move the flows that come back with it.
    pub fn await_others(&mut self, slot: usize, now: Instant, half_life: Duration) {
        let Some(pool) = self.get(slot).map(|entry| entry.target.pool.clone()) else { return };
        let others = self.slots.iter_mut().enumerate().filter(|(other, _)| *other != slot);
        let mut others: Vec<_> = others.filter_map(|(_, entry)| entry.as_mut()).collect();
        let is_first_of_all = others.iter().all(|entry| entry.machine.is_down());
        others.retain(|entry| is_first_of_all || entry.target.pool == pool);
        if others.iter().all(|entry| entry.machine.is_down()) {
            for entry in others.into_iter().filter(|entry| entry.machine.suppressed_until(half_life).is_none()) {
                entry.awaited_since = Some(now);
            }
        }
    }

    /// The backends that are down, but for those that are waited for.
    pub fn down(&self) -> DownSet {
        let down = self.entries().filter(|entry| entry.machine.is_down() && entry.awaited_since.is_none());
        down.map(|entry| (entry.target.pool.clone(), entry.target.backend)).collect()
    }

    /// The backends of a pool, or one of them, by address.
    pub fn of(&self, pool: &str, backend: Option<IpAddr>) -> impl Iterator<Item = &Target> {
        let is_wanted =
            move |target: &&Target| target.pool == pool && backend.is_none_or(|backend| target.backend == backend);
        let mut targets: Vec<_> = self.entries().map(|entry| &entry.target).filter(is_wanted).collect();
        targets.sort_by_key(|target| target.backend);
        targets.into_iter()
    }

    /// What is worth to be remembered.
    pub fn records(&self, now: Duration, half_life: Duration) -> Vec<Record> {
        self.entries().filter_map(|entry| entry.record(now, half_life)).collect()
    }

    /// What is shown.
    pub fn view(&self, now: Duration, half_life: Duration) -> Vec<BackendHealth> {
        let mut shown: Vec<_> = self.entries().map(|entry| entry.view(now, half_life)).collect();
        shown.sort_by(|one, other| (&one.pool, one.backend).cmp(&(&other.pool, other.backend)));
        shown
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().flatten()
    }
}

/// May results in a row go on to be counted?
fn is_same_check(one: &Target, other: &Target) -> bool {
    let is_same_health = Arc::ptr_eq(&one.health, &other.health) || one.health == other.health;
    is_same_health && one.vip == other.vip && one.backend_index == other.backend_index
}

impl Entry {
    fn new(target: Target, memory: &mut Memory) -> Self {
        let known = memory.take(&target.pool, target.backend);
        let machine = known.as_ref().map(|known| {
            let penalty = Penalty::new(known.penalty, Duration::from_millis(known.at_ms));
            Machine::restored(known.is_down, known.is_suppressed, penalty)
        });
        Self {
            target,
            machine: machine.unwrap_or_default(),
            in_flight: None,
            awaited_since: None,
            since: known.as_ref().map(|known| Duration::from_millis(known.since_ms)),
            last: None,
            rtt: None,
            transitions: known.map_or(0, |known| known.transitions),
            successes: 0,
            failures: 0,
            not_sent: 0,
        }
    }

    /// Takes in what a probe came to that took so long.
    pub fn take(
        &mut self,
        result: Result<(), ProbeError>,
        took: Duration,
        now: Duration,
        half_life: Duration,
    ) -> Option<Transition> {
        self.in_flight = None;
        let Health { rise, fall, .. } = *self.target.health;
        let is_success = result.is_ok();
        let is_own = result.as_ref().is_err_and(ProbeError::is_own);
        self.last = Some((now, result.err()));
        if is_own {
            self.not_sent += 1;
            return None;
        }
        if is_success {
            self.successes += 1;
            self.rtt = Some(took);
        } else {
            self.failures += 1;
        }
        let transition = self.machine.step(is_success, now, Rules { rise, fall, half_life })?;
        self.since = Some(now);
        self.transitions += 1;
        Some(transition)
    }

    /// Its last probe began then. `true`: it is waited for no longer.
    pub fn is_given_up(&mut self, began: Instant) -> bool {
        let is_down = self.machine.is_down();
        let has_failed = |since: Instant| began > since && self.error().is_some();
        let is_given_up = self.awaited_since.is_some_and(|since| !is_down || has_failed(since));
        if is_given_up {
            self.awaited_since = None;
        }
        is_given_up
    }

    /// Why the last probe was no success, if it was none.
    pub fn error(&self) -> Option<&ProbeError> {
        self.last.as_ref()?.1.as_ref()
    }

    fn record(&self, now: Duration, half_life: Duration) -> Option<Record> {
        let penalty = self.machine.penalty(now, half_life);
        let is_worth = self.machine.is_down() || penalty >= PENALTY_MIN;
        is_worth.then(|| Record {
            pool: self.target.pool.clone(),
            backend: self.target.backend,
            is_down: self.machine.is_down(),
            is_suppressed: self.machine.suppressed_until(half_life).is_some(),
            penalty,
            at_ms: now.as_millis() as u64,
            since_ms: self.since.unwrap_or(now).as_millis() as u64,
            transitions: self.transitions,
        })
    }

    fn view(&self, now: Duration, half_life: Duration) -> BackendHealth {
        let ago = |then: Duration| now.saturating_sub(then).as_secs_f64();
        let suppressed = self.machine.suppressed_until(half_life).map(|until| until.saturating_sub(now));
        BackendHealth {
            pool: self.target.pool.clone(),
            backend: self.target.backend,
            backend_index: self.target.backend_index,
            vip: self.target.vip,
            check: name_of(&self.target.health.check),
            state: if self.machine.is_down() { HealthState::Down } else { HealthState::Up },
            since_secs: self.since.map(ago),
            last: self.last.as_ref().map(|(then, error)| LastProbe {
                ago_secs: ago(*then),
                error: error.as_ref().map(ToString::to_string),
            }),
            rtt_us: self.rtt.map(|rtt| rtt.as_micros() as u64),
            penalty: self.machine.penalty(now, half_life),
            suppressed_secs: suppressed.filter(|left| !left.is_zero()).map(|left| left.as_secs_f64()),
            transitions: self.transitions,
            successes: self.successes,
            failures: self.failures,
            not_sent: self.not_sent,
        }
    }
}

/// A check in a word.
pub fn name_of(check: &Check) -> String {
    match check {
        Check::Icmp => "icmp".to_owned(),
        Check::Tcp { port } => format!("tcp/{port}"),
        Check::Http { port, tls, .. } => format!("{}/{port}", if *tls { "https" } else { "http" }),
        Check::Udp { port, .. } => format!("udp/{port}"),
        Check::Dns { port, .. } => format!("dns/{port}"),
    }
}
