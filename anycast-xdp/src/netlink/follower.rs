//! The loop: hear what changed, ask what is true now, say so if the view is another.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::{
    Access, NeighbourKey, View,
    event::{self, Event},
    kernel::Kernel,
    link,
    neighbour::needs_management,
    socket::{AskError, Events, Heard},
    stale::Stale,
    state::{Followed, State},
};

/// How many datagrams are read before what they ask for is done, so that an endless stream of events (a full table
/// being installed) cannot put off the one that matters.
const DATAGRAMS_AT_ONCE: usize = 256;

/// When a neighbour that the kernel refused to manage (its table is full) is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Follows the kernel of the network namespace that it was started in.
///
/// Neighbours stay managed when this is dropped, because frames that the kernel program sends go on needing them; see
/// [`release_neighbours`].
pub struct Follower {
    events: Events,
    kernel: Kernel,
    destinations: BTreeSet<IpAddr>,
    access: Access,
    /// What must be asked; empty unless an earlier attempt failed.
    stale: Stale,
    state: State,
    view: View,
    /// Set while the kernel refuses to manage a neighbour.
    retry_at: Option<Instant>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("destinations", &self.destinations)
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

impl Follower {
    /// Starts to follow. The first view is there on return, though neighbours may still be resolving.
    ///
    /// Errors: no netlink socket. What the kernel says of one destination is never an error.
    #[expect(clippy::unused_async, reason = "needs the reactor of a runtime, which an async caller has")]
    pub async fn start(destinations: BTreeSet<IpAddr>) -> Result<Self> {
        let mut follower = Self {
            // Events first: what changes while the first questions are asked is heard of.
            events: Events::open().context("cannot subscribe to the kernel's routing events")?,
            kernel: Kernel::open().context("cannot open a netlink socket")?,
            destinations,
            access: Access::default(),
            stale: Stale::all(),
            state: State::default(),
            view: View::default(),
            retry_at: None,
        };
        follower.refresh()?;
        follower.release_leftovers()?;
        Ok(follower)
    }

    /// What the kernel knows, as of the last return of a method of this.
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// Waits until the view is another. Events that are queued already are taken together; none is waited for.
    ///
    /// Cancel-safe: it only waits at points where nothing is half done.
    pub async fn changed(&mut self) -> Result<()> {
        loop {
            let retry_at = self.retry_at;
            let retry = tokio::select! {
                readable = self.events.readable() => readable.context("netlink event socket").map(|()| false)?,
                () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => true,
            };
            if (self.hear()? || retry) && self.refresh()? {
                return Ok(());
            }
        }
    }

    /// Follows these destinations from now on, and no others; the view is theirs on return.
    #[expect(clippy::unused_async, reason = "part of an interface whose other steps wait")]
    pub async fn set_destinations(&mut self, destinations: BTreeSet<IpAddr>) -> Result<()> {
        self.stale.destinations.extend(destinations.difference(&self.destinations));
        self.destinations = destinations;
        self.refresh().map(|_| ())
    }

    /// Follows these interfaces, too, whatever routes name; the view has them on return.
    #[expect(clippy::unused_async, reason = "part of an interface whose other steps wait")]
    pub async fn set_access(&mut self, access: Access) -> Result<()> {
        if self.access == access {
            return Ok(());
        }
        self.access = access;
        self.stale.everything = true;
        self.refresh().map(|_| ())
    }

    /// Takes in the events that are queued; whether any of them matters.
    fn hear(&mut self) -> Result<bool> {
        let mut neighbour_heard = false;
        for _ in 0..DATAGRAMS_AT_ONCE {
            let Self { events, state, stale, destinations, .. } = self;
            let heard = events.hear(|message_type, payload| match event::read(message_type, payload) {
                Event::Route(prefix) => stale.route_changed(prefix, destinations),
                Event::Neighbour(key, entry) => neighbour_heard |= state.observe(key, entry),
                Event::Everything => stale.everything = true,
                Event::Nothing => {}
                Event::Unreadable => {
                    warn!(message_type, "cannot read an event of the kernel: asking for everything again");
                    *stale = Stale::all();
                }
            });
            match heard.context("netlink event socket")? {
                Heard::Events => {}
                Heard::Silence => break,
                Heard::Lost => {
                    warn!("the kernel had more routing events than the socket holds: asking for everything again");
                    self.stale = Stale::all();
                }
            }
        }
        Ok(neighbour_heard || !self.stale.is_empty())
    }

    /// Asks for what is stale and does what neighbours need; whether the view is another now.
    fn refresh(&mut self) -> Result<bool> {
        let stale = std::mem::take(&mut self.stale);
        if let Err(error) = self.ask(&stale) {
            // Half of it was asked: the next attempt asks for all of it again.
            self.stale.merge(stale);
            return Err(error);
        }
        let view = self.state.view();
        if view == self.view {
            return Ok(false);
        }
        debug!(?view, "routes, neighbours or links changed");
        self.view = view;
        Ok(true)
    }

