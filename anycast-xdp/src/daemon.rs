//! `run`: load, take over or attach, follow the kernel, stay.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    pin::Pin,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    config::host::global_addresses,
    dataplane::{
        apply::{Plan, plan},
        attach,
        bindings::Bindings,
        egress::EgressHook,
        generations::Target,
        icmp,
        interfaces::interface_index,
        inventory::Inventory,
        loader::{self, Loaded},
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

/// Reads the configuration file once more, and checks it and this host as at a start.
pub type Reread = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Config>>>>>;

/// Runs until SIGTERM or SIGINT. Forwarding goes on after it: `detach` ends that. SIGHUP rereads the configuration.
///
/// # Errors
///
/// A start that fails changes nothing that forwards; a running daemon fails only if netlink does, or if neither a new
/// configuration nor the last one can be applied.
pub async fn run(mut config: Config, reread: Reread) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let pins = Pins::of(&config.local.instance);
    let is_first_start = !pins.exist();
    pins.create()?;
    let _lock = pins.lock()?;

    let started = start(&pins, &config).await;
    if started.is_err() && is_first_start {
        // Nothing forwarded before, so nothing of the attempt has to stay.
        if let Err(error) = pins.remove() {
            tracing::warn!("what the failed start made is still there, `anycast-xdp detach` removes it: {error:#}");
        }
    }
    let (mut loaded, mut running) = started?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!(instance = config.local.instance, vips = config.services.vips.len(), "ready");

    loop {
        let next_change = running.bindings.next_change(&mut loaded.kernel).map(Instant::from_std);
        tokio::select! {
            changed = running.follower.changed() => {
                changed.context("lost the kernel's route and neighbour events")?;
                running.update_ways(&mut loaded).await?;
            }
            () = running.path_mtu.ready() => running.update_mtus(&mut loaded).await?,
            () = sleep_until(next_change.unwrap_or_else(Instant::now)), if next_change.is_some() => {
                running.update_bindings(&mut loaded).await?;
            }
            _ = hangup.recv() => {
                (loaded, running) = Box::pin(reload(&pins, &mut config, &reread, (loaded, running))).await?;
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("stopping; forwarding goes on until `anycast-xdp detach`");
    Ok(())
}

/// Loads the programs, and brings maps and links to what the configuration asks for.
async fn start(pins: &Pins, config: &Config) -> Result<(Loaded, Running)> {
    let seed = match &config.local.role {
        Role::Pop(role) => Some(&role.hash_seed),
        Role::Gateway(_) => None,
    };
    let target = Target::choose(pins, &config.local.limits)?;
    let mut loaded = loader::load(Some(target.maps()), &config.local.limits, seed)?;
    let running = Running::start(&mut loaded, pins, config, target).await?;
    Ok((loaded, running))
}

/// Applies the file as it is now, as another start would. A file that is refused changes nothing.
async fn reload(
    pins: &Pins,
    config: &mut Config,
    reread: &Reread,
    running: (Loaded, Running),
) -> Result<(Loaded, Running)> {
    let next = match reread().await {
        Ok(next) if next.local.instance == config.local.instance => next,
        Ok(next) => {
            let (old, new) = (&config.local.instance, &next.local.instance);
            tracing::error!("the configuration is not applied: the instance is `{old}`, the file says `{new}`");
            return Ok(running);
        }
        Err(error) => {
            tracing::error!("the configuration is not applied: {error:#}");
            return Ok(running);
        }
    };
    match start(pins, &next).await {
        Ok(started) => {
            *config = next;
            tracing::info!(vips = config.services.vips.len(), "the configuration is applied");
            Ok(started)
        }
        Err(error) => {
            tracing::error!("the configuration is not applied, and the last one is taken up again: {error:#}");
            start(pins, config).await.context("cannot take up the last configuration again")
        }
    }
}

/// What a running daemon holds beside the maps.
struct Running {
    follower: Follower,
    ways: Ways,
    path_mtu: PathMtu,
    bindings: Bindings,
    backends: Vec<(IpAddr, u32)>,
}

impl Running {
    /// Brings maps and links to what the configuration asks for: from nothing, or from what another process left.
    async fn start(loaded: &mut Loaded, pins: &Pins, config: &Config, mut target: Target) -> Result<Self> {
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
        };
        running.follower.set_access(access_of(config)).await?;
        running.ways.mtus.configured = configured_mtus(&plan.during);
        running.resolve(&plan).await?;
        running.update_ways(loaded).await?;

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

        running.ways.mtus.configured = configured_mtus(&plan.next);
        running.follow_backends(loaded).await?;
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

    async fn update_bindings(&mut self, loaded: &mut Loaded) -> Result<()> {
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
