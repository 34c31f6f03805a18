//! What a running daemon holds beside the maps, and how it brings them to what is asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
    time::Duration,
};

use anyhow::Result;
use tokio::time::{Instant, timeout_at};

use crate::{
    config::host::global_addresses,
    control::VipChange,
    dataplane::{
        apply::{Change, Plan, change_vips, plan},
        attach,
        bindings::Bindings,
        egress::EgressHook,
        generations::Target,
        icmp,
        interfaces::interface_index,
        inventory::Inventory,
        loader::Loaded,
        losses,
        pins::Pins,
        ways::Ways,
    },
    desired::{Config, Icmp, Interface, Role},
    netlink::{Access, Follower, View},
    path_mtu::PathMtu,
};

/// How long a start waits for neighbours of backends before it goes on without them.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long names in the inventory's file may be behind, where there are more VIPs than are written at once.
const SAVE_AFTER: Duration = Duration::from_secs(1);
const SAVED_AT_ONCE: usize = 2000;

/// What has changed outside.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The kernel's routes, neighbours or links.
    Ways,
    /// What routers tell of the MTUs of paths.
    Mtus,
}

/// What a running daemon holds beside the maps.
pub(super) struct Running {
    follower: Follower,
    ways: Ways,
    path_mtu: PathMtu,
    bindings: Bindings,
    backends: Vec<(IpAddr, u32)>,
    /// What the maps hold, and the directory of its file.
    inventory: Inventory,
    directory: PathBuf,
    /// When a file that is behind is written.
    save_at: Option<Instant>,
}

impl Running {
    /// Brings maps and links to what the configuration asks for: from nothing, or from what another process left.
    pub(super) async fn start(loaded: &mut Loaded, pins: &Pins, config: &Config, mut target: Target) -> Result<Self> {
        // Programs are loaded before anything changes: what the verifier refuses changes nothing.
        attach::load(loaded, config)?;
        let current = target.inventory(&mut loaded.kernel, config)?;
        let mut plan = plan(&mut loaded.kernel, &current, config)?;
        plan.during.write(target.state())?;
        plan.install_backends(&mut loaded.kernel)?;

        let mut running = Self {
            follower: Follower::start(addresses(&plan.during_backends)).await?,
            ways: Ways::new(&mut loaded.kernel),
            path_mtu: PathMtu::start(config, pins.run()),
            bindings: Bindings::default(),
            backends: plan.during_backends.clone(),
            inventory: Inventory::default(),
            directory: target.state().to_owned(),
            save_at: None,
        };
        running.lead_backends(loaded, config, &plan).await?;

        // An interface may still refuse: the services change after that.
        let names: Vec<_> = config.local.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        losses::follow(loaded, pins, &names)?;
        if target.is_new() {
            // No packets run on these maps yet: they are complete before the first does.
            running.switch(loaded, config, &mut plan).await?;
            target.take_paths(&mut loaded.kernel, &plan.next)?;
            plan.next.interfaces = attach::attach(loaded, pins, config, EgressHook::of_kernel)?;
        } else {
            plan.next.interfaces = attach::attach(loaded, pins, config, EgressHook::of_kernel)?;
            running.switch(loaded, config, &mut plan).await?;
        }
        plan.next.write(target.state())?;
        target.settle(&mut loaded.kernel, &plan.next)?;
        running.settle(loaded, plan.next).await?;
        Ok(running)
    }

    /// Switches the services over, and what the host answers by itself.
    async fn switch(&mut self, loaded: &mut Loaded, config: &Config, plan: &mut Plan<'_>) -> Result<()> {
        if let Role::Pop(role) = &config.local.role {
            icmp::switch(&mut loaded.kernel, &own_answers(&role.icmp, &config.local.interfaces).await?)?;
        }
        self.bindings = plan.switch(&mut loaded.kernel)?;
        Ok(())
    }

