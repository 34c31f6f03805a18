//! All of a counter array by one system call: counters are read after every packet, and a call for each of a thousand
//! entries is most of a test's time.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use anycast_common::map::Counter;
use anycast_xdp::dataplane::bpf::{self, Batch};
use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf,
    maps::{Map, MapData},
    util::nr_cpus,
};

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
    let mut position = 0_u32;
    let mut batch = Batch {
        end: (&raw mut position) as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count: entries,
        map_fd: map.fd().as_fd().as_raw_fd(),
        ..Batch::default()
    };
    // SAFETY: the attributes and what they point to live through the call. The caller has room for all entries of all
    // processors, each a multiple of 8 bytes, which the kernel does not round up; any bytes are a counter.
    unsafe { bpf::call(bpf::BPF_MAP_LOOKUP_BATCH, &mut batch) }?;
    if batch.count == entries { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
