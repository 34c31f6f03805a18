//! `[[pool]]` with its `[[pool.backend]]`.

use std::{net::IpAddr, sync::Arc};

use anycast_common::{encap::Encap, header::GUE_PORT};

use super::super::{
    findings::{Findings, Problem},
    health::{self, CheckDraft},
    place::{Located, Place},
    schema::fields,
    table::Table,
    types::{EncapName, Integer, Name},
};
use crate::desired::{Backend, Pool, State};

/// `[[pool]]`
pub(in crate::config) struct PoolDraft {
    pub(in crate::config) place: Place,
    pub(in crate::config) name: Option<Located<Name>>,
    home_region: Option<Name>,
    state: Option<State>,
    pub(in crate::config) dial_percent: Option<Integer<0, 100>>,
    pub(in crate::config) backends: Vec<BackendDraft>,
    pub(in crate::config) health: Option<CheckDraft>,
}

/// `[[pool.backend]]`
pub(in crate::config) struct BackendDraft {
    pub(in crate::config) address: Option<Located<IpAddr>>,
    weight: Option<Integer<1, 65_535>>,
    /// Its place is that of the parameter, where it has one.
    pub(in crate::config) encap: Option<Located<Encap>>,
    pub(in crate::config) mtu_bytes: Option<Located<Integer<576, 65_535>>>,
    state: Option<State>,
}

pub(super) fn read_pool(pool: &Table<'_>, findings: &mut Findings<'_>) -> PoolDraft {
    let name = pool.read(&fields::pool::NAME, findings);
    let home_region = pool.read(&fields::pool::HOME_REGION, findings).map(|region| region.value);
    let state = pool.read(&fields::pool::STATE, findings).map(|state| state.value);
    let dial_percent = pool.read(&fields::pool::DIAL_PERCENT, findings).map(|dial| dial.value);
    pool.read(&fields::pool::LABELS, findings);
    let backends = pool.sections(&fields::backend::SECTION, findings);
    let backends = backends.iter().map(|backend| read_backend(backend, findings)).collect();
    let health = health::read_check(pool, findings);
    PoolDraft { place: pool.place.clone(), name, home_region, state, dial_percent, backends, health }
}

fn read_backend(backend: &Table<'_>, findings: &mut Findings<'_>) -> BackendDraft {
    BackendDraft {
        address: backend.read(&fields::backend::ADDRESS, findings),
        weight: backend.read(&fields::backend::WEIGHT, findings).map(|weight| weight.value),
        encap: read_encap(backend, findings),
        mtu_bytes: backend.read(&fields::backend::MTU_BYTES, findings),
        state: backend.read(&fields::backend::STATE, findings).map(|state| state.value),
    }
}

/// The encap with its parameter; one that belongs to another encap is refused.
fn read_encap(backend: &Table<'_>, findings: &mut Findings<'_>) -> Option<Located<Encap>> {
    let name = backend.read(&fields::backend::ENCAP, findings);
    let key = backend.read(&fields::backend::GRE_KEY, findings);
    let port = backend.read(&fields::backend::GUE_PORT, findings);
    let Located { value: name, place } = name?;
    let mut only_with = |place: Option<&Place>, owner: EncapName, words: &str| {
        if let Some(place) = place.filter(|_| name != owner) {
            let help = format!("remove it, or write `encap = \"{words}\"`");
            findings.refuse(place, Problem::new(format!("this backend's encap is not `{words}`"), help));
        }
    };
    only_with(key.as_ref().map(|key| &key.place), EncapName::Gre, "gre");
    only_with(port.as_ref().map(|port| &port.place), EncapName::Gue, "gue");
    Some(match name {
        EncapName::Ipip => Located { value: Encap::Ipip, place },
        EncapName::Gre => {
            let (key, place) = key.map_or((None, place), |key| (Some(key.value.0), key.place));
            Located { value: Encap::Gre { key }, place }
        }
        EncapName::Gue => {
            let (port, place) = port.map_or((None, place), |port| (u16::try_from(port.value.0).ok(), port.place));
            Located { value: Encap::Gue { port: port.unwrap_or(GUE_PORT) }, place }
        }
    })
}

impl PoolDraft {
    /// The desired form; `None` only if something was refused.
    pub(super) fn finish(self) -> Option<Pool> {
        Some(Pool {
            name: self.name?.value.0,
            home_region: self.home_region?.0,
            state: self.state?,
            backends: self.backends.into_iter().map(BackendDraft::finish).collect::<Option<_>>()?,
            health: match self.health {
                Some(check) => Some(Arc::new(check.finish()?)),
                None => None,
            },
            dial_percent: u8::try_from(self.dial_percent?.0).ok()?,
        })
    }
}

impl BackendDraft {
    fn finish(self) -> Option<Backend> {
        Some(Backend {
            address: self.address?.value,
            weight: u16::try_from(self.weight?.0).ok()?,
            encap: self.encap?.value,
            state: self.state?,
            mtu_bytes: self.mtu_bytes.and_then(|mtu_bytes| u16::try_from(mtu_bytes.value.0).ok()),
        })
    }
}