    /// Changes the services under the programs that run.
    ///
    /// # Errors
    ///
    /// No room, or a refused system call: what was changed before it is consistent, and the last services are brought back
    /// by changing to them.
    pub(super) async fn change(&mut self, loaded: &mut Loaded, config: &Config) -> Result<()> {
        let mut plan = plan(&mut loaded.kernel, &self.inventory, config)?;
        plan.next.interfaces.clone_from(&self.inventory.interfaces);
        plan.during.write(&self.directory)?;
        // After an error both may be in the maps.
        self.inventory.clone_from(&plan.during);
        plan.install_backends(&mut loaded.kernel)?;
        self.backends.clone_from(&plan.during_backends);
        self.follower.set_destinations(addresses(&self.backends)).await?;
        self.path_mtu.follow(config);
        self.lead_backends(loaded, config, &plan).await?;
        self.bindings = plan.switch(&mut loaded.kernel)?;
        plan.next.write(&self.directory)?;
        self.settle(loaded, plan.next).await
    }

    /// Changes VIPs alone. `false`: more than them would have to be, and nothing was changed.
    ///
    /// # Errors
    ///
    /// A refused system call.
    pub(super) fn change_vips(&mut self, loaded: &mut Loaded, vips: &[VipChange]) -> Result<bool> {
        let changes = vips.iter().map(|vip| Change { before: vip.before.as_deref(), after: vip.after.as_deref() });
        let changes: Vec<_> = changes.collect();
        if !change_vips(&mut loaded.kernel, &mut self.inventory, &changes)? {
            return Ok(false);
        }
        // Names of many VIPs take longer to write than the maps; the maps are what is true.
        self.save_at.get_or_insert_with(|| Instant::now() + SAVE_AFTER);
        if self.inventory.vips.len() <= SAVED_AT_ONCE {
            self.save()?;
        }
        Ok(true)
    }

    /// When [`Self::save`] has something to do.
    pub(super) fn save_at(&self) -> Option<Instant> {
        self.save_at
    }

    /// Writes the inventory, if its file is behind.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub(super) fn save(&mut self) -> Result<()> {
        if self.save_at.take().is_some() {
            self.inventory.write(&self.directory)?;
        }
        Ok(())
    }

    /// Gives every backend of the plan its way.
    async fn lead_backends(&mut self, loaded: &mut Loaded, config: &Config, plan: &Plan<'_>) -> Result<()> {
        self.follower.set_access(access_of(config)).await?;
        self.ways.mtus.configured = configured_mtus(&plan.during);
        self.resolve(plan).await?;
        self.store_ways(loaded)
    }

    /// What a change ends with, its inventory written: only what it asked for is known and followed.
    async fn settle(&mut self, loaded: &mut Loaded, inventory: Inventory) -> Result<()> {
        self.save_at = None;
        self.ways.mtus.configured = configured_mtus(&inventory);
        self.inventory = inventory;
        self.follow_backends(loaded).await
    }

    /// Waits until something outside has changed. Cancel-safe.
    pub(super) async fn event(&mut self) -> Result<Event> {
        tokio::select! {
            changed = self.follower.changed() => changed.map(|()| Event::Ways),
            () = self.path_mtu.ready() => Ok(Event::Mtus),
        }
    }

    /// Brings the maps to what has changed outside.
    pub(super) async fn follow(&mut self, loaded: &mut Loaded, event: Event) -> Result<()> {
        match event {
            Event::Ways => self.update_ways(loaded).await,
            Event::Mtus => self.update_mtus(loaded).await,
        }
    }

    /// When [`Self::update_bindings`] has something to do although nothing else changed.
    pub(super) fn next_change(&self, loaded: &mut Loaded) -> Option<std::time::Instant> {
        self.bindings.next_change(&mut loaded.kernel)
    }

    /// Waits until every next hop of the new backends is resolved, for a while.
    async fn resolve(&mut self, plan: &Plan<'_>) -> Result<()> {
        let deadline = Instant::now() + RESOLVE_TIMEOUT;
        let wanted: BTreeSet<_> = plan.next.backends().map(|(address, _)| address).collect();
        while !wanted.iter().all(|address| is_resolved(self.follower.view(), *address)) {
            let Ok(changed) = timeout_at(deadline, self.follower.changed()).await else {
                let missing = wanted.iter().filter(|address| !is_resolved(self.follower.view(), **address));
                let missing: Vec<_> = missing.map(ToString::to_string).collect();
                tracing::warn!(backends = missing.join(" "), "not every next hop is resolved yet");
                break;
            };
            changed?;
        }
        Ok(())
    }

    /// Follows the ways of the backends that packets find now, and of no others.
    async fn follow_backends(&mut self, loaded: &mut Loaded) -> Result<()> {
        self.backends = self.bindings.backends(&mut loaded.kernel)?;
        self.follower.set_destinations(addresses(&self.backends)).await?;
        self.store_ways(loaded)
    }

    async fn update_ways(&mut self, loaded: &mut Loaded) -> Result<()> {
        self.store_ways(loaded)?;
        self.update_bindings(loaded).await
    }

    pub(super) async fn update_bindings(&mut self, loaded: &mut Loaded) -> Result<()> {
        if self.bindings.update(&mut loaded.kernel, std::time::Instant::now())? {
            self.follow_backends(loaded).await?;
        }
        Ok(())
    }

    /// Stores anew what routers told of MTUs, if they did.
    async fn update_mtus(&mut self, loaded: &mut Loaded) -> Result<()> {
        if self.path_mtu.update(self.follower.view()) { self.update_ways(loaded).await } else { Ok(()) }
    }

    fn store_ways(&mut self, loaded: &mut Loaded) -> Result<()> {
        self.path_mtu.update(self.follower.view());
        self.ways.mtus.learnt = self.path_mtu.mtus();
        let stores = self.ways.update(&mut loaded.kernel, self.follower.view(), &self.backends)?;
        tracing::debug!(cells = stores.cells, entries = stores.entries, "ways updated");
        Ok(())
    }
}