    fn ask(&mut self, stale: &Stale) -> Result<()> {
        if stale.everything {
            self.state.links.clear();
            self.kernel.settle().context("cannot ask the kernel for a link")?;
            self.ask_access()?;
        }
        self.ask_routes(stale)?;
        self.ask_links()?;
        self.follow_neighbours(stale.neighbours)
    }

    fn ask_routes(&mut self, stale: &Stale) -> Result<()> {
        self.state.fib.retain(|destination, _| self.destinations.contains(destination));
        let asked = if stale.everything { &self.destinations } else { &stale.destinations };
        for &destination in asked.intersection(&self.destinations) {
            match self.kernel.route(destination).context("cannot ask the kernel for a route")? {
                Some(entry) => self.state.fib.insert(destination, entry),
                None => self.state.fib.remove(&destination),
            };
        }
        Ok(())
    }

    /// Looks for the interfaces that lead to clients, among all.
    fn ask_access(&mut self) -> Result<()> {
        if self.access == Access::default() {
            self.state.access.clear();
            return Ok(());
        }
        let links = self.kernel.links().context("cannot ask the kernel for its links")?;
        self.state.links = links.into_iter().map(|(ifindex, facts)| (ifindex, Some(facts))).collect();
        self.state.access = link::access_of(&self.access, &self.state.links);
        Ok(())
    }

    fn ask_links(&mut self) -> Result<()> {
        loop {
            let unknown = self.state.unknown_links();
            if unknown.is_empty() {
                return Ok(());
            }
            for ifindex in unknown {
                let facts = self.kernel.link(ifindex).context("cannot ask the kernel for a link")?;
                self.state.links.insert(ifindex, facts);
            }
        }
    }

    /// Has the neighbours on the routes resolved, and gives back those that are no longer on one.
    fn follow_neighbours(&mut self, ask_all: bool) -> Result<()> {
        let wanted = self.state.wanted_neighbours();
        let gone: BTreeMap<NeighbourKey, Followed> =
            self.state.neighbours.extract_if(.., |key, _| !wanted.contains(key)).collect();
        for (key, _) in gone.into_iter().filter(|(_, followed)| followed.ours) {
            self.kernel.release(key).context("cannot release a neighbour")?;
        }
        let first_refusal = self.retry_at.take().is_none();
        for key in wanted {
            let followed = self.state.neighbours.get(&key).copied();
            if ask_all || followed.is_none_or(|followed| followed.needs_order()) {
                self.follow(key, followed.unwrap_or_default(), first_refusal)?;
            }
        }
        Ok(())
    }

    /// Looks at one neighbour and makes it managed if it must be.
    fn follow(&mut self, key: NeighbourKey, mut followed: Followed, first_refusal: bool) -> Result<()> {
        let entry = self.kernel.neighbour(key).context("cannot ask the kernel for a neighbour")?;
        followed.entry = entry;
        followed.ordered = false;
        followed.ours |= entry.is_some_and(|entry| entry.is_ours());
        if needs_management(entry.as_ref()) {
            match self.kernel.manage(key, entry.as_ref()) {
                Ok(()) => (followed.ordered, followed.ours) = (true, true),
                Err(AskError::Refused(error)) => {
                    let (address, ifindex) = (key.address, key.ifindex);
                    if first_refusal {
                        warn!(%address, ifindex, %error, "the kernel does not resolve a next hop: trying again");
                    }
                    self.retry_at = Some(Instant::now() + RETRY);
                }
                Err(AskError::Socket(error)) => return Err(error).context("cannot have a neighbour resolved"),
            }
        }
        self.state.neighbours.insert(key, followed);
        Ok(())
    }

    /// Gives back the neighbours that an earlier run managed and that no route needs now. If another instance on this
    /// host needs one, it hears of it and takes it again.
    fn release_leftovers(&mut self) -> Result<()> {
        for (key, _) in self.kernel.our_neighbours().context("cannot ask the kernel for neighbours")? {
            if !self.state.neighbours.contains_key(&key) {
                self.kernel.release(key).context("cannot release a neighbour")?;
            }
        }
        Ok(())
    }
}

/// Gives all neighbours that this program has the kernel resolve back to its usual ageing, and says how many. For when
/// nothing forwards any more.
pub fn release_neighbours() -> Result<usize> {
    let mut kernel = Kernel::open().context("cannot open a netlink socket")?;
    let ours = kernel.our_neighbours().context("cannot ask the kernel for neighbours")?;
    for (key, _) in &ours {
        kernel.release(*key).context("cannot release a neighbour")?;
    }
    Ok(ours.len())
}
