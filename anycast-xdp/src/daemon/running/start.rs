//! A start: maps and links of nothing, or of another process, become what the configuration asks for.

use anyhow::Result;

use super::{
    Running,
    facts::{addresses, own_answers},
};
use crate::{
    dataplane::{
        apply::{Plan, plan},
        attach,
        axp::{self, Axp},
        bindings::Bindings,
        egress::EgressHook,
        generations::Target,
        icmp,
        inventory::{DownSet, Inventory},
        loader::Loaded,
        losses,
        own_addresses::{HEALTH_SOURCES, Own},
        pins::Pins,
        ways::Ways,
    },
    desired::{Config, Role},
    netlink::Follower,
    path_mtu::PathMtu,
};

impl Running {
    /// Brings maps and links to what the configuration asks for: from nothing, or from what another process left.
    /// `down`: the backends whose probes failed last; none: those that the last process knew of.
    pub(in crate::daemon) async fn start(
        loaded: &mut Loaded,
        pins: &Pins,
        config: &Config,
        mut target: Target,
        down: Option<DownSet>,
    ) -> Result<Self> {
        // Programs are loaded before anything changes: what the verifier refuses changes nothing.
        attach::load(loaded, config)?;
        let axp = Axp::of(&config.local);
        if let Some(axp) = &axp {
            axp.ensure(pins.instance())?;
        }
        let current = target.inventory(&mut loaded.kernel, config)?;
        let down = down.unwrap_or_else(|| current.down());
        let mut plan = plan(&mut loaded.kernel, &current, config, &down)?;
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
        let names = config.local.interfaces.iter().map(|interface| &interface.name);
        let names = names.chain(axp.iter().flat_map(|axp| [&axp.host_side, &axp.far_side]));
        let names: Vec<_> = names.map(String::as_str).collect();
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
        running.bindings.note_choices(&mut plan.next);
        plan.next.write(target.state())?;
        axp::remove(pins.instance(), axp.as_ref())?;
        target.settle(&mut loaded.kernel, &plan.next)?;
        running.settle(loaded, config, plan.next).await?;
        Ok(running)
    }

    /// Switches the services over, and what the host answers by itself.
    async fn switch(&mut self, loaded: &mut Loaded, config: &Config, plan: &mut Plan<'_>) -> Result<()> {
        if let Role::Pop(role) = &config.local.role {
            icmp::switch(&mut loaded.kernel, &own_answers(&role.icmp, &config.local.interfaces).await?)?;
            let own = Own { ipv4: role.health.source_ipv4, ipv6: role.health.source_ipv6 };
            HEALTH_SOURCES.switch(&mut loaded.kernel, own)?;
        }
        self.bindings = plan.switch(&mut loaded.kernel, &self.bindings)?;
        Ok(())
    }
}