/// What this host answers, from the addresses that it has now.
async fn own_answers(icmp: &Icmp, interfaces: &[Interface]) -> Result<Icmp> {
    let access = interfaces.iter().find(|interface| interface.access);
    let addresses = match access.and_then(|interface| interface_index(&interface.name)) {
        Some(ifindex) => global_addresses(ifindex).await?,
        None => Vec::new(),
    };
    let icmp = icmp::resolve(icmp, &addresses);
    if icmp.source_ipv4.is_none() {
        tracing::info!("no IPv4 address of its own: traceroute over IPv4 does not show this host");
    }
    if icmp.source_ipv6.is_none() {
        tracing::info!("no IPv6 address of its own: traceroute over IPv6 does not show this host");
    }
    Ok(icmp)
}

/// The interfaces that answers leave by, if they come back to this PoP.
fn access_of(config: &Config) -> Access {
    if !config.services.has_returning() || !matches!(config.local.role, Role::Pop(_)) {
        return Access::default();
    }
    let (access, others): (Vec<_>, Vec<_>) = config.local.interfaces.iter().partition(|interface| interface.access);
    let names = |interfaces: Vec<&Interface>| interfaces.iter().map(|interface| interface.name.clone()).collect();
    Access { interfaces: names(access), others: names(others) }
}

/// The configured MTU of every backend that has one, by index.
fn configured_mtus(inventory: &Inventory) -> BTreeMap<u32, u16> {
    let backends = inventory.pools.iter().flat_map(|pool| &pool.backends);
    backends.filter_map(|backend| Some((backend.index, backend.mtu_bytes?))).collect()
}

fn addresses(backends: &[(IpAddr, u32)]) -> BTreeSet<IpAddr> {
    backends.iter().map(|(address, _)| *address).collect()
}

/// Has every hop toward this address a neighbour?
fn is_resolved(view: &View, address: IpAddr) -> bool {
    view.routes
        .get(&address)
        .is_some_and(|route| route.hops.iter().all(|hop| view.neighbours.contains_key(&hop.neighbour())))
}
