//! Tables whose system calls fail on schedule, for tests of what a change leaves that stopped anywhere.
//!
//! Stores into arrays are none: an array is mapped into memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::Range,
    sync::{Arc, Mutex},
};

use anycast_common::map::{ReturnKey, ReturnPath, TransitionKey};
use anyhow::{Error, Result, anyhow};

use super::{Arrays, Dataplane, Memory};
use crate::dataplane::keyed::KeyedMaps;

/// Which system calls fail. A copy has the same schedule.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Schedule>>);

#[derive(Debug, Default)]
struct Schedule {
    calls: usize,
    failing: Range<usize>,
    many_are_done: bool,
}

impl Faults {
    /// Counts anew, and fails those calls, counted from 0. What changes many entries, one after another, has done that when
    /// it fails with `many_are_done`, and else nothing.
    pub fn begin(&self, failing: Range<usize>, many_are_done: bool) {
        *self.0.lock().expect("no panic while it is held") = Schedule { calls: 0, failing, many_are_done };
    }

    /// System calls since then.
    pub fn calls(&self) -> usize {
        self.0.lock().expect("no panic while it is held").calls
    }

    /// One system call: it fails, or is done.
    pub fn one<T>(&self, what: &str, call: impl FnOnce() -> Result<T>) -> Result<T> {
        self.next(what).map_err(|(error, _)| error)?;
        call()
    }

    /// Many of them, of which some may be done when one fails.
    fn many<T>(&self, what: &str, call: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.next(what) {
            Ok(()) => call(),
            Err((error, true)) => call().and(Err(error)),
            Err((error, false)) => Err(error),
        }
    }

    fn next(&self, what: &str) -> Result<(), (Error, bool)> {
        let mut schedule = self.0.lock().expect("no panic while it is held");
        let number = schedule.calls;
        schedule.calls += 1;
        if schedule.failing.contains(&number) {
            return Err((anyhow!("call {number} fails: {what}"), schedule.many_are_done));
        }
        Ok(())
    }
}

/// Tables in memory with a schedule of faults.
#[derive(Debug)]
pub struct Faulty {
    /// The tables.
    pub memory: Memory,
    /// The schedule.
    pub faults: Faults,
}

impl Faulty {
    /// These tables, of which nothing fails yet.
    pub fn new(mut memory: Memory) -> Self {
        let faults = Faults::default();
        memory.keyed.set_faults(&faults);
        Self { memory, faults }
    }
}

impl Dataplane for Faulty {
    fn arrays(&mut self) -> &mut Arrays {
        self.memory.arrays()
    }

    fn keyed(&mut self) -> &mut KeyedMaps {
        self.memory.keyed()
    }

    fn vip_keys(&self) -> Result<BTreeMap<IpAddr, u32>> {
        self.faults.one("vip_keys", || self.memory.vip_keys())
    }

    fn insert_vip(&mut self, address: IpAddr, index: u32) -> Result<()> {
        self.faults.one("insert_vip", || self.memory.insert_vip(address, index))
    }

    fn remove_vip(&mut self, address: IpAddr) -> Result<()> {
        self.faults.one("remove_vip", || self.memory.remove_vip(address))
    }

    fn settle_vips(&mut self) -> Result<()> {
        self.faults.one("settle_vips", || self.memory.settle_vips())
    }

    fn reset_vip_counters(&mut self, indexes: &BTreeSet<u32>) -> Result<()> {
        self.faults.many("reset_vip_counters", || self.memory.reset_vip_counters(indexes))
    }

    fn reset_backend_counter(&mut self, index: u32) -> Result<()> {
        self.faults.one("reset_backend_counter", || self.memory.reset_backend_counter(index))
    }

    fn forget_flows(&mut self, is_stale: &dyn Fn(&TransitionKey, u32) -> bool) -> Result<()> {
        self.faults.many("forget_flows", || self.memory.forget_flows(is_stale))
    }

    fn forget_paths(&mut self, is_stale: &dyn Fn(&ReturnKey, ReturnPath) -> bool) -> Result<bool> {
        self.faults.many("forget_paths", || self.memory.forget_paths(is_stale))
    }

    fn set_device(&mut self, index: u32, ifindex: u32) -> Result<()> {
        self.faults.one("set_device", || self.memory.set_device(index, ifindex))
    }

    fn wait_for_readers(&mut self) -> Result<()> {
        self.faults.one("wait_for_readers", || Ok(()))?;
        self.memory.wait_for_readers()
    }
}
