//! The kernel's routes: brought to what is wanted, by the difference, and brought back when somebody else takes them away.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use super::policy::Reason;
use crate::netlink::{
    links::Links,
    own_events::OwnEvents,
    own_routes::{OwnRoute, OwnRoutes},
};

use super::publisher::Interface;

/// The routes of this host's VIPs and prefixes.
pub struct Routes {
    kernel: OwnRoutes,
    events: OwnEvents,
    links: Links,
    interface: String,
    /// Index of the interface, and whether it is up.
    state: Interface,
    have: BTreeSet<OwnRoute>,
    refused: BTreeMap<OwnRoute, Reason>,
    changes: u64,
    restored: u64,
}

impl Routes {
    /// Those by this interface, as the kernel has them. An interface that is down is set up: whoever set it down did so
    /// because there was no daemon.
    ///
    /// # Errors
    ///
    /// The sockets'.
    pub fn open(interface: &str) -> io::Result<Self> {
        let mut routes = Self {
            kernel: OwnRoutes::open()?,
            events: OwnEvents::open()?,
            links: Links::open()?,
            interface: interface.to_owned(),
            state: Interface::Missing,
            have: BTreeSet::new(),
            refused: BTreeMap::new(),
            changes: 0,
            restored: 0,
        };
        if let Some(link) = routes.links.find(interface)?.filter(|link| !link.is_up)
            && let Err(error) = routes.links.set_up(link.ifindex, true)
        {
            tracing::error!(interface, "cannot be set up, and nothing is published: {error}");
        }
        routes.look()?;
        routes.restored = 0;
        Ok(routes)
    }

    /// The interface.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Whether it is there and up.
    pub fn state(&self) -> Interface {
        self.state
    }

    /// The routes that are there.
    pub fn have(&self) -> &BTreeSet<OwnRoute> {
        &self.have
    }

    /// Those that cannot be.
    pub fn refused(&self) -> &BTreeMap<OwnRoute, Reason> {
        &self.refused
    }

    /// Routes that were added and removed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Routes that somebody else took away.
    pub fn restored(&self) -> u64 {
        self.restored
    }

    /// Waits until something happens that [`Self::look`] may have to see. Cancel-safe.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub async fn disturbed(&mut self) -> io::Result<()> {
        loop {
            self.events.readable().await?;
            let heard = self.events.drain()?;
            if heard.everything || heard.deletions > 0 {
                return Ok(());
            }
        }
    }

    /// Sees what is there.
    ///
    /// # Errors
    ///
    /// The sockets'.
    pub fn look(&mut self) -> io::Result<()> {
        let before = self.state;
        self.state = match self.links.find(&self.interface)? {
            None => Interface::Missing,
            Some(link) if !link.is_up => Interface::Down,
            Some(link) => Interface::Up { ifindex: link.ifindex },
        };
        if self.state != before {
            tracing::info!(interface = self.interface, state = ?self.state, "the interface of published routes");
        }
        let found = match self.state {
            Interface::Up { ifindex } => self.kernel.list(ifindex)?,
            Interface::Missing | Interface::Down => BTreeSet::new(),
        };
        let lost = self.have.difference(&found).count() as u64;
        if lost > 0 && matches!(self.state, Interface::Up { .. }) && before == self.state {
            tracing::warn!(routes = lost, "somebody else took published routes away; they are added again");
            self.restored += lost;
        }
        self.have = found;
        // They may be possible now.
        self.refused.clear();
        Ok(())
    }

    /// Brings the kernel to these routes: adds what is missing, and then removes what is too many. The longest come first, and
    /// go last: a border hears of a prefix when the hosts' routers know its VIPs.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn bring(&mut self, wanted: &BTreeSet<OwnRoute>) -> io::Result<bool> {
        let Interface::Up { ifindex } = self.state else { return Ok(false) };
        let mut add: Vec<_> =
            wanted.difference(&self.have).filter(|route| !self.refused.contains_key(*route)).copied().collect();
        add.sort_by_key(|route| std::cmp::Reverse(route.prefix.prefix_len()));
        let mut remove: Vec<_> = self.have.difference(wanted).copied().collect();
        remove.sort_by_key(|route| route.prefix.prefix_len());
        if add.is_empty() && remove.is_empty() {
            return Ok(false);
        }
        let began = std::time::Instant::now();
        let written = self.kernel.change(ifindex, &add, &remove)?;
        tracing::info!(add = add.len(), remove = remove.len(), took = ?began.elapsed(), "routes of VIPs");
        self.changes += written.changes;
        for route in &written.in_the_way {
            tracing::error!(prefix = %route.prefix, metric = route.metric, "is not published: another route has its place (`ip route show {}`)", route.prefix);
            self.refused.insert(*route, Reason::RouteInTheWay);
        }
        let is_refused = written.refused.is_some();
        if let Some((route, error)) = &written.refused {
            tracing::error!(prefix = %route.prefix, "and maybe others are not published: the kernel refuses the route: {error}");
        }
        // What this process did is heard as well. What another did meanwhile is more than that.
        let heard = self.events.drain()?;
        if is_refused || heard.everything || heard.deletions > remove.len() as u64 {
            let found = self.kernel.list(ifindex)?;
            if is_refused {
                let missing = add.iter().filter(|route| !found.contains(*route));
                self.refused.extend(missing.map(|route| (*route, Reason::RouteRefused)));
            }
            self.have = found;
        } else {
            self.have.clone_from(wanted);
            self.have.retain(|route| !self.refused.contains_key(route));
        }
        Ok(true)
    }
}
