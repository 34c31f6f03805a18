//! From what is true of all VIPs to the routes that are wanted.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant, SystemTime},
};

use ipnet::IpNet;

use super::{
    DRAINING_METRIC, METRIC,
    drain::{Drains, Phase},
    hold::{Health, Hold},
    policy::{self, Access, Prefixes, Reason, Serving},
};
use crate::{
    desired::{Prefix, PublishFacts, Vip},
    netlink::own_routes::OwnRoute,
};

/// How long what an earlier process published stays although this one cannot serve it yet: its health, its neighbours and its
/// interfaces may not be known.
const SETTLE: Duration = Duration::from_secs(10);

/// The interface that routes lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// There is none of the name.
    Missing,
    /// It is down, and can have no routes.
    Down,
    /// It is up.
    Up {
        /// Its index.
        ifindex: u32,
    },
}

/// What is true now.
#[derive(Debug)]
pub struct View<'a, V> {
    /// `[publish]`
    pub facts: &'a PublishFacts,
    /// This PoP.
    pub pop: &'a str,
    /// All VIPs, and what they can serve.
    pub vips: V,
    /// All prefixes.
    pub prefixes: &'a [Prefix],
    /// The access interfaces.
    pub access: &'a [Access],
    /// The interface that routes lead to.
    pub interface: Interface,
    /// Who drains.
    pub drains: Drains,
    /// Routes that are there.
    pub have: &'a BTreeSet<OwnRoute>,
    /// Routes that cannot be, and why.
    pub refused: &'a BTreeMap<OwnRoute, Reason>,
}

/// Whether something is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In service.
    Published,
    /// Its routers are being told that it will go.
    Draining,
    /// Not at all.
    Withdrawn,
}

/// What is known of a VIP or a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Where its route leads.
    pub prefix: IpNet,
    /// Whether it is published.
    pub state: State,
    /// Since when; it did not change before this process began.
    pub since: SystemTime,
    /// What keeps it from being in service.
    pub reason: Option<Reason>,
}

/// Decides what is published, and remembers what was.
#[derive(Debug)]
pub struct Publisher {
    began: Instant,
    holds: BTreeMap<String, Hold>,
    vips: BTreeMap<String, Known>,
    prefixes: BTreeMap<String, Known>,
    /// When something follows although nothing changes.
    next_change: Option<Instant>,
}

impl Publisher {
    /// Of a process that began then.
    pub fn new(began: Instant) -> Self {
        Self { began, holds: BTreeMap::new(), vips: BTreeMap::new(), prefixes: BTreeMap::new(), next_change: None }
    }

    /// The VIPs, by name.
    pub fn vips(&self) -> &BTreeMap<String, Known> {
        &self.vips
    }

    /// The prefixes, by name.
    pub fn prefixes(&self) -> &BTreeMap<String, Known> {
        &self.prefixes
    }

    /// When [`Self::decide`] has something to do although nothing changes.
    pub fn next_change(&self) -> Option<Instant> {
        self.next_change
    }

