//! What is pinned and running.

use std::{collections::BTreeMap, fs, io, thread::sleep, time::Duration};

use anyhow::Result;

use crate::{
    dataplane::{bpffs, generations, inspect::Inspector, losses::not_counted, pins::Pins},
    view::{Stats, Status, VipRow},
};

/// How long the counters are watched: what rises meanwhile is wrong now, and not yesterday.
const WATCH: Duration = Duration::from_secs(1);

/// An instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Process id of its running daemon.
    pub daemon_pid: Option<u32>,
    /// What packets run on, if a build of another ABI version made it.
    pub foreign_generation: Option<String>,
    /// Its inventory is there, pins or not.
    pub has_inventory: bool,
    /// The pinned state.
    pub state: State,
}

/// What can be said of the pinned state.
#[derive(Clone, Debug)]
pub enum State {
    /// Nothing is pinned.
    Absent,
    /// This process may not see it.
    Hidden(String),
    /// It is there and cannot be read.
    Broken(String),
    /// It is there.
    Pinned(Box<Pinned>),
}

/// The pinned state.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// `status`.
    pub status: Status,
    /// `vips`.
    pub vips: Vec<VipRow>,
    /// Packets by outcome.
    pub outcomes: BTreeMap<String, Rise>,
    /// Losses after the verdict that nothing counts, by label.
    pub not_counted: Vec<&'static str>,
    /// Frames lost after the verdict, by interface.
    pub losses: BTreeMap<String, Rise>,
}

/// A counter that was watched for a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rise {
    /// Since it began.
    pub total: u64,
    /// While it was watched.
    pub now: u64,
}

impl Instance {
    pub(super) fn read(name: &str) -> Self {
        let pins = Pins::of(name);
        let (daemon_pid, has_inventory) = (pins.daemon_pid(), pins.has_inventory());
        let was_started = has_inventory || daemon_pid.is_some();
        let state = if was_started && !bpffs::is_mounted_for(name) {
            State::Hidden(format!("no bpffs is at {} or {}", bpffs::OWN, bpffs::COMMON))
        } else {
            state(name, &pins)
        };
        let current = generations::current(&pins).filter(|current| !current.is_own());
        let foreign_generation = current.map(|current| current.name().to_owned());
        Self { name: name.to_owned(), daemon_pid, foreign_generation, has_inventory, state }
    }

    /// The pinned state, if it is there and can be read.
    pub fn pinned(&self) -> Option<&Pinned> {
        if let State::Pinned(pinned) = &self.state { Some(pinned) } else { None }
    }
}

fn state(name: &str, pins: &Pins) -> State {
    if let Err(error) = fs::metadata(pins.maps())
        && error.kind() == io::ErrorKind::PermissionDenied
    {
        return State::Hidden(format!("{}: {error}", pins.maps().display()));
    }
    match open(name) {
        Ok(None) => State::Absent,
        Ok(Some(pinned)) => State::Pinned(Box::new(pinned)),
        Err(error) => {
            let denied = |cause: &io::Error| cause.kind() == io::ErrorKind::PermissionDenied;
            let told = format!("{error:#}");
            // What another build made is fine, for all that this one can tell.
            let is_foreign = generations::current(pins).is_some_and(|current| !current.is_own());
            let is_denied = is_foreign || error.chain().any(|cause| cause.downcast_ref().is_some_and(denied));
            if is_denied || !super::system::is_root() { State::Hidden(told) } else { State::Broken(told) }
        }
    }
}

fn open(name: &str) -> Result<Option<Pinned>> {
    let Some(inspector) = Inspector::open(name)? else { return Ok(None) };
    let before = inspector.stats()?;
    sleep(WATCH);
    let after = inspector.stats()?;
    Ok(Some(Pinned {
        status: inspector.status()?,
        vips: inspector.vips(),
        not_counted: not_counted(&Pins::of(name)),
        outcomes: rises(&outcomes(&before), outcomes(&after)),
        losses: rises(&losses(&before), losses(&after)),
    }))
}

fn outcomes(stats: &Stats) -> BTreeMap<String, u64> {
    stats.outcomes.iter().map(|(label, count)| (label.clone(), count.0.packets)).collect()
}

fn losses(stats: &Stats) -> BTreeMap<String, u64> {
    stats.interfaces.iter().map(|row| (row.interface.clone(), row.xdp_losses.values().sum())).collect()
}

fn rises(before: &BTreeMap<String, u64>, after: BTreeMap<String, u64>) -> BTreeMap<String, Rise> {
    let rise = |(name, total): (String, u64)| {
        let now = total.saturating_sub(before.get(&name).copied().unwrap_or_default());
        (name, Rise { total, now })
    };
    after.into_iter().map(rise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rise_is_what_came_since_the_first_look() {
        let before = BTreeMap::from([("a".to_owned(), 3)]);
        let after = BTreeMap::from([("a".to_owned(), 5), ("b".to_owned(), 1)]);
        let rises = rises(&before, after);
        assert_eq!(rises["a"], Rise { total: 5, now: 2 });
        assert_eq!(rises["b"], Rise { total: 1, now: 1 });
    }

    #[test]
    fn instance_that_never_was_is_absent() {
        let instance = Instance::read("unit-test-never-was");
        assert!(matches!(instance.state, State::Absent), "{instance:?}");
        assert!(!instance.has_inventory && instance.daemon_pid.is_none());
    }
}
