//! Reads the services: `[[pop]]`, `[[prefix]]`, `[[pool]]` with its `[[pool.backend]]`, and `[[vip]]`.

mod pool;
mod vip;

use ipnet::IpNet;

use self::{pool::read_pool, vip::read_vip};
pub(super) use self::{
    pool::{BackendDraft, PoolDraft},
    vip::VipDraft,
};
use super::{
    findings::Findings,
    local::belongs_to,
    place::{Located, Place},
    publish::{PopDraft, read_pop},
    schema::fields,
    table::Table,
    types::{Name, RoleName},
};
use crate::desired::{Prefix, Returns, Services};

/// Where the services are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// In the host's file.
    HostFile,
    /// In the store: VIPs may be unbound for a while there, and all are in a prefix.
    Store,
}

/// The services of a text as they were read; what was refused or is missing is `None`.
pub(super) struct ServicesDraft {
    pub(super) home: Home,
    pub(super) pops: Vec<PopDraft>,
    pub(super) prefixes: Vec<PrefixDraft>,
    pub(super) pools: Vec<PoolDraft>,
    pub(super) vips: Vec<VipDraft>,
}

/// `[[prefix]]`
pub(super) struct PrefixDraft {
    pub(super) place: Place,
    pub(super) name: Option<Located<Name>>,
    pub(super) prefix: Option<Located<IpNet>>,
    pub(super) publish: Option<Vec<Located<Name>>>,
}

pub(super) fn read(root: &Table<'_>, home: Home, role: Option<RoleName>, findings: &mut Findings<'_>) -> ServicesDraft {
    let pops = root.sections(&fields::pop::SECTION, findings);
    let prefixes = root.sections(&fields::prefix::SECTION, findings);
    let pools = if belongs_to(root, role, &fields::pool::SECTION, findings) {
        root.sections(&fields::pool::SECTION, findings)
    } else {
        Vec::new()
    };
    let vips = root.sections(&fields::vip::SECTION, findings);
    ServicesDraft {
        home,
        pops: pops.iter().map(|pop| read_pop(pop, findings)).collect(),
        prefixes: prefixes.iter().map(|prefix| read_prefix(prefix, findings)).collect(),
        pools: pools.iter().map(|pool| read_pool(pool, findings)).collect(),
        vips: vips.iter().map(|vip| read_vip(vip, home, role, findings)).collect(),
    }
}

fn read_prefix(prefix: &Table<'_>, findings: &mut Findings<'_>) -> PrefixDraft {
    prefix.read(&fields::prefix::LABELS, findings);
    PrefixDraft {
        place: prefix.place.clone(),
        name: prefix.read(&fields::prefix::NAME, findings),
        prefix: prefix.read(&fields::prefix::PREFIX, findings),
        publish: prefix.read_list(&fields::prefix::PUBLISH, findings).map(|list| list.value),
    }
}

impl ServicesDraft {
    /// The VIPs whose answers go through PoPs.
    pub(super) fn returning(&self) -> impl Iterator<Item = &VipDraft> {
        self.vips.iter().filter(|vip| vip.returns.is_some_and(|returns| returns != Returns::Direct))
    }

    /// The desired form; `None` only if something was refused.
    pub(super) fn finish(self) -> Option<Services> {
        Some(Services {
            vips: self.vips.into_iter().map(VipDraft::finish).collect::<Option<_>>()?,
            pools: self.pools.into_iter().map(PoolDraft::finish).collect::<Option<_>>()?,
            prefixes: self.prefixes.into_iter().map(PrefixDraft::finish).collect::<Option<_>>()?,
            pops: self.pops.into_iter().map(PopDraft::finish).collect::<Option<_>>()?,
        })
    }
}

impl PrefixDraft {
    fn finish(self) -> Option<Prefix> {
        Some(Prefix { name: self.name?.value.0, prefix: self.prefix?.value, publish: self.publish.map(names) })
    }
}

fn names(located: Vec<Located<Name>>) -> Vec<String> {
    located.into_iter().map(|name| name.value.0).collect()
}