    /// The routes that are wanted.
    pub fn decide<'a, V>(&mut self, view: View<'a, V>, now: Instant) -> BTreeSet<OwnRoute>
    where
        V: Iterator<Item = (&'a Vip, Serving)>,
    {
        let View { facts, pop, vips, prefixes, access, interface, drains, have, refused } = view;
        let phase = drains.phase(facts.drain_signal, now);
        let round = Round { phase, interface, have, refused };
        let of_host = policy::of_host(access, facts.generic);
        let there: BTreeSet<IpNet> = have.iter().map(|route| route.prefix).collect();
        let by_address = Prefixes::of(prefixes);
        let (mut routes, mut served) = (BTreeSet::new(), BTreeSet::new());
        let mut next_change = if let Phase::Signal { until } = phase { Some(until) } else { None };
        let earlier_holds = std::mem::take(&mut self.holds);
        let (mut known, mut known_prefixes) = (BTreeMap::new(), BTreeMap::new());
        for (vip, serving) in vips {
            let prefix = by_address.find(vip.address);
            let reason = policy::of_vip(vip, prefix, pop, serving).or_else(|| of_host.clone());
            let health = match &reason {
                None => Health::Well,
                Some(reason) if reason.is_failure() => Health::Failing,
                Some(_) => Health::Unwanted,
            };
            let route = IpNet::from(vip.address);
            let left = || {
                let is_left = there.contains(&route) && now < self.began + SETTLE;
                if is_left { Hold::Left { until: self.began + SETTLE } } else { Hold::new() }
            };
            let hold = earlier_holds.get(&vip.name).copied().unwrap_or_else(left);
            let hold = hold.with(health, facts.hold_down, now);
            next_change = next_change.into_iter().chain(hold.next_change(facts.hold_down)).min();
            let reason = if hold.is_in() { None } else { Some(reason.unwrap_or(Reason::HoldDown)) };
            let offer = round.offer(route, reason);
            if offer.state != State::Withdrawn {
                served.extend(prefix.map(|prefix| prefix.prefix));
            }
            routes.extend(offer.route);
            self.holds.insert(vip.name.clone(), hold);
            known.insert(vip.name.clone(), offer.known(self.vips.get(&vip.name)));
        }
        for prefix in prefixes {
            let is_here = prefix.publish.as_ref().is_none_or(|pops| pops.iter().any(|named| named == pop));
            let reason = match (is_here, served.contains(&prefix.prefix)) {
                (false, _) => Some(Reason::OtherPops),
                (true, false) if phase == Phase::Withdrawn => Some(Reason::Drain),
                (true, false) => Some(Reason::NoVip),
                (true, true) => None,
            };
            let offer = round.offer(prefix.prefix, reason);
            routes.extend(offer.route);
            known_prefixes.insert(prefix.name.clone(), offer.known(self.prefixes.get(&prefix.name)));
        }
        (self.vips, self.prefixes, self.next_change) = (known, known_prefixes, next_change);
        routes
    }
}

/// What is the same for all.
struct Round<'a> {
    phase: Phase,
    interface: Interface,
    have: &'a BTreeSet<OwnRoute>,
    refused: &'a BTreeMap<OwnRoute, Reason>,
}

/// What becomes of one of them.
struct Offer {
    prefix: IpNet,
    state: State,
    reason: Option<Reason>,
    route: Option<OwnRoute>,
}

impl Round<'_> {
    fn offer(&self, prefix: IpNet, reason: Option<Reason>) -> Offer {
        let with = |metric| OwnRoute { prefix, metric };
        let (normal, draining) = (with(METRIC), with(DRAINING_METRIC));
        let withdrawn = |reason| Offer { prefix, state: State::Withdrawn, reason: Some(reason), route: None };
        if let Some(reason) = reason {
            return withdrawn(reason);
        }
        match (self.interface, self.phase) {
            (Interface::Missing, _) => withdrawn(Reason::NoInterface),
            (Interface::Down, _) => withdrawn(Reason::InterfaceDown),
            (Interface::Up { .. }, Phase::Withdrawn) => withdrawn(Reason::Drain),
            // What is not published when a drain begins is not published for the moment that is left.
            (Interface::Up { .. }, Phase::Signal { .. })
                if !self.have.contains(&normal) && !self.have.contains(&draining) =>
            {
                withdrawn(Reason::Drain)
            }
            (Interface::Up { .. }, phase) => {
                let is_draining = phase != Phase::None;
                let route = if is_draining { draining } else { normal };
                let state = match self.refused.get(&route) {
                    // It is tried again and again.
                    Some(reason) => return Offer { route: Some(route), ..withdrawn(reason.clone()) },
                    None if is_draining => State::Draining,
                    None => State::Published,
                };
                Offer { prefix, state, reason: is_draining.then_some(Reason::Drain), route: Some(route) }
            }
        }
    }
}

impl Offer {
    fn known(self, earlier: Option<&Known>) -> Known {
        let Self { prefix, state, reason, .. } = self;
        let since = earlier.filter(|earlier| earlier.state == state).map(|earlier| earlier.since);
        Known { prefix, state, since: since.unwrap_or_else(SystemTime::now), reason }
    }
}

#[cfg(test)]
mod tests;
