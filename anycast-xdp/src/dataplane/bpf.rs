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
/// Makes a map.
pub const BPF_MAP_CREATE: libc::c_int = 0;
/// Reads the value at a key.
pub const BPF_MAP_LOOKUP_ELEM: libc::c_int = 1;
/// Writes it.
pub const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
/// Removes a key.
pub const BPF_MAP_DELETE_ELEM: libc::c_int = 3;
/// Gives the key behind another one; without that, the first.
pub const BPF_MAP_GET_NEXT_KEY: libc::c_int = 4;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_PROG_QUERY: libc::c_int = 16;
/// Reads many.
pub const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;
/// Writes many.
pub const BPF_MAP_UPDATE_BATCH: libc::c_int = 26;
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
    let mut object = Object { pathname: path.as_ptr() as u64, ..Object::default() };
    // SAFETY: a path that ends with 0 and lives through the call.
    new_fd(unsafe { call(BPF_OBJ_GET, &mut object) }?)
}

/// Pins a map, program or link.
///
/// # Errors
///
/// A pin of that name is there, or what the kernel refuses.
pub fn pin(object: impl AsFd, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let bpf_fd = object.as_fd().as_raw_fd();
    let mut object = Object { pathname: path.as_ptr() as u64, bpf_fd, file_flags: 0 };
    // SAFETY: a path that ends with 0 and lives through the call.
    unsafe { call(BPF_OBJ_PIN, &mut object) }.map(drop)
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
    // SAFETY: the kernel writes at most `prog_cnt` ids into the array, which lives through the call.
    unsafe { call(BPF_PROG_QUERY, &mut query) }?;
    Ok(ids.into_iter().take(query.prog_cnt as usize).collect())
}

/// Runs a tracepoint program at the tracepoint with this id, as long as the returned link or a pin of it is there.
///
/// # Errors
///
/// No such tracepoint, or CAP_PERFMON is missing.
pub fn trace(program: impl AsFd, tracepoint_id: u64) -> io::Result<OwnedFd> {
    let event = open_event(tracepoint_id)?;
    let mut link = LinkCreate {
        prog_fd: program.as_fd().as_raw_fd(),
        target_fd: event.as_raw_fd(),
        attach_type: BPF_PERF_EVENT,
        flags: 0,
        bpf_cookie: 0,
    };
    // SAFETY: no pointers.
    new_fd(unsafe { call(BPF_LINK_CREATE, &mut link) }?)
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

/// One command. Some write to their attributes.
///
/// # Errors
///
/// The kernel's refusal.
///
/// # Safety
///
/// `T` is what the command takes, the first fields of `union bpf_attr`, and every pointer in them is good for what the command reads
/// and writes there.
pub unsafe fn call<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the attributes live through the call; of what they point to the caller knows.
    match unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<T>()) } {
        result if result < 0 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

/// The descriptor that a call gave.
///
/// # Errors
///
/// It gave none: the kernel's refusal.
pub(super) fn new_fd(result: libc::c_long) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(result as RawFd) })
}

/// The fields of `union bpf_attr` for commands on elements.
#[repr(C)]
pub struct Element {
    /// The map.
    pub map_fd: RawFd,
    /// 0.
    pub pad: u32,
    /// A key of the map's size.
    pub key: *const u8,
    /// A value, or the room for the next key.
    pub value: *mut u8,
    /// `BPF_ANY` and its kin.
    pub flags: u64,
}

/// The fields of `union bpf_attr` for commands on many elements.
#[repr(C)]
#[derive(Default)]
pub struct Batch {
    /// Position to begin at, of a walk.
    pub begin: u64,
    /// Where the next one is to be written.
    pub end: u64,
    /// As many keys as `count` says.
    pub keys: u64,
    /// As many values.
    pub values: u64,
    /// How many; the kernel writes how many there were.
    pub count: u32,
    /// The map.
    pub map_fd: RawFd,
    /// `BPF_ANY` and its kin.
    pub elem_flags: u64,
    /// 0.
    pub flags: u64,
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
