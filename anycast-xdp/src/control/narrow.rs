//! Changes of one VIP, judged by what they can break. Whoever says yes here is right; whoever does not know, asks for the
//! whole to be judged.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use super::judge::fits;
use crate::{
    config::{Host, Source},
    desired::{Binding, Config, HashOn, Listener, Returns, Role, Vip},
    documents::{Documents, Key, Kind},
};

/// More prefixes than a judgement of one VIP looks at.
const PREFIXES_MAX: usize = 1000;

/// What all VIPs together have, to hold one more against.
#[derive(Debug, Default)]
pub struct Index {
    vips: HashMap<IpAddr, String>,
    backends: HashSet<IpAddr>,
    listeners: Vec<(Vec<Listener>, HashOn)>,
    bindings: BTreeSet<Binding>,
    /// Names of the VIPs that checks are sent to by name.
    checked: BTreeSet<String>,
    vips_max: usize,
}

impl Index {
    /// Of valid services.
    pub fn of(config: &Config) -> Self {
        let services = &config.services;
        let backends = services.pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.address);
        let checks = services.pools.iter().filter_map(|pool| pool.health.as_ref()?.vip.clone());
        let mut index = Self {
            backends: backends.collect(),
            checked: checks.collect(),
            vips_max: config.local.limits.vips as usize,
            ..Self::default()
        };
        for vip in &services.vips {
            index.add(vip);
        }
        index
    }

    fn add(&mut self, vip: &Vip) {
        self.vips.insert(vip.address, vip.name.clone());
        if !self.has_listeners(vip) {
            self.listeners.push((vip.listeners.clone(), vip.hash));
        }
        if !vip.fallback_pools.is_empty() {
            self.bindings.insert(vip.binding());
        }
    }

    /// Takes in a change that was made.
    pub fn change(&mut self, before: Option<&Vip>, after: Option<&Vip>) {
        if let Some(before) = before {
            self.vips.remove(&before.address);
        }
        if let Some(after) = after {
            self.add(after);
        }
    }

    fn has_listeners(&self, vip: &Vip) -> bool {
        self.listeners.iter().any(|(listeners, hash)| *hash == vip.hash && *listeners == vip.listeners)
    }

    /// Does the VIP need nothing that the others do not have already, and have nothing that is theirs?
    fn has_room_for(&self, vip: &Vip) -> bool {
        let owner = self.vips.get(&vip.address);
        owner.is_none_or(|owner| *owner == vip.name)
            && !self.backends.contains(&vip.address)
            && self.has_listeners(vip)
            && (vip.fallback_pools.is_empty() || self.bindings.contains(&vip.binding()))
            && (self.vips.len() < self.vips_max || self.vips.values().any(|name| *name == vip.name))
    }
}

/// A VIP that was judged alone; none: it goes.
#[derive(Debug)]
pub struct Judged(pub Option<Arc<Vip>>);

/// The VIP as it would be. `None`: the whole has to be judged.
pub async fn judge(
    host: &Host,
    index: &Index,
    local: &Config,
    after: &Documents,
    name: &str,
    looks_at_host: bool,
) -> Option<Judged> {
    let is_pop = matches!(local.local.role, Role::Pop(_));
    if !is_pop || after.count(Kind::Prefix) > PREFIXES_MAX || index.checked.contains(name) {
        return None;
    }
    let key = Key::new(Kind::Vip, name);
    let Some(document) = after.get(&key) else { return Some(Judged(None)) };
    let mut few: Documents =
        after.of(Kind::Prefix).map(|(name, prefix)| (Key::new(Kind::Prefix, name), prefix.clone())).collect();
    let fallbacks = document.get("fallback_pools").and_then(|pools| pools.as_array()).into_iter().flatten();
    for pool in document.get("pool").into_iter().chain(fallbacks).filter_map(|pool| pool.as_str()) {
        let key = Key::new(Kind::Pool, pool);
        let mut pool = after.get(&key)?.clone();
        // The VIP that a check names is not among the few. Without the name it is this one, which is more than is asked of it.
        if let Some(check) = pool.get_mut("health").and_then(|check| check.as_object_mut()) {
            check.remove("vip");
        }
        few.put(key, pool);
    }
    few.put(key, document.clone());
    let stored = host.judge(Source::Documents(&few)).ok()?;
    if looks_at_host && fits(&stored.config, true).await.is_err() {
        return None;
    }
    let [vip] = <[Vip; 1]>::try_from(stored.config.services.vips).ok()?;
    index.has_room_for(&vip).then(|| Judged(Some(Arc::new(vip))))
}

/// Do answers of it go another way than before, or from other gateways? Then more than the VIP changes.
pub fn moves_answers(before: Option<&Vip>, after: Option<&Vip>) -> bool {
    let returns = |vip: Option<&Vip>| vip.map_or(Returns::Direct, |vip| vip.returns);
    let are_direct = returns(before) == Returns::Direct && returns(after) == Returns::Direct;
    let is_same = match (before, after) {
        (Some(before), Some(after)) => before.returns == after.returns && before.pools().eq(after.pools()),
        (None, _) | (_, None) => false,
    };
    !are_direct && !is_same
}
