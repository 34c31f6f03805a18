//! Waiting until no program that is running now can still see what it saw before.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    sync::OnceLock,
};

use super::bpf::{self, Element};

/// `MEMBARRIER_CMD_GLOBAL`: returns after an RCU grace period (kernel/sched/membarrier.c). Refused with EINVAL on
/// `nohz_full` kernels.
const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;

/// Returns after a grace period: every XDP program that ran when it was called has ended.
///
/// # Errors
///
/// What the kernel answers where both ways are refused; the caller must then not reuse anything.
pub fn wait() -> io::Result<()> {
    static REFUSED: OnceLock<()> = OnceLock::new();
    if REFUSED.get().is_none() {
        // SAFETY: membarrier takes no pointers.
        if unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) } == 0 {
            return Ok(());
        }
        let _ = REFUSED.set(());
    }
    by_map_in_map()
}

/// An update of a map-in-map from userspace waits for a grace period itself (`maybe_wait_bpf_programs`,
/// kernel/bpf/syscall.c, commit 1ae80cf31938 "bpf: wait for running BPF programs when updating map-in-map").
fn by_map_in_map() -> io::Result<()> {
    const ARRAY: u32 = 2;
    const ARRAY_OF_MAPS: u32 = 12;
    let inner = create_map(ARRAY, 0)?;
    let outer = create_map(ARRAY_OF_MAPS, inner.as_raw_fd())?;
    let (key, mut value) = (0u32, inner.as_raw_fd());
    let mut update = Element {
        map_fd: outer.as_raw_fd(),
        pad: 0,
        key: (&raw const key).cast(),
        value: (&raw mut value).cast(),
        flags: 0,
    };
    // SAFETY: key and value have the map's sizes and live through the call.
    unsafe { bpf::call(bpf::BPF_MAP_UPDATE_ELEM, &mut update) }.map(drop)
}

/// The first fields of `union bpf_attr` for `BPF_MAP_CREATE` (include/uapi/linux/bpf.h).
#[repr(C)]
struct CreateMap {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: libc::c_int,
}

fn create_map(map_type: u32, inner_map_fd: libc::c_int) -> io::Result<OwnedFd> {
    let mut create = CreateMap { map_type, key_size: 4, value_size: 4, max_entries: 1, map_flags: 0, inner_map_fd };
    // SAFETY: no pointers.
    bpf::new_fd(unsafe { bpf::call(bpf::BPF_MAP_CREATE, &mut create) }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_wait_and_succeed_as_root() {
        // SAFETY: no arguments.
        if unsafe { libc::geteuid() } != 0 {
            eprintln!("SKIPPED both_ways_wait_and_succeed_as_root: needs root");
            return;
        }
        assert!(wait().is_ok());
        assert!(by_map_in_map().is_ok());
    }
}
