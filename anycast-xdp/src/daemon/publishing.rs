//! Publishing by the running daemon: looks at what is true, and brings the kernel's routes to what follows from it.

use std::{
    collections::BTreeSet,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use tokio::{sync::watch, time::sleep_until};

use super::running::Running;
use crate::{
    control::Desired,
    dataplane::{axp::Axp, pins::Pins},
    desired::{Local, PublishFacts, Role},
    netlink::links::Links,
    publish::{
        drain::Drains,
        policy::{Access, Attached, Serving},
        publisher::{Interface, Publisher, View},
        report::{self, Board, Counts, DrainStatus, count, offered},
        routes::Routes,
    },
};

/// How often the kernel's routes are looked at although nothing was heard of them.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How long changes are gathered: a router that fails changes many ways at once.
const GATHER: Duration = Duration::from_millis(5);

/// What decides, beside time and the kernel's routes.
#[derive(Debug, PartialEq)]
struct Inputs {
    /// By VIP, in the order of what is desired.
    serving: Vec<Serving>,
    access: Vec<Access>,
    interface: Interface,
    drains: Drains,
}

/// Publishes.
pub(super) struct Publishing {
    host_drain: watch::Receiver<Option<Instant>>,
    pop_drains_since: Option<Instant>,
    publisher: Publisher,
    /// None: nothing is published.
    routes: Option<Routes>,
    /// An earlier daemon may have published what this one does not.
    may_have_left: bool,
    links: Links,
    told: watch::Sender<Arc<report::Publishing>>,
    /// What was decided by last; none: it has to be decided anew.
    last: Option<(Arc<Desired>, Inputs)>,
    must_look: bool,
    due: Option<Instant>,
    look_at: Instant,
}

impl Publishing {
    /// Begins with nothing known. What is told goes to the board whose sender this is.
    ///
    /// # Errors
    ///
    /// No socket.
    pub(super) fn new(board: &Board, told: watch::Sender<Arc<report::Publishing>>) -> io::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            host_drain: board.host_drain.watch(),
            pop_drains_since: None,
            publisher: Publisher::new(now),
            routes: None,
            may_have_left: true,
            links: Links::open()?,
            told,
            last: None,
            must_look: false,
            due: Some(now),
            look_at: now + LOOK_EVERY,
        })
    }

    /// Something may have changed.
    pub(super) fn mark(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + GATHER);
    }

    /// Waits until there is something to do for [`Self::follow`]. Cancel-safe.
    pub(super) async fn event(&mut self) -> Result<()> {
        let Some(routes) = &mut self.routes else {
            match self.due {
                Some(due) => sleep_until(due.into()).await,
                None => self.host_drain.changed().await?,
            }
            return Ok(());
        };
        let next = [self.due, self.publisher.next_change(), Some(self.look_at)].into_iter().flatten().min();
        tokio::select! {
            disturbed = routes.disturbed() => {
                disturbed.context("lost the kernel's events of published routes")?;
                self.must_look = true;
            }
            changed = self.host_drain.changed() => changed?,
            () = sleep_until(next.unwrap_or(self.look_at).into()) => {}
        }
        Ok(())
    }

    /// Looks at what is true, and brings the routes to it. What fails is told, and tried again: routes that are there stay, and
    /// a daemon that ends for them would be none for anything else.
    pub(super) fn follow(&mut self, desired: &Arc<Desired>, running: &Running, pins: &Pins) {
        if let Err(error) = self.follow_now(desired, running, pins) {
            tracing::error!("cannot look after published routes, next try in {RETRY:?}: {error}");
            (self.must_look, self.due) = (true, Some(Instant::now() + RETRY));
        }
    }

    fn follow_now(&mut self, desired: &Arc<Desired>, running: &Running, pins: &Pins) -> io::Result<()> {
        let now = Instant::now();
        self.due = None;
        let facts = facts_of(desired);
        self.follow_interface(facts, desired.local())?;
        self.pop_drains_since = if pop_drains(desired) { self.pop_drains_since.or(Some(now)) } else { None };
        let drains = Drains { host_since: *self.host_drain.borrow_and_update(), pop_since: self.pop_drains_since };
        let (Some(routes), Some(facts)) = (&mut self.routes, facts) else {
            let drain = drain_status(drains, Duration::ZERO, now);
            self.told.send_replace(Arc::new(report::Publishing { drain, ..report::Publishing::default() }));
            return Ok(());
        };
        if self.must_look || self.look_at <= now {
            routes.look()?;
            (self.must_look, self.look_at) = (false, now + LOOK_EVERY);
            self.last = None;
        }
        let inputs = Inputs {
            serving: desired.vips().map(|vip| running.serving(vip)).collect(),
            access: access_of(&mut self.links, desired, pins)?,
            interface: routes.state(),
            drains,
        };
        let is_due = self.publisher.next_change().is_some_and(|at| at <= now);
        // Each change makes another one of what is desired.
        let is_same = |(last, before): &(Arc<Desired>, Inputs)| Arc::ptr_eq(last, desired) && *before == inputs;
        if !is_due && self.last.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        // Once more where a route was refused: that is told.
        for _ in 0..2 {
            let view = View {
                facts,
                pop: &desired.local().pop,
                vips: desired.vips().zip(inputs.serving.iter().copied()),
                prefixes: &desired.base().services.prefixes,
                access: &inputs.access,
                interface: inputs.interface,
                drains,
                have: routes.have(),
                refused: routes.refused(),
            };
            let wanted = self.publisher.decide(view, now);
            if !routes.bring(&wanted)? || routes.refused().is_empty() {
                break;
            }
        }
        self.last = Some((Arc::clone(desired), inputs));
        self.tell(drain_status(drains, facts.drain_signal, now));
        Ok(())
    }

    /// Takes up another interface, and gives the last one back.
    fn follow_interface(&mut self, facts: Option<&PublishFacts>, local: &Local) -> io::Result<()> {
        let wanted = facts.map(|facts| facts.interface.as_str());
        if self.may_have_left && wanted.is_none() {
            // Where probes need the interface it is still there, with the routes of a time when `[publish]` was, too.
            if let Some(axp) = Axp::of(local) {
                Routes::open(&axp.host_side)?.bring(&BTreeSet::new())?;
            }
        }
        self.may_have_left = false;
        if self.routes.as_ref().map(Routes::interface) == wanted {
            return Ok(());
        }
        if let Some(mut routes) = self.routes.take() {
            routes.bring(&BTreeSet::new())?;
        }
        self.routes = wanted.map(Routes::open).transpose()?;
        self.last = None;
        Ok(())
    }

    fn tell(&self, drain: DrainStatus) {
        let Some(routes) = &self.routes else { return };
        let (vips, prefixes) = (self.publisher.vips(), self.publisher.prefixes());
        let publishing = report::Publishing {
            interface: Some(routes.interface().to_owned()),
            interface_is_up: matches!(routes.state(), Interface::Up { .. }),
            drain,
            counts: Counts {
                vips: count(vips.values()),
                prefixes: count(prefixes.values()),
                route_changes: routes.changes(),
                routes_restored: routes.restored(),
            },
            prefixes: prefixes.iter().map(|(name, known)| offered(name, known)).collect(),
            vips: vips.iter().map(|(name, known)| offered(name, known)).collect(),
            received_packets: None,
        };
        self.told.send_replace(Arc::new(publishing));
    }
}

