//! What the reconciler is to make of the maps.

use std::sync::Arc;

use imbl::OrdMap;

use crate::desired::{Config, Local, Vip};

/// A configuration and its revision. VIPs that changed one by one stand beside the configuration that they change, so that a
/// change of one of 100,000 copies none of the others.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Which revision it is; 0: of no store, or an empty one.
    pub revision: u64,
    base: Arc<Config>,
    /// By name; `None`: it has gone.
    changed: OrdMap<String, Option<Arc<Vip>>>,
}

/// A VIP that is different.
#[derive(Clone, Debug)]
pub struct VipChange {
    /// What it was; none: it is new.
    pub before: Option<Arc<Vip>>,
    /// What it is; none: it goes.
    pub after: Option<Arc<Vip>>,
}

impl Desired {
    /// A whole configuration. VIPs are in the order of their names, but for those of a host's file.
    pub fn whole(revision: u64, config: Config) -> Self {
        Self { revision, base: Arc::new(config), changed: OrdMap::new() }
    }

    /// The next revision, with one VIP changed.
    #[must_use]
    pub fn with(&self, revision: u64, name: &str, vip: Option<Arc<Vip>>) -> Self {
        Self { revision, base: Arc::clone(&self.base), changed: self.changed.update(name.to_owned(), vip) }
    }

    /// The host's facts.
    pub fn local(&self) -> &Local {
        &self.base.local
    }

    /// The configuration that VIPs may have changed since: its facts of the host, and its pools, are those of now.
    pub fn base(&self) -> &Config {
        &self.base
    }

    /// All VIPs, without a copy of them.
    pub fn vips(&self) -> impl Iterator<Item = &Vip> {
        let unchanged = self.base.services.vips.iter().filter(|vip| !self.changed.contains_key(&vip.name));
        unchanged.chain(self.changed.values().flatten().map(AsRef::as_ref))
    }

    /// The VIP of this name.
    pub fn vip(&self, name: &str) -> Option<Arc<Vip>> {
        if let Some(changed) = self.changed.get(name) {
            return changed.clone();
        }
        let vips = &self.base.services.vips;
        let at = vips.binary_search_by(|vip| vip.name.as_str().cmp(name)).ok()?;
        Some(Arc::new(vips[at].clone()))
    }

    /// All of it. A copy, if VIPs changed one by one.
    pub fn config(&self) -> Arc<Config> {
        if self.changed.is_empty() {
            return Arc::clone(&self.base);
        }
        let mut config = Config::clone(&self.base);
        config.services.vips.retain(|vip| !self.changed.contains_key(&vip.name));
        config.services.vips.extend(self.changed.values().flatten().map(|vip| Vip::clone(vip)));
        config.services.vips.sort_by(|one, other| one.name.cmp(&other.name));
        Arc::new(config)
    }

    /// What makes this of `earlier`, if it is VIPs alone that changed one by one since. `None`: more may have.
    pub fn since(&self, earlier: &Self) -> Option<Vec<VipChange>> {
        if !Arc::ptr_eq(&self.base, &earlier.base) {
            return None;
        }
        let names = self.changed.iter().filter(|(name, vip)| earlier.changed.get(*name) != Some(*vip));
        let changes = names.map(|(name, after)| VipChange { before: earlier.vip(name), after: after.clone() });
        Some(changes.collect())
    }
}
