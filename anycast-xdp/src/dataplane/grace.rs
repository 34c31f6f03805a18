//! Waiting until no program that is running now can still see what it saw before.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    sync::OnceLock,
};

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
    const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
    let inner = create_map(ARRAY, 0)?;
    let outer = create_map(ARRAY_OF_MAPS, inner.as_raw_fd())?;
    let (key, value) = (0u32, inner.as_raw_fd());
    let update =
        UpdateElem { map_fd: outer.as_raw_fd(), pad: 0, key: &raw const key, value: &raw const value, flags: 0 };
    // SAFETY: the attributes and what they point to live through the call.
    match unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_UPDATE_ELEM, &raw const update, size_of::<UpdateElem>()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
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

/// The fields of `union bpf_attr` for `BPF_MAP_UPDATE_ELEM`.
#[repr(C)]
struct UpdateElem {
    map_fd: libc::c_int,
    pad: u32,
    key: *const u32,
    value: *const libc::c_int,
    flags: u64,
}

fn create_map(map_type: u32, inner_map_fd: libc::c_int) -> io::Result<OwnedFd> {
    const BPF_MAP_CREATE: libc::c_int = 0;
    let create = CreateMap { map_type, key_size: 4, value_size: 4, max_entries: 1, map_flags: 0, inner_map_fd };
    // SAFETY: the attributes live through the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_CREATE, &raw const create, size_of::<CreateMap>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
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
