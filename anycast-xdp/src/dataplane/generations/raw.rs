//! Maps of any layout, byte by byte: of a generation that another build made.

use std::{
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _},
    path::Path,
};

use anyhow::{Context as _, Result};
use aya::maps::MapData;

use super::super::bpf::{self, Batch, Element};

/// Entries that are zeroed by one call.
const BATCH_LEN: u32 = 1024;
/// `BPF_MAP_TYPE_*` (include/uapi/linux/bpf.h).
const ARRAY: u32 = 2;
const PERCPU_HASH: u32 = 5;
const PERCPU_ARRAY: u32 = 6;
const LRU_PERCPU_HASH: u32 = 10;

/// A map of which only the sizes are known.
pub(super) struct RawMap {
    map: MapData,
    kind: u32,
    pub key_bytes: usize,
    pub value_bytes: usize,
    /// What a look-up gives: of a per-CPU map one value for each possible CPU, each rounded up to 8 bytes.
    room: usize,
    pub len: u32,
}

impl RawMap {
    /// A pinned map; `None`: the generation has no such map.
    pub fn open(directory: &Path, name: &str) -> Result<Option<Self>> {
        let path = directory.join(name);
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let map = MapData::from_pin(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let info = map.info()?;
        let kind = info.map_type()? as u32;
        let (key_bytes, value_bytes) = (info.key_size() as usize, info.value_size() as usize);
        let room = if matches!(kind, PERCPU_HASH | PERCPU_ARRAY | LRU_PERCPU_HASH) {
            let cpus = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
            value_bytes.next_multiple_of(8) * cpus
        } else {
            value_bytes
        };
        Ok(Some(Self { map, kind, key_bytes, value_bytes, room, len: info.max_entries() }))
    }

    /// The kernel's number of the map.
    pub fn id(&self) -> Result<u32> {
        Ok(self.map.info()?.id())
    }

    fn call(&self, command: libc::c_int, key: *const u8, value: *mut u8) -> io::Result<bool> {
        let map_fd = self.map.fd().as_fd().as_raw_fd();
        let mut element = Element { map_fd, pad: 0, key, value, flags: 0 };
        // SAFETY: callers give a key of the map's size or none, and room for what the command gives.
        match unsafe { bpf::call(command, &mut element) } {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn check_key(&self, key: &[u8]) -> io::Result<()> {
        if key.len() == self.key_bytes { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// The value at a key, of all CPUs.
    pub fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.check_key(key)?;
        let mut value = vec![0; self.room];
        Ok(self.call(bpf::BPF_MAP_LOOKUP_ELEM, key.as_ptr(), value.as_mut_ptr())?.then_some(value))
    }

    /// The value at a key as 8-byte numbers, each the sum over all CPUs.
    pub fn sums(&self, key: &[u8]) -> io::Result<Option<Vec<u64>>> {
        let Some(value) = self.get(key)? else { return Ok(None) };
        let mut sums = vec![0u64; self.value_bytes / 8];
        for of_cpu in value.chunks(self.value_bytes.next_multiple_of(8)) {
            for (sum, word) in sums.iter_mut().zip(of_cpu.as_chunks::<8>().0) {
                *sum = sum.wrapping_add(u64::from_ne_bytes(*word));
            }
        }
        Ok(Some(sums))
    }

    /// Every key, each once unless the map changes meanwhile.
    pub fn keys(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let mut next = vec![0; self.key_bytes];
        // A key that goes while it is looked at sends the walk back to the beginning.
        while keys.len() < self.len as usize * 2 {
            let last = keys.last().map_or(std::ptr::null(), Vec::as_ptr);
            if !self.call(bpf::BPF_MAP_GET_NEXT_KEY, last, next.as_mut_ptr())? {
                break;
            }
            keys.push(next.clone());
        }
        Ok(keys)
    }

    /// Zeroes every entry, or removes it.
    pub fn empty(&self) -> io::Result<()> {
        if matches!(self.kind, ARRAY | PERCPU_ARRAY) {
            return self.zero();
        }
        for key in self.keys()? {
            self.call(bpf::BPF_MAP_DELETE_ELEM, key.as_ptr(), std::ptr::null_mut())?;
        }
        Ok(())
    }

    /// Zeroes an array, many entries a call: one by one a large one takes seconds.
    fn zero(&self) -> io::Result<()> {
        let zeroes = vec![0u8; self.room * BATCH_LEN.min(self.len) as usize];
        for first in (0..self.len).step_by(BATCH_LEN as usize) {
            let keys: Vec<u32> = (first..self.len).take(BATCH_LEN as usize).collect();
            let mut batch = Batch {
                keys: keys.as_ptr() as u64,
                values: zeroes.as_ptr() as u64,
                count: keys.len() as u32,
                map_fd: self.map.fd().as_fd().as_raw_fd(),
                ..Batch::default()
            };
            // SAFETY: as many keys and values as it says, which live through the call.
            unsafe { bpf::call(bpf::BPF_MAP_UPDATE_BATCH, &mut batch) }?;
        }
        Ok(())
    }
}
