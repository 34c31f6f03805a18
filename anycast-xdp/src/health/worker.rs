//! The loop of probes, on a thread of its own: a daemon that is busy finds nothing out later.

use std::{
    net::IpAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{
    DownSet, Target,
    connections::Connections,
    echo::Echoes,
    memory::Memory,
    probe::{
        ProbeError, Subject,
        icmp::{Echo, Outgoing},
        probe,
        steps::Steps,
    },
    schedule::{Schedule, jittered, spread, until},
    source_for,
    state::Transition,
    targets::{InFlight, Targets, name_of},
    view::{BackendHealth, CheckQuery},
};
use crate::desired::{Check, Health, HealthFacts};

/// How much later than due a probe may be, so that those of many backends go in one system call.
const TICK: Duration = Duration::from_millis(2);
/// The file is written at most so often.
const SAVE_EVERY: Duration = Duration::from_millis(500);

/// What is asked of the loop. It ends when nobody can ask any more.
pub enum Command {
    /// Probe these, from these addresses.
    Follow(HealthFacts, Vec<Target>),
    /// Tell what is known.
    View(oneshot::Sender<Vec<BackendHealth>>),
    /// Tell which backends these are, and where their probes come from.
    Targets(CheckQuery, oneshot::Sender<Vec<(Target, Option<IpAddr>)>>),
}

/// What a probe came to that has a task of its own.
struct Done {
    slot: usize,
    nonce: u64,
    result: Result<(), ProbeError>,
}

pub struct Worker {
    commands: mpsc::UnboundedReceiver<Command>,
    down: watch::Sender<DownSet>,
    directory: PathBuf,
    memory: Memory,
    facts: HealthFacts,
    targets: Targets,
    schedule: Schedule,
    echoes: Echoes,
    connections: Connections,
    probes: JoinSet<Done>,
    /// The kernel's monotonic clock at an instant.
    clock: (Duration, Instant),
    saved_at: Option<Instant>,
    is_changed: bool,
    is_unsaved: bool,
}

impl Worker {
    pub fn new(
        commands: mpsc::UnboundedReceiver<Command>,
        down: watch::Sender<DownSet>,
        directory: PathBuf,
        memory: Memory,
        now: Duration,
    ) -> Self {
        Self {
            commands,
            down,
            directory,
            memory,
            facts: HealthFacts::default(),
            targets: Targets::default(),
            schedule: Schedule::default(),
            echoes: Echoes::default(),
            connections: Connections::default(),
            probes: JoinSet::new(),
            clock: (now, Instant::now()),
            saved_at: None,
            is_changed: false,
            is_unsaved: false,
        }
    }

    pub async fn run(mut self) {
        loop {
            let save_at = self.is_unsaved.then(|| self.saved_at.map_or_else(Instant::now, |at| at + SAVE_EVERY));
            let due_at = self.schedule.next().map(|at| at + TICK);
            let wake_at = save_at.into_iter().chain(due_at).min();
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => break,
                },
                Some(done) = self.probes.join_next() => self.take(done),
                () = self.echoes.readable() => {}
                () = self.connections.readable() => {}
                () = until(wake_at) => {}
            }
            while let Some(done) = self.probes.try_join_next() {
                self.take(done);
            }
            // What has come is taken in before anything is found to be late.
            self.hear();
            self.probe_due();
            self.publish();
        }
        self.save();
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Follow(facts, targets) => self.follow(facts, targets),
            Command::View(answer) => {
                let view = self.targets.view(self.monotonic(Instant::now()), self.facts.damping_half_life);
                // Whoever asked may have gone.
                let _ = answer.send(view);
            }
            Command::Targets(query, answer) => {
                let targets = self.targets.of(&query.pool, query.backend);
                let sourced = targets.map(|target| (target.clone(), source_for(&self.facts, target.vip)));
                let _ = answer.send(sourced.collect());
            }
        }
    }

    fn follow(&mut self, facts: HealthFacts, targets: Vec<Target>) {
        self.echoes.follow(&facts);
        self.facts = facts;
        let followed = self.targets.follow(targets, &mut self.memory);
        // What nobody asked for is of backends that are no more.
        self.memory = Memory::default();
        for slot in followed.gone {
            self.schedule.clear(slot);
            self.connections.end(slot);
        }
        let (now, count) = (Instant::now(), followed.due.len());
        for (position, slot) in followed.due.into_iter().enumerate() {
            if let Some(entry) = self.targets.get(slot) {
                self.connections.end(slot);
                let after = spread(entry.target.health.interval, position, count);
                self.schedule.set(slot, now + after);
            }
        }
        self.is_changed = true;
    }

    /// Begins the probes that are due, and ends those that are late.
    fn probe_due(&mut self) {
        let now = Instant::now();
        while let Some(slot) = self.schedule.pop(now) {
            let Some(entry) = self.targets.get(slot) else { continue };
            match entry.in_flight {
                Some(InFlight { nonce, .. }) => {
                    let Health { ref check, timeout: after, .. } = *entry.target.health;
                    let what = if *check == Check::Icmp { "echo reply" } else { "TCP connection" };
                    self.connections.end(slot);
                    self.finish(slot, nonce, Err(ProbeError::Timeout { what, after }), now);
                }
                None => self.begin(slot, now),
            }
        }
        let mut failed = Vec::new();
        self.echoes.send(|echo, error| failed.push((echo, error)));
        for (echo, error) in failed {
            self.finish(echo.slot as usize, echo.nonce, Err(error), now);
        }
    }

    fn begin(&mut self, slot: usize, now: Instant) {
        let Some(entry) = self.targets.get(slot) else { return };
        let nonce = fastrand::u64(..);
        entry.in_flight = Some(InFlight { nonce, began: now });
        let Target { backend_index, vip, ref health, .. } = entry.target;
        let Some(source) = source_for(&self.facts, vip) else {
            self.finish(slot, nonce, Err(ProbeError::NotSent("no health address".to_owned())), now);
            return;
        };
        let (subject, timeout) = (Subject { vip, source, backend_index, health: health.clone() }, health.timeout);
        match health.check {
            Check::Icmp => {
                let echo = Echo { slot: slot as u32, backend_index, nonce };
                self.echoes.push(Outgoing { to: vip, mark: subject.mark(), echo });
            }
            Check::Tcp { port } => {
                if let Err(error) = self.connections.begin(slot, nonce, &subject, port) {
                    self.finish(slot, nonce, Err(error), now);
                    return;
                }
            }
            Check::Http { .. } | Check::Udp { .. } | Check::Dns { .. } => {
                self.probes.spawn(async move {
                    let result = probe(&subject, &mut Steps::untold()).await;
                    Done { slot, nonce, result }
                });
                return;
            }
        }
        self.schedule.set(slot, now + timeout);
    }

    fn take(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done { slot, nonce, result }) => self.finish(slot, nonce, result, Instant::now()),
            Err(error) => tracing::error!("a probe has ended without a result: {error}"),
        }
    }

    fn hear(&mut self) {
        let mut replies = Vec::new();
        self.echoes.hear(|echo, at| replies.push((echo, at)));
        for (echo, at) in replies {
            let slot = echo.slot as usize;
            // The index is what tells that this very backend answered what was sent to it.
            if self.targets.get(slot).is_some_and(|entry| entry.target.backend_index == echo.backend_index) {
                self.finish(slot, echo.nonce, Ok(()), at);
            }
        }
        let mut decided = Vec::new();
        self.connections.hear(|slot, nonce, result| decided.push((slot, nonce, result)));
        let now = Instant::now();
        for (slot, nonce, result) in decided {
            self.finish(slot, nonce, result, now);
        }
    }

    /// Takes in what a probe came to, unless it is none of the backend's any more.
    fn finish(&mut self, slot: usize, nonce: u64, result: Result<(), ProbeError>, now: Instant) {
        let monotonic = self.monotonic(now);
        let Some(entry) = self.targets.get(slot) else { return };
        let Some(InFlight { began, .. }) = entry.in_flight.filter(|in_flight| in_flight.nonce == nonce) else { return };
        let took = now.saturating_duration_since(began);
        let half_life = self.facts.damping_half_life;
        let transition = entry.take(result, took, monotonic, half_life);
        self.is_changed |= entry.is_given_up(began);
        let health = &entry.target.health;
        let next = began + jittered(health.interval, health.jitter_percent, fastrand::f64());
        if let Some(transition) = transition {
            let Target { pool, backend, health, .. } = &entry.target;
            let check = name_of(&health.check);
            match transition {
                Transition::Up => tracing::info!(pool, %backend, check, "the backend is up"),
                Transition::Down { is_suppressed } => {
                    let error = entry.error().map(ToString::to_string).unwrap_or_default();
                    tracing::warn!(pool, %backend, check, is_suppressed, "the backend is down: {error}");
                }
            }
            (self.is_changed, self.is_unsaved) = (true, true);
        }
        if transition == Some(Transition::Up) {
            self.targets.await_others(slot, now, half_life);
        }
        self.schedule.set(slot, next.max(now));
    }

    /// Tells the daemon, and the next one.
    fn publish(&mut self) {
        if std::mem::take(&mut self.is_changed) {
            let down = self.targets.down();
            self.down.send_if_modified(|known| {
                let is_other = *known != down;
                if is_other {
                    *known = down;
                }
                is_other
            });
        }
        let now = Instant::now();
        if self.is_unsaved && self.saved_at.is_none_or(|at| now >= at + SAVE_EVERY) {
            self.save();
        }
    }

    fn save(&mut self) {
        let now = Instant::now();
        (self.saved_at, self.is_unsaved) = (Some(now), false);
        let records = self.targets.records(self.monotonic(now), self.facts.damping_half_life);
        if let Err(error) = Memory::write(&self.directory, &records) {
            tracing::warn!("the next daemon does not know which backends are down: {error:#}");
        }
    }

    fn monotonic(&self, at: Instant) -> Duration {
        self.clock.0 + at.saturating_duration_since(self.clock.1)
    }
}
