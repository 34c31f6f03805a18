//! A daemon that goes on running, as `daemon::running` does, on tables whose system calls fail on schedule.

use anyhow::Result;
use futures_util::FutureExt as _;

use super::{
    super::{
        super::{
            bindings::Bindings,
            inventory::Inventory,
            tables::{
                Memory,
                faulty::Faulty,
                journal::{Event, Journal},
            },
            ways::Ways,
        },
        plan,
    },
    instance::view,
};
use crate::{
    daemon::take::{Maps, NotTaken, change_or_go_back},
    desired::Config,
};

/// Tables, and what the daemon holds beside them.
pub struct Running {
    pub tables: Faulty,
    ways: Ways,
    bindings: Bindings,
    inventory: Inventory,
    journal: Journal,
}

impl Running {
    /// Starts with these services, and lets the time pass that transitions take. The journal begins after that.
    pub fn start(config: &Config) -> Self {
        let mut tables = Faulty::new(Memory::new(&config.local.limits).expect("memory"));
        let mut running = Self {
            ways: Ways::new(&mut tables),
            tables,
            bindings: Bindings::default(),
            inventory: Inventory::default(),
            journal: Journal::default(),
        };
        running.change_now(config).expect("nothing fails");
        running.settle();
        running.journal = running.tables.memory.begin_journal();
        running
    }

    fn change_now(&mut self, config: &Config) -> Result<()> {
        let tables = &mut self.tables;
        let mut plan = plan(tables, &self.inventory, config, &self.bindings.down())?;
        self.inventory.clone_from(&plan.during);
        plan.install_backends(tables)?;
        self.ways.update(tables, &view(&plan.during_backends), &plan.during_backends)?;
        self.bindings = plan.switch(tables, &self.bindings)?;
        self.inventory = plan.next;
        self.follow()
    }

    fn follow(&mut self) -> Result<()> {
        let backends = self.bindings.backends(&mut self.tables)?;
        self.ways.update(&mut self.tables, &view(&backends), &backends).map(drop)
    }

    /// What the daemon does that has `last` and is asked for `next`.
    pub fn take(&mut self, last: &Config, next: &Config) -> Result<(), NotTaken> {
        change_or_go_back(self, last, next).now_or_never().expect("nothing waits")
    }

    /// Lets the time pass that transitions take.
    pub fn settle(&mut self) {
        while let Some(at) = self.bindings.next_change(&mut self.tables) {
            if self.bindings.update(&mut self.tables, at).expect("nothing fails") {
                self.follow().expect("nothing fails");
            }
        }
    }

    /// A copy of the tables as they are.
    pub fn copy(&mut self, config: &Config) -> Memory {
        self.tables.memory.copy(&config.local.limits)
    }

    /// What happened since the start.
    pub fn events(&self) -> Vec<Event> {
        self.journal.lock().expect("no panic").clone()
    }
}

impl Maps for Running {
    type Services = Config;

    async fn change_all(&mut self, config: &Config) -> Result<()> {
        self.change_now(config)
    }

    async fn change(&mut self, config: &Config) -> Result<()> {
        self.change_now(config)
    }
}
