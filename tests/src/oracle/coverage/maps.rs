//! The maps of a loaded object, as the program's look-ups see them: by the kernel's own look-up, one system call each.
//! That works for maps of every kind, with the kernel's semantics, and counters are where the other tests look for them.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use anycast_xdp::dataplane::{
    bpf::{BPF_MAP_DELETE_ELEM, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM},
    loader::Loaded,
};
use anyhow::{Context as _, Result, anyhow, bail};
use aya::maps::{Map, MapData, MapType};

use crate::oracle::elements;

/// Whether the key is there or not (include/uapi/linux/bpf.h).
const BPF_ANY: u64 = 0;

/// A map of the kernel.
pub(super) struct KernelMap {
    fd: OwnedFd,
    /// Bytes of a key.
    pub key_bytes: usize,
    /// Bytes of a value, as the program sees it.
    pub value_bytes: usize,
    /// Of a per-CPU map: values of an entry, one for each possible processor.
    copies: Option<usize>,
}

/// A value that a program looked up. Of a per-CPU map it sees the first processor's.
pub(super) struct Value {
    /// Position of the map.
    pub map: usize,
    /// Its key.
    pub key: Vec<u8>,
    bytes: Vec<u8>,
    visible_bytes: usize,
    is_written: bool,
}

impl Value {
    /// What the program may read.
    pub fn visible(&self) -> &[u8] {
        &self.bytes[..self.visible_bytes]
    }

    /// What the program is about to write.
    pub fn visible_mut(&mut self) -> &mut [u8] {
        self.is_written = true;
        &mut self.bytes[..self.visible_bytes]
    }
}

impl KernelMap {
    /// The maps with these names, in this order.
    pub fn open_all(loaded: &Loaded, names: &[String]) -> Result<Vec<Self>> {
        let open = |name: &String| {
            let found = loaded.ebpf.maps().find(|(other, _)| other == name);
            Self::open(found.context("the object has no such map")?.1).with_context(|| format!("map {name}"))
        };
        names.iter().map(open).collect()
    }

    fn open(map: &Map) -> Result<Self> {
        let data = data(map)?;
        let info = data.info()?;
        let is_per_cpu =
            matches!(info.map_type()?, MapType::PerCpuArray | MapType::PerCpuHash | MapType::LruPerCpuHash);
        let copies =
            is_per_cpu.then(aya::util::nr_cpus).transpose().map_err(|(path, error)| anyhow!("{path}: {error}"))?;
        Ok(Self {
            fd: data.fd().as_fd().try_clone_to_owned()?,
            key_bytes: info.key_size() as usize,
            value_bytes: info.value_size() as usize,
            copies,
        })
    }

    /// The kernel rounds the copies of a per-CPU value up to eight bytes.
    fn entry_bytes(&self) -> usize {
        self.copies.map_or(self.value_bytes, |copies| self.value_bytes.next_multiple_of(8) * copies)
    }

    /// The value of a key, if there is one.
    pub fn lookup(&self, position: usize, key: &[u8]) -> io::Result<Option<Value>> {
        let mut bytes = vec![0; self.entry_bytes()];
        match self.call(BPF_MAP_LOOKUP_ELEM, key, &mut bytes, 0) {
            Ok(()) => Ok(Some(Value {
                map: position,
                key: key.to_vec(),
                bytes,
                visible_bytes: self.value_bytes,
                is_written: false,
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets the value of a key. What other processors have of a per-CPU value becomes zero, as in a new entry.
    pub fn update(&self, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
        let mut bytes = value.to_vec();
        bytes.resize(self.entry_bytes(), 0);
        self.call(BPF_MAP_UPDATE_ELEM, key, &mut bytes, flags)
    }

    /// Removes a key.
    pub fn delete(&self, key: &[u8]) -> io::Result<()> {
        self.call(BPF_MAP_DELETE_ELEM, key, &mut [], 0)
    }

    /// Gives the kernel what the program wrote.
    pub fn write_back(&self, value: &mut Value) -> io::Result<()> {
        if !value.is_written {
            return Ok(());
        }
        value.is_written = false;
        self.call(BPF_MAP_UPDATE_ELEM, &value.key, &mut value.bytes, BPF_ANY)
    }

    fn call(&self, command: libc::c_int, key: &[u8], value: &mut [u8], flags: u64) -> io::Result<()> {
        assert_eq!(key.len(), self.key_bytes);
        elements::call(&self.fd, command, Some(key), Some(value).filter(|value| !value.is_empty()), flags)
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other kinds have no look-ups that a datapath does")]
fn data(map: &Map) -> Result<&MapData> {
    Ok(match map {
        Map::Array(data)
        | Map::DevMap(data)
        | Map::HashMap(data)
        | Map::LpmTrie(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuHashMap(data)
        | Map::PerCpuLruHashMap(data) => data,
        other => bail!("the interpreter does not know maps of this kind: {other:?}"),
    })
}
