//! Typed access to the maps of the measuring programs.

use std::fmt::Debug;

use anycast_common::map::MapValue;
use anyhow::{Context as _, Result};
use aya::{
    Ebpf, Pod,
    maps::{MapData, PerCpuArray, PerCpuValues},
};

/// A value of the boundary contract, as aya wants it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Value<T>(pub T);

// SAFETY: transparent over a `MapValue`, which is plain bytes without padding, valid for every bit pattern.
unsafe impl<T: MapValue> Pod for Value<T> {}

/// Takes a map out of its object, in the form that the caller keeps it in.
pub fn take<M>(ebpf: &mut Ebpf, name: &str) -> Result<M>
where
    M: TryFrom<aya::maps::Map, Error = aya::maps::MapError>,
{
    let map = ebpf.take_map(name).with_context(|| format!("the object has no map {name}"))?;
    M::try_from(map).with_context(|| format!("map {name}"))
}

/// The sum over all CPUs of one number of a per-CPU array.
pub fn sum(array: &PerCpuArray<MapData, u64>, index: u32) -> Result<u64> {
    let values: PerCpuValues<u64> = array.get(&index, 0)?;
    Ok(values.iter().sum())
}
