//! A loaded object once more, with its maps as they were when it was loaded: the verifier takes a second for our programs, and
//! twenty where the machine is emulated.

use std::io;

use anycast_xdp::dataplane::{
    array::Array,
    bpf::{BPF_MAP_DELETE_ELEM, BPF_MAP_GET_NEXT_KEY, BPF_MAP_UPDATE_ELEM},
    loader::Loaded,
    tables::capacity::FLOW_KEY_MAP,
};
use anyhow::{Context as _, Result, anyhow, bail};
use aya::maps::{Map, MapData, MapInfo};

use crate::oracle::elements::call as call_with;

/// Empties every map, whatever it is for, but the one that the kernel keeps constant.
pub(super) fn emptied(loaded: Loaded) -> Result<Loaded> {
    for (name, map) in loaded.ebpf.maps().filter(|(name, _)| *name != FLOW_KEY_MAP) {
        empty(map).with_context(|| format!("cannot empty map {name}"))?;
    }
    let kernel = loaded.second_kernel()?;
    Ok(Loaded { kernel, ebpf: loaded.ebpf })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the object has maps of these kinds only")]
fn empty(map: &Map) -> Result<()> {
    match map {
        Map::Array(data) => zero(data, 1),
        Map::PerCpuArray(data) => zero(data, aya::util::nr_cpus().map_err(|(path, error)| anyhow!("{path}: {error}"))?),
        Map::DevMap(data) => {
            let mut indexes = 0..data.info()?.max_entries();
            Ok(indexes.try_for_each(|index| call(data, BPF_MAP_DELETE_ELEM, Some(&index.to_ne_bytes()), None))?)
        }
        Map::HashMap(data) | Map::LruHashMap(data) | Map::PerCpuHashMap(data) | Map::LpmTrie(data) => remove_all(data),
        other => bail!("unexpected kind of map: {other:?}"),
    }
}

/// Makes all entries zero, each with its copies for all processors.
fn zero(map: &MapData, copies: usize) -> Result<()> {
    let info = map.info()?;
    // One that can be mapped has millions of entries; the kernel refuses to map others.
    if let Ok(mut words) = Array::<u64>::map(map.fd(), words(&info)) {
        for at in words.used().collect::<Vec<_>>() {
            words.write(at, 0);
        }
        return Ok(());
    }
    let mut value = vec![0; (info.value_size() as usize).next_multiple_of(8) * copies];
    let mut indexes = 0..info.max_entries();
    Ok(indexes.try_for_each(|index| call(map, BPF_MAP_UPDATE_ELEM, Some(&index.to_ne_bytes()), Some(&mut value)))?)
}

/// The kernel rounds each value up to 8 bytes (`array_map_alloc`, kernel/bpf/arraymap.c).
fn words(info: &MapInfo) -> u32 {
    info.value_size().div_ceil(8) * info.max_entries()
}

fn remove_all(map: &MapData) -> Result<()> {
    let mut key = vec![0; map.info()?.key_size() as usize];
    loop {
        // Without a key before it the kernel gives the first one.
        match call(map, BPF_MAP_GET_NEXT_KEY, None, Some(&mut key)) {
            Ok(()) => call(map, BPF_MAP_DELETE_ELEM, Some(&key), None)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn call(map: &MapData, command: libc::c_int, key: Option<&[u8]>, value: Option<&mut [u8]>) -> io::Result<()> {
    call_with(map.fd(), command, key, value, 0)
}

#[cfg(test)]
mod tests {
    use anycast_xdp::dataplane::{bpf::BPF_MAP_LOOKUP_ELEM, loader};

    use super::{super::instance::LIMITS, *};
    use crate::require_root;

    /// The loopback device, which every namespace has.
    const IFINDEX: u64 = 1;

    /// Bytes of a value for all processors.
    fn value_bytes(map: &Map) -> usize {
        let size = data(map).info().unwrap().value_size() as usize;
        let copies = aya::util::nr_cpus().unwrap();
        let is_per_cpu = matches!(map, Map::PerCpuArray(_) | Map::PerCpuHashMap(_));
        if is_per_cpu { size.next_multiple_of(8) * copies } else { size }
    }

    fn data(map: &Map) -> &MapData {
        let (Map::Array(data)
        | Map::PerCpuArray(data)
        | Map::DevMap(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::PerCpuHashMap(data)
        | Map::LpmTrie(data)) = map
        else {
            panic!("{map:?}");
        };
        data
    }

    /// The first and the last index, or two keys: a prefix of no bits is one as well.
    fn keys(map: &Map) -> Vec<Vec<u8>> {
        let info = data(map).info().unwrap();
        let of = |byte| vec![byte; info.key_size() as usize];
        if matches!(map, Map::LpmTrie(_)) {
            vec![of(0)]
        } else if matches!(map, Map::Array(_) | Map::PerCpuArray(_) | Map::DevMap(_)) {
            [0, info.max_entries() - 1].map(|index| index.to_ne_bytes().to_vec()).to_vec()
        } else {
            vec![of(0), of(7)]
        }
    }

    /// What is there, but for zeros.
    fn found(loaded: &Loaded) -> Vec<String> {
        let maps = loaded.ebpf.maps().filter(|(name, _)| *name != FLOW_KEY_MAP);
        let is_found = |map: &Map, key: &Vec<u8>| {
            let mut value = vec![0; value_bytes(map)];
            let is_there = call(data(map), BPF_MAP_LOOKUP_ELEM, Some(key), Some(&mut value)).is_ok();
            // A key with zeros is one all the same.
            is_there && (!matches!(map, Map::Array(_) | Map::PerCpuArray(_)) || value.iter().any(|byte| *byte != 0))
        };
        let of_map = |(name, map)| keys(map).into_iter().map(move |key| (name, map, key));
        let found = maps.flat_map(of_map).filter(|(_, map, key)| is_found(map, key));
        found.map(|(name, _, key)| format!("{name} {key:?}")).collect()
    }

    #[test]
    fn every_map_that_was_written_to_is_as_new() {
        require_root!();
        let loaded = loader::load(None, &LIMITS, None).unwrap();
        assert_eq!(found(&loaded), Vec::<String>::new());
        let mut written = 0;
        for (name, map) in loaded.ebpf.maps().filter(|(name, _)| *name != FLOW_KEY_MAP) {
            for key in keys(map) {
                let mut value = vec![0; value_bytes(map)];
                let bytes = IFINDEX.to_ne_bytes();
                let len = bytes.len().min(value.len());
                value[..len].copy_from_slice(&bytes[..len]);
                call(data(map), BPF_MAP_UPDATE_ELEM, Some(&key), Some(&mut value)).expect(name);
                written += 1;
            }
        }
        assert_eq!(found(&loaded).len(), written);
        assert_eq!(found(&emptied(loaded).unwrap()), Vec::<String>::new());
    }
}
