//! Loading the programs onto their maps, new or pinned.

use std::path::Path;

use anycast_common::{flow::FlowKey, outcome::Outcome};
use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf, EbpfLoader, VerifierLogLevel,
    maps::MapData,
    programs::{ProgramError, Xdp},
};

use super::tables::{Kernel, MAPS, Raw};
use crate::{desired::Limits, objects};

/// Most tunnel addresses of a gateway.
const TUNNELS_MAX: u32 = 256;
/// Most allowed sources of a gateway.
const SOURCES_MAX: u32 = 4096;
/// Most pairs of interface and kind of loss.
const LOSSES_MAX: u32 = 1024;

/// The programs of an instance, with the maps that they run on.
pub struct Loaded {
    /// The object: programs and maps.
    pub ebpf: Ebpf,
    /// The maps, opened for change.
    pub kernel: Kernel,
}

/// Loads the object. With `pins`, maps are taken from there or made and pinned there.
///
/// # Errors
///
/// Pinned maps of other capacities, and whatever the kernel refuses.
pub fn load(pins: Option<&Path>, limits: &Limits, hash_seed: Option<&[u8; 16]>) -> Result<Loaded> {
    let capacities = capacities(limits);
    if let Some(pins) = pins {
        check_capacities(pins, &capacities)?;
    }
    let paths: Vec<_> = MAPS.iter().filter_map(|name| Some((*name, pins?.join(name)))).collect();
    let key = Raw(FlowKey::from_seed(hash_seed.unwrap_or(&[0; 16])));
    let mut loader = EbpfLoader::new();
    loader.verifier_log_level(if std::env::var_os("AXV").is_some() { VerifierLogLevel::VERBOSE } else { VerifierLogLevel::STATS }).override_global("FLOW_KEY", &key, true);
    for (name, capacity) in capacities {
        loader.map_max_entries(name, capacity);
    }
    for (name, path) in &paths {
        loader.map_pin_path(name, path.as_path());
    }
    let ebpf = loader.load(objects::DATAPATH).context("cannot load the datapath object")?;
    let kernel = Kernel::open(|name| match pins {
        Some(pins) => open_pin(pins, name),
        None => clone_map(&ebpf, name),
    })?;
    Ok(Loaded { ebpf, kernel })
}

impl Loaded {
    /// Loads one of the XDP programs into the kernel, if it is not yet.
    ///
    /// # Errors
    ///
    /// The verifier's answer.
    pub fn xdp(&mut self, name: &str) -> Result<&mut Xdp> {
        let program = self.ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
        let program: &mut Xdp = program.try_into()?;
        match program.load() {
            Ok(()) | Err(ProgramError::AlreadyLoaded) => Ok(program),
            Err(error) => Err(error).with_context(|| format!("the kernel refuses program {name}")),
        }
    }
}

/// Opens the pinned maps of an instance.
///
/// # Errors
///
/// A map that is not there.
pub fn open_pinned(pins: &Path) -> Result<Kernel> {
    Kernel::open(|name| open_pin(pins, name))
}

fn open_pin(pins: &Path, name: &str) -> Result<MapData> {
    MapData::from_pin(pins.join(name)).with_context(|| format!("cannot open the pinned map {name}"))
}

/// A second handle of a map that the object made.
fn clone_map(ebpf: &Ebpf, name: &str) -> Result<MapData> {
    let (_, map) = ebpf.maps().find(|(other, _)| *other == name).with_context(|| format!("the object has no map {name}"))?;
    Ok(MapData::from_id(map_id(map)?)?)
}

/// The kernel's id of a map.
fn map_id(map: &aya::maps::Map) -> Result<u32> {
    use aya::maps::Map;
    let data = match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuHashMap(data)
        | Map::DevMap(data)
        | Map::LpmTrie(data) => data,
        other => bail!("unexpected kind of map: {other:?}"),
    };
    Ok(data.info()?.id())
}

/// Capacity of every map. Tables of next hops are twice as large as their limit: a new daemon builds its own beside those
/// of the one before it.
fn capacities(limits: &Limits) -> Vec<(&'static str, u32)> {
    // Index 0 is reserved.
    let with_zero = |count: u32| count.saturating_add(1);
    let twice = |count: u32| count.saturating_mul(2).saturating_add(1);
    vec![
        ("VIP4", limits.vips),
        ("VIP6", limits.vips),
        ("VIPS", with_zero(limits.vips)),
        ("POOLS", with_zero(limits.pools)),
        ("SLOTS", limits.slots.div_ceil(2) + 1),
        ("BACKENDS", with_zero(limits.backends)),
        ("GROUPS", twice(limits.groups)),
        ("NEXT_HOPS", twice(limits.next_hops)),
        ("LINKS", twice(limits.links)),
        ("DEVICES", twice(limits.links)),
        ("LISTENER_SETS", with_zero(limits.listener_sets)),
        // TCP, UDP and SCTP.
        ("PORT_TABLES", with_zero(limits.listener_sets.saturating_mul(3))),
        ("PORT_PAGES", with_zero(limits.listener_sets.saturating_mul(8).min(u16::MAX as u32 - 1))),
        ("TUNNELS", TUNNELS_MAX),
        ("SOURCES", SOURCES_MAX),
        ("VIP_COUNTERS", with_zero(limits.vips)),
        ("VIP_DROPS", limits.vip_drops),
        ("BACKEND_COUNTERS", with_zero(limits.backends)),
        ("OUTCOMES", Outcome::COUNT as u32),
        ("DRIVER_LOSSES", LOSSES_MAX),
    ]
}

fn check_capacities(pins: &Path, capacities: &[(&str, u32)]) -> Result<()> {
    let mut different = Vec::new();
    for (name, wanted) in capacities {
        let Ok(map) = MapData::from_pin(pins.join(name)) else {
            continue;
        };
        let pinned = map.info()?.max_entries();
        if pinned != *wanted {
            different.push(format!("{name} has {pinned} entries, the configuration asks for {wanted}"));
        }
    }
    if different.is_empty() {
        return Ok(());
    }
    bail!(
        "the limits differ from those of the maps that are in use: {}. Put the [limits] back, or run `anycast-xdp detach` \
         (which stops forwarding) and start again",
        different.join("; ")
    )
}
