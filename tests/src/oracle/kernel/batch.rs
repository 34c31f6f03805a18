//! All of a counter array by one system call: counters are read after every packet, and a call for each of a thousand
//! entries is most of a test's time.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use anycast_common::map::Counter;
use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf,
    maps::{Map, MapData},
    util::nr_cpus,
};

const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;

/// `batch` of `union bpf_attr` (include/uapi/linux/bpf.h).
#[repr(C)]
struct Attributes {
    in_batch: *const u32,
    out_batch: *mut u32,
    keys: *mut u32,
    values: *mut Counter,
    count: u32,
    map_fd: libc::c_int,
    elem_flags: u64,
    flags: u64,
}

/// The entries of a per-CPU array of `N` counters each, summed over all processors.
pub(super) fn per_cpu_array<const N: usize>(ebpf: &Ebpf, name: &str) -> Result<Vec<[Counter; N]>> {
    let Some(Map::PerCpuArray(map)) = ebpf.map(name) else {
        anyhow::bail!("the object has no per-CPU array {name}");
    };
    let info = map.info()?;
    ensure!(
        info.value_size() as usize == N * size_of::<Counter>(),
        "{name} has entries of {} bytes",
        info.value_size()
    );
    let cpus = nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
    let mut values = vec![Counter::default(); info.max_entries() as usize * cpus * N];
    lookup(map, info.max_entries(), &mut values).with_context(|| name.to_owned())?;
    let sum = |entry: &[Counter]| std::array::from_fn(|n| entry.iter().skip(n).step_by(N).copied().sum());
    Ok(values.chunks_exact(cpus * N).map(sum).collect())
}

/// Keys of an array are its indexes, in their order.
fn lookup(map: &MapData, entries: u32, values: &mut [Counter]) -> io::Result<()> {
    let mut keys = vec![0u32; entries as usize];
    let mut position = 0;
    let mut attributes = Attributes {
        in_batch: std::ptr::null(),
        out_batch: &raw mut position,
        keys: keys.as_mut_ptr(),
        values: values.as_mut_ptr(),
        count: entries,
        map_fd: map.fd().as_fd().as_raw_fd(),
        elem_flags: 0,
        flags: 0,
    };
    // SAFETY: the attributes and what they point to live through the call. The caller has room for all entries of all
    // processors, each a multiple of 8 bytes, which the kernel does not round up; any bytes are a counter.
    match unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_LOOKUP_BATCH, &raw mut attributes, size_of::<Attributes>()) } {
        0 if attributes.count == entries => Ok(()),
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Err(io::Error::last_os_error()),
    }
}
