//! Many entries of a map in one system call, which aya has none for: `BPF_MAP_LOOKUP_BATCH` (kernel/bpf/syscall.c,
//! `bpf_map_do_batch`; hash maps since 5.6).

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{Pod, maps::MapData};

use super::super::bpf::{self, Batch};

/// Entries of one call at first. A bucket that has more refuses with ENOSPC, and gets more room.
const COUNT: u32 = 4096;

/// Every entry of a hash map.
///
/// # Errors
///
/// The kernel's refusal.
pub fn entries<K: Pod, V: Pod>(map: &MapData) -> io::Result<Vec<(K, V)>> {
    let fd = map.fd().as_fd().as_raw_fd();
    let mut all = Vec::new();
    // Where the walk is: an index of a bucket (`__htab_map_lookup_and_delete_batch`, kernel/bpf/hashtab.c).
    let (mut position, mut next) = (0_u32, 0_u32);
    let mut is_first = true;
    let mut room = COUNT;
    loop {
        let mut keys: Vec<K> = Vec::with_capacity(room as usize);
        let mut values: Vec<V> = Vec::with_capacity(room as usize);
        let mut attributes = Batch {
            begin: if is_first { 0 } else { (&raw const position) as u64 },
            end: (&raw mut next) as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: room,
            map_fd: fd,
            ..Batch::default()
        };
        // SAFETY: keys and values have room for `count` of the map's own key and value sizes, which the types have; both
        // positions outlive the call.
        let error = unsafe { bpf::call(bpf::BPF_MAP_LOOKUP_BATCH, &mut attributes) }.err();
        match error.as_ref().and_then(io::Error::raw_os_error) {
            Some(libc::ENOSPC) => {
                room *= 2;
                continue;
            }
            None | Some(libc::ENOENT) => {}
            Some(_) => return Err(error.unwrap_or_else(|| io::Error::other("bpf(2)"))),
        }
        let count = attributes.count.min(room) as usize;
        // SAFETY: the kernel filled in `count` of each; every bit pattern is valid for both.
        unsafe {
            keys.set_len(count);
            values.set_len(count);
        }
        all.extend(keys.into_iter().zip(values));
        if error.is_some() {
            return Ok(all);
        }
        (position, is_first) = (next, false);
    }
}
