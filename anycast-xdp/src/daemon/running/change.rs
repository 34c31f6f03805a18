//! A change of the services under the programs that run.

use anyhow::Result;

use super::{Running, facts::addresses};
use crate::{
    control::VipChange,
    dataplane::{
        apply::{Change, change_vips, plan},
        loader::Loaded,
    },
    desired::Config,
};

/// Up to so many VIPs, their names are written at once.
const SAVED_AT_ONCE: usize = 2000;

impl Running {
    /// Changes the services under the programs that run.
    ///
    /// # Errors
    ///
    /// No room, or a refused system call: what was changed before it is consistent, and the last services are brought back
    /// by changing to them.
    pub(in crate::daemon) async fn change(&mut self, loaded: &mut Loaded, config: &Config) -> Result<()> {
        let mut plan = plan(&mut loaded.kernel, &self.inventory, config, &self.bindings.down())?;
        plan.next.interfaces.clone_from(&self.inventory.interfaces);
        plan.during.write(&self.directory)?;
        // After an error both may be in the maps.
        self.inventory.clone_from(&plan.during);
        plan.install_backends(&mut loaded.kernel)?;
        self.backends.clone_from(&plan.during_backends);
        self.follower.set_destinations(addresses(&self.backends)).await?;
        self.path_mtu.follow(config);
        self.lead_backends(loaded, config, &plan).await?;
        self.bindings = plan.switch(&mut loaded.kernel, &self.bindings)?;
        self.bindings.note_choices(&mut plan.next);
        plan.next.write(&self.directory)?;
        self.settle(loaded, config, plan.next).await
    }

    /// Changes VIPs alone. `false`: more than them would have to be, and nothing was changed.
    ///
    /// # Errors
    ///
    /// A refused system call.
    pub(in crate::daemon) fn change_vips(&mut self, loaded: &mut Loaded, vips: &[VipChange]) -> Result<bool> {
        let changes = vips.iter().map(|vip| Change { before: vip.before.as_deref(), after: vip.after.as_deref() });
        let changes: Vec<_> = changes.collect();
        if !change_vips(&mut loaded.kernel, &mut self.inventory, &changes)? {
            return Ok(false);
        }
        // Names of many VIPs take longer to write than the maps; the maps are what is true.
        self.save_soon();
        if self.inventory.vips.len() <= SAVED_AT_ONCE {
            self.save()?;
        }
        Ok(true)
    }
}
