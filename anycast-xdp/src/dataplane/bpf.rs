//! Calls of `bpf(2)` that aya has not, or has only by the ids of objects: those are for CAP_SYS_ADMIN alone.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

// Numbers of include/uapi/linux/bpf.h.
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_PERF_EVENT: u32 = 41;
const BPF_TCX_EGRESS: u32 = 47;
/// `BPF_MPROG_MAX`: no hook has more programs.
const PROGRAMS_MAX: usize = 64;

/// Opens a pinned map, program or link.
///
/// # Errors
///
/// No such pin, or no right to open it.
pub fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let object = Object { pathname: path.as_ptr() as u64, ..Object::default() };
    new_fd(call(BPF_OBJ_GET, &object)?)
}

/// Pins a map, program or link.
///
/// # Errors
///
/// A pin of that name is there, or what the kernel refuses.
pub fn pin(object: impl AsFd, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let bpf_fd = object.as_fd().as_raw_fd();
    call(BPF_OBJ_PIN, &Object { pathname: path.as_ptr() as u64, bpf_fd, file_flags: 0 }).map(drop)
}

/// Ids of the tcx programs at the egress of an interface, in the order in which they run.
///
/// # Errors
///
/// EINVAL: the kernel has no tcx (before 6.6). EPERM: CAP_NET_ADMIN is missing.
pub fn tcx_egress(ifindex: u32) -> io::Result<Vec<u32>> {
    let mut ids = [0u32; PROGRAMS_MAX];
    let mut query = Query {
        target_ifindex: ifindex,
        attach_type: BPF_TCX_EGRESS,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: PROGRAMS_MAX as u32,
        ..Query::default()
    };
    // SAFETY: the kernel writes the count into the attributes and the ids into the array, which both live through the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_QUERY, &raw mut query, size_of::<Query>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(ids.into_iter().take(query.prog_cnt as usize).collect())
}

/// Runs a tracepoint program at the tracepoint with this id, as long as the returned link or a pin of it is there.
///
/// # Errors
///
/// No such tracepoint, or CAP_PERFMON is missing.
pub fn trace(program: impl AsFd, tracepoint_id: u64) -> io::Result<OwnedFd> {
    let event = open_event(tracepoint_id)?;
    let link = LinkCreate {
        prog_fd: program.as_fd().as_raw_fd(),
        target_fd: event.as_raw_fd(),
        attach_type: BPF_PERF_EVENT,
        flags: 0,
        bpf_cookie: 0,
    };
    new_fd(call(BPF_LINK_CREATE, &link)?)
}

/// The tracepoint as an event of the first CPU: a program on it runs on all (`perf_event_attach_bpf_prog`).
fn open_event(tracepoint_id: u64) -> io::Result<OwnedFd> {
    const PERF_TYPE_TRACEPOINT: u32 = 2;
    const PERF_SAMPLE_RAW: u64 = 1 << 10;
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;
    let event = PerfEvent {
        kind: PERF_TYPE_TRACEPOINT,
        size: size_of::<PerfEvent>() as u32,
        config: tracepoint_id,
        sample_period: 1,
        sample_type: PERF_SAMPLE_RAW,
        wakeup_events: 1,
        ..PerfEvent::default()
    };
    let (every_process, cpu, no_group): (libc::pid_t, libc::c_int, libc::c_int) = (-1, 0, -1);
    // SAFETY: the attributes live through the call, which only reads them.
    new_fd(unsafe {
        libc::syscall(libc::SYS_perf_event_open, &raw const event, every_process, cpu, no_group, PERF_FLAG_FD_CLOEXEC)
    })
}

/// One command whose attributes the kernel only reads.
fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_long> {
    // SAFETY: the attributes and what they point to live through the call.
    match unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) } {
        result if result < 0 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

fn new_fd(result: libc::c_long) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(result as RawFd) })
}

/// The first fields of `union bpf_attr` for `BPF_OBJ_*`.
#[repr(C)]
#[derive(Default)]
struct Object {
    pathname: u64,
    bpf_fd: RawFd,
    file_flags: u32,
}

/// The fields of `union bpf_attr` for `BPF_PROG_QUERY`, up to the last one that the kernel writes.
#[repr(C)]
#[derive(Default)]
struct Query {
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    pad: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

/// The first fields of `union bpf_attr` for `BPF_LINK_CREATE`.
#[repr(C)]
struct LinkCreate {
    prog_fd: RawFd,
    target_fd: RawFd,
    attach_type: u32,
    flags: u32,
    bpf_cookie: u64,
}

/// `struct perf_event_attr` (include/uapi/linux/perf_event.h) as far as its first version goes.
#[repr(C)]
#[derive(Default)]
struct PerfEvent {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}
