//! Elements of maps by `bpf(2)`, whatever the kind of the map.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _},
    ptr,
};

use anycast_xdp::dataplane::bpf::{self, Element};

/// One system call. `key` has the length of the map's keys, and `value` room for what the command reads or writes there. The
/// kernel refuses a field that the command has not (`CHECK_ATTR`, kernel/bpf/syscall.c).
pub(super) fn call(
    map: impl AsFd,
    command: libc::c_int,
    key: Option<&[u8]>,
    value: Option<&mut [u8]>,
    flags: u64,
) -> io::Result<()> {
    let key = key.map_or(ptr::null(), <[u8]>::as_ptr);
    let value = value.map_or(ptr::null_mut(), <[u8]>::as_mut_ptr);
    let mut element = Element { map_fd: map.as_fd().as_raw_fd(), pad: 0, key, value, flags };
    // SAFETY: the attributes and what they point to live through the call; the callers give keys and values of the map's
    // own sizes.
    unsafe { bpf::call(command, &mut element) }.map(drop)
}
