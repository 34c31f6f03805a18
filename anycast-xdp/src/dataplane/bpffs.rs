//! Where pins are: in a bpffs of our own, or in that of the whole machine.
//!
//! A daemon that is not root can pin only where its user may make files. So root mounts a bpffs for it, in the directory
//! that systemd keeps for the unit; [`super::prepare`] does that. A daemon that root runs by hand needs none of it.

use std::{
    ffi::CString,
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Directory of everything that lasts until the machine stops.
pub const RUN: &str = "/run/anycast-xdp";
/// Our own bpffs, in [`RUN`]. Instances have directories there, and none has a name with a dot.
pub const OWN: &str = "/run/anycast-xdp/.bpf";
/// The machine's.
pub const COMMON: &str = "/sys/fs/bpf";
/// `BPF_FS_MAGIC` (include/uapi/linux/magic.h).
const BPF_FS_MAGIC: libc::c_long = 0xcafe_4a11;

/// Directory of an instance's pins. Those that are in the machine's bpffs stay there until they are moved.
pub fn root_of(instance: &str) -> PathBuf {
    let (own, common) = (Path::new(OWN).join(instance), common_root_of(instance));
    // Whoever may not look there is told so by what he asks next.
    let is_own = || own.try_exists().unwrap_or(true) || !common.exists();
    if is_mounted_at(Path::new(OWN)) && is_own() { own } else { common }
}

/// Directory of an instance's pins in the machine's bpffs.
pub fn common_root_of(instance: &str) -> PathBuf {
    Path::new(COMMON).join("anycast-xdp").join(instance)
}

/// Is there a bpffs for the pins of an instance? That of the machine is none for the daemon of a user, whose directory in
/// [`RUN`] tells of it.
pub fn is_mounted_for(instance: &str) -> bool {
    let run = fs::metadata(Path::new(RUN).join(instance));
    let is_of_root = run.map_or(true, |run| run.uid() == 0);
    is_mounted_at(Path::new(OWN)) || (is_of_root && is_mounted_at(Path::new(COMMON)))
}

/// Is this the root of a bpffs, or a directory in one?
pub fn is_mounted_at(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut info = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: a terminated path and room for the answer.
    let known = unsafe { libc::statfs(path.as_ptr(), info.as_mut_ptr()) } == 0;
    // SAFETY: filled in by the call that succeeded.
    known && unsafe { info.assume_init() }.f_type == BPF_FS_MAGIC
}

/// Mounts the machine's bpffs where nobody has.
///
/// # Errors
///
/// The kernel refuses: only CAP_SYS_ADMIN may mount.
pub fn mount_common() -> Result<()> {
    let is_there = || [OWN, COMMON].into_iter().any(|place| is_mounted_at(Path::new(place)));
    if is_there() {
        return Ok(());
    }
    // One at a time, by the lock of the directory: what another mounts over a bpffs hides the pins in it.
    let mount_once = || {
        let directory = File::open(COMMON)?;
        directory.lock()?;
        if is_there() { Ok(()) } else { mount(Path::new(COMMON)) }
    };
    mount_once().with_context(|| {
        format!(
            "cannot mount bpffs at {COMMON}; as root, `anycast-xdp prepare --user USER` makes one for a user at {OWN}"
        )
    })
}

/// Mounts a bpffs.
///
/// # Errors
///
/// What the kernel refuses.
pub fn mount(target: &Path) -> io::Result<()> {
    let target = CString::new(target.as_os_str().as_bytes())?;
    let kind = CString::new("bpf")?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: terminated strings, no data.
    match unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, std::ptr::null()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
