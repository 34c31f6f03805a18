//! Bindings, and the backends that their flows go to.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use anycast_common::map::Counter;

use crate::{
    desired::State,
    metrics::{
        catalogue::{
            BACKEND, BACKEND_BYTES, BACKEND_MTU, BACKEND_NEXT_HOP_SHARE, BACKEND_NEXT_HOPS, BACKEND_PACKETS,
            BACKEND_ROUTED, BACKEND_UP, BACKEND_WEIGHT, BINDING_ACTIVE, BINDING_DEGRADED, BINDING_IN_TRANSITION,
            BINDING_SHARE, BINDING_VIPS,
        },
        reading::Reading,
        writer::{Value, Writer},
    },
    view::{BackendStatus, BindingStatus, MtuSource},
};

/// Pool and address. A gateway's list of PoPs may have an address twice; series may not.
type Key<'a> = (&'a str, IpAddr);

pub fn bindings(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    let bindings =
        || reading.datapath.iter().flat_map(|datapath| &datapath.status.bindings).filter(|one| !one.pools.is_empty());
    let gauge =
        |value: fn(&BindingStatus) -> u32| bindings().map(move |binding| (binding_labels(binding), value(binding)));
    let by_pool = |value: fn(&BindingStatus, &str) -> f64| {
        bindings().flat_map(move |binding| {
            binding.pools.iter().map(move |pool| {
                let [pools, failover, failback] = binding_labels(binding);
                ([pools, failover, failback, pool.into()], value(binding, pool))
            })
        })
    };
    writer.gauges(&BINDING_VIPS, gauge(|binding| binding.vips))?;
    writer.gauges(&BINDING_ACTIVE, by_pool(|binding, pool| f64::from(u8::from(share(binding, pool) > 0.0))))?;
    writer.gauges(&BINDING_SHARE, by_pool(share))?;
    writer.gauges(&BINDING_DEGRADED, gauge(|binding| u32::from(!binding.reason.is_empty())))?;
    writer.gauges(&BINDING_IN_TRANSITION, gauge(|binding| u32::from(binding.in_transition)))
}

fn binding_labels(binding: &BindingStatus) -> [Value<'_>; 3] {
    [binding.pools.join(",").into(), binding.failover.as_str().into(), binding.failback.as_str().into()]
}

/// From 0 to 1.
fn share(binding: &BindingStatus, pool: &str) -> f64 {
    binding.shares.iter().find(|share| share.pool == pool).map_or(0.0, |share| share.percent / 100.0)
}

pub fn backends(writer: &mut Writer<'_>, reading: &Reading) -> fmt::Result {
    let mut backends = BTreeMap::<Key<'_>, &BackendStatus>::new();
    for backend in reading.datapath.iter().flat_map(|datapath| &datapath.status.backends) {
        backends.entry((&backend.pool, backend.address)).or_insert(backend);
    }
    let mut counts = BTreeMap::<Key<'_>, Counter>::new();
    for backend in reading.datapath.iter().flat_map(|datapath| &datapath.stats.backends) {
        let count = counts.entry((&backend.pool, backend.address)).or_default();
        *count = *count + backend.forwarded.0;
    }
    writer.infos(&BACKEND, backends.iter().map(|(key, backend)| info(*key, backend)))?;
    let gauge =
        |value: fn(&BackendStatus) -> u32| backends.iter().map(move |(key, backend)| (labels(*key), value(backend)));
    writer.gauges(&BACKEND_WEIGHT, gauge(|backend| backend.weight.into()))?;
    writer.counters(&BACKEND_PACKETS, counts.iter().map(|(key, count)| (labels(*key), count.packets)))?;
    writer.counters(&BACKEND_BYTES, counts.iter().map(|(key, count)| (labels(*key), count.bytes)))?;
    writer.gauges(&BACKEND_ROUTED, gauge(|backend| u32::from(backend.mtu_bytes != 0)))?;
    writer.gauges(&BACKEND_UP, gauge(|backend| u32::from(!backend.is_down_by_health)))?;
    writer.gauges(&BACKEND_MTU, gauge(|backend| backend.mtu_bytes.into()))?;
    writer.gauges(&BACKEND_NEXT_HOPS, gauge(|backend| backend.next_hops.len() as u32))?;
    writer.gauges(&BACKEND_NEXT_HOP_SHARE, backends.iter().flat_map(|(key, backend)| shares(*key, backend)))
}

fn labels((pool, address): Key<'_>) -> [Value<'_>; 2] {
    [pool.into(), address.to_string().into()]
}

fn info<'a>(key: Key<'a>, backend: &'a BackendStatus) -> ([Value<'a>; 5], Vec<(String, Value<'a>)>) {
    let state = match backend.state {
        State::Up => "up",
        State::Drain => "drain",
        State::Down => "down",
    };
    let mtu_source = match backend.mtu_source {
        None => "",
        Some(MtuSource::Route) => "route",
        Some(MtuSource::Configured) => "configured",
        Some(MtuSource::Learnt) => "learnt",
    };
    let [pool, address] = labels(key);
    ([pool, address, backend.encap.as_str().into(), state.into(), mtu_source.into()], Vec::new())
}

/// Two members of a group may be one neighbour by one interface.
fn shares<'a>(key: Key<'a>, backend: &'a BackendStatus) -> Vec<([Value<'a>; 4], f64)> {
    let mut shares = BTreeMap::<(&str, &str), f64>::new();
    for hop in &backend.next_hops {
        *shares.entry((&hop.interface, &hop.mac)).or_default() += f64::from(hop.sixteenths) / 16.0;
    }
    let row = |((interface, mac), share): ((&'a str, &'a str), f64)| {
        let [pool, address] = labels(key);
        ([pool, address, interface.into(), mac.into()], share)
    };
    shares.into_iter().map(row).collect()
}
