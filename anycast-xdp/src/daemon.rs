//! `run`: load, take over or attach, follow the kernel, stay.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout_at},
};

use crate::{
    dataplane::{
        apply::{Plan, plan},
        attach,
        inventory::Inventory,
        loader::{self, Loaded},
        losses,
        pins::Pins,
        ways::Ways,
    },
    desired::{Config, Role},
    netlink::{Follower, View},
    path_mtu::PathMtu,
};

/// How long a start waits for neighbours of backends before it goes on without them.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT. Forwarding goes on after it: `detach` ends that.
///
/// # Errors
///
/// A start that fails changes nothing that forwards; a running daemon fails only if netlink does.
pub async fn run(config: Config) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
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
        tokio::select! {
            changed = running.follower.changed() => {
                changed.context("lost the kernel's route and neighbour events")?;
                running.update_ways(&mut loaded)?;
            }
            () = running.path_mtu.ready() => running.update_mtus(&mut loaded)?,
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
    let mut loaded = loader::load(Some(&pins.maps()), &config.local.limits, seed)?;
    let running = Running::start(&mut loaded, pins, config).await?;
    Ok((loaded, running))
}

/// What a running daemon holds beside the maps.
struct Running {
    follower: Follower,
    ways: Ways,
    path_mtu: PathMtu,
    backends: Vec<(IpAddr, u32)>,
}

impl Running {
    /// Brings maps and links to what the configuration asks for: from nothing, or from what another process left.
    async fn start(loaded: &mut Loaded, pins: &Pins, config: &Config) -> Result<Self> {
        // Programs are loaded before anything changes: what the verifier refuses changes nothing.
        attach::load(loaded, config)?;
        let current = Inventory::read_or_rebuild(pins.run());
        let mut plan = plan(&mut loaded.kernel, &current, config)?;
        plan.during.write(pins.run())?;
        plan.install_backends(&mut loaded.kernel)?;

        let mut running = Self {
            follower: Follower::start(addresses(&plan.during_backends)).await?,
            ways: Ways::new(&mut loaded.kernel),
            path_mtu: PathMtu::start(config, pins.run()),
            backends: plan.during_backends.clone(),
        };
        running.ways.mtus.configured = configured_mtus(&plan.during);
        running.resolve(&plan).await?;
        running.update_ways(loaded)?;

        // An interface may still refuse: the services change after that.
        let names: Vec<_> = config.local.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        losses::follow(loaded, pins, &names)?;
        let interfaces = attach::attach(loaded, pins, config)?;
        plan.switch(&mut loaded.kernel)?;
        plan.next.interfaces = interfaces;
        plan.next.write(pins.run())?;

        running.backends = backends(&plan.next);
        running.ways.mtus.configured = configured_mtus(&plan.next);
        running.follower.set_destinations(addresses(&running.backends)).await?;
        running.update_ways(loaded)?;
        Ok(running)
    }

    /// Waits until every next hop of the new backends is resolved, for a while.
    async fn resolve(&mut self, plan: &Plan<'_>) -> Result<()> {
        let deadline = Instant::now() + RESOLVE_TIMEOUT;
        let wanted = addresses(&backends(&plan.next));
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

    /// Stores anew what routers told of MTUs, if they did.
    fn update_mtus(&mut self, loaded: &mut Loaded) -> Result<()> {
        if self.path_mtu.update(self.follower.view()) { self.update_ways(loaded) } else { Ok(()) }
    }

    fn update_ways(&mut self, loaded: &mut Loaded) -> Result<()> {
        self.path_mtu.update(self.follower.view());
        self.ways.mtus.learnt = self.path_mtu.mtus();
        let stores = self.ways.update(&mut loaded.kernel, self.follower.view(), &self.backends)?;
        tracing::debug!(cells = stores.cells, entries = stores.entries, "ways updated");
        Ok(())
    }
}

/// Tunnel address and index of every backend.
fn backends(inventory: &Inventory) -> Vec<(IpAddr, u32)> {
    let backends = inventory.pools.iter().flat_map(|pool| &pool.backends);
    backends.map(|backend| (backend.address, backend.index)).collect()
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