/// What is told until the first look.
pub(super) fn before_the_first_look(desired: &Desired) -> Arc<report::Publishing> {
    let interface = facts_of(desired).map(|facts| facts.interface.clone());
    Arc::new(report::Publishing { interface, ..report::Publishing::default() })
}

/// `[publish]` of a PoP.
fn facts_of(desired: &Desired) -> Option<&PublishFacts> {
    match &desired.local().role {
        Role::Pop(role) => role.publish.as_ref(),
        Role::Gateway(_) => None,
    }
}

fn pop_drains(desired: &Desired) -> bool {
    let mut pops = desired.base().services.pops.iter();
    pops.any(|pop| pop.is_draining && pop.name == desired.local().pop)
}

fn drain_status(drains: Drains, signal: Duration, now: Instant) -> DrainStatus {
    DrainStatus {
        host: drains.host_since.is_some(),
        pop: drains.pop_since.is_some(),
        phase: drains.phase(signal, now).into(),
    }
}

/// The access interfaces and what runs there: the id says whether it is a program of this instance.
fn access_of(links: &mut Links, desired: &Desired, pins: &Pins) -> io::Result<Vec<Access>> {
    let access = desired.local().interfaces.iter().filter(|interface| interface.access);
    let access = access.map(|interface| {
        let program = links.find(&interface.name)?.and_then(|link| link.xdp);
        let own = program.filter(|program| pins.has_program(program.id));
        Ok(Access {
            interface: interface.name.as_str().into(),
            attached: own.map(|own| if own.is_generic { Attached::Generic } else { Attached::Native }),
            asks_generic: interface.attach == crate::desired::AttachMode::Generic,
        })
    });
    access.collect()
}
