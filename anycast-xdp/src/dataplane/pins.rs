//! Where things are: pins in bpffs, the inventory and the daemon's lock in the runtime directory.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use aya::programs::links::{FdLink, LinkError, PinnedLink};
use nix::unistd::geteuid;

use super::{axp, bpffs, egress, generations, inventory::Inventory};
use crate::netlink;

/// How often the lock is tried, and how long between.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// What the names of pins for the egress begin with.
const EGRESS_PREFIX: &str = "egress:";

/// The directories of one instance.
#[derive(Clone, Debug)]
pub struct Pins {
    instance: String,
    root: PathBuf,
    run: PathBuf,
}

impl Pins {
    /// Of the instance with this name; nothing is made yet.
    pub fn of(instance: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            root: bpffs::root_of(instance),
            run: Path::new(bpffs::RUN).join(instance),
        }
    }

    /// Name of the instance.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Generations and links of the instance.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Pinned maps of the current generation.
    pub fn maps(&self) -> PathBuf {
        self.root.join(generations::CURRENT)
    }

    /// Inventory of the current generation.
    pub fn state(&self) -> PathBuf {
        generations::current(self).map_or_else(|| self.run.join(generations::CURRENT), |current| current.state)
    }

    /// Pinned links of interfaces, one a name. They outlive maps: an upgrade swaps the program under a link.
    pub fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    /// The pinned XDP link of an interface.
    pub fn link(&self, interface: &str) -> PathBuf {
        self.links().join(pin_name(interface))
    }

    /// The pinned tcx link at the egress of an interface.
    pub fn egress_link(&self, interface: &str) -> PathBuf {
        self.links().join(egress_pin_name(interface))
    }

    /// Pinned links of tracepoints.
    pub fn traces(&self) -> PathBuf {
        self.root.join("traces")
    }

    /// Pinned programs, by their ids.
    pub fn programs(&self) -> PathBuf {
        self.root.join("programs")
    }

    /// Is it a program of the instance? They are pinned before they are attached.
    pub fn has_program(&self, program_id: u32) -> bool {
        self.programs().join(program_id.to_string()).exists()
    }

    /// The daemon's lock, and directories for the state of generations.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// Is there anything of the instance? Without bpffs nothing is pinned, but the inventory may be there.
    pub fn exist(&self) -> bool {
        self.root.exists() || self.has_inventory()
    }

    /// Has any generation an inventory, readable or not?
    pub fn has_inventory(&self) -> bool {
        let directories = fs::read_dir(&self.run).into_iter().flatten().flatten();
        directories.map(|entry| entry.path()).any(|path| Inventory::exists(&path))
    }

    /// Makes the directories, and mounts bpffs where the machine has not.
    ///
    /// # Errors
    ///
    /// A file system that refuses.
    pub fn create(&self) -> Result<()> {
        bpffs::mount_common()?;
        for directory in [self.links(), self.traces(), self.run.clone()] {
            fs::create_dir_all(&directory).with_context(|| format!("cannot make {}{}", directory.display(), hint()))?;
        }
        Ok(())
    }

    /// Takes the daemon's lock; it is held until the returned descriptor is closed, and by no dead process.
    ///
    /// # Errors
    ///
    /// Another daemon has it.
    pub fn lock(&self) -> Result<OwnedFd> {
        let path = self.lock_path();
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        // Whoever asks for the daemon's process id holds it for a moment.
        let is_held = || {
            // SAFETY: a valid descriptor.
            unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) != 0 }
        };
        let mut tries = LOCK_TRIES;
        while is_held() && tries > 0 {
            tries -= 1;
            thread::sleep(LOCK_PAUSE);
        }
        if tries == 0 {
            match self.daemon_pid() {
                Some(pid) => bail!("another daemon of this instance is running (process {pid})"),
                None => bail!("another process holds {}", path.display()),
            }
        }
        file.set_len(0)?;
        fs::write(&path, std::process::id().to_string())?;
        Ok(file.into())
    }

    /// Process id of the running daemon: whoever holds the lock.
    pub fn daemon_pid(&self) -> Option<u32> {
        let path = self.lock_path();
        let file = fs::File::open(&path).ok()?;
        // SAFETY: a valid descriptor; a lock that was free is given back when the file is closed.
        let free = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_SH | libc::LOCK_NB) } == 0;
        if free { None } else { fs::read_to_string(&path).ok()?.trim().parse().ok() }
    }

    /// Removes everything, whoever holds the lock.
    ///
    /// # Errors
    ///
    /// A file system that refuses.
    pub fn remove(&self) -> Result<()> {
        // Links and filters first: no program may run on maps whose names are gone.
        egress::remove_own_filters(&self.instance, |_| false)?;
        for directory in [self.links(), self.root.clone()] {
            remove_tree(&directory)?;
        }
        remove_tree(&self.run)?;
        axp::remove(&self.instance, None)?;
        // Another instance's daemon hears of it if it needs one of them, and has it kept again.
        netlink::release_neighbours()?;
        Ok(())
    }

    fn lock_path(&self) -> PathBuf {
        self.run.join("daemon.lock")
    }
}

/// What a daemon without root may have forgotten.
fn hint() -> &'static str {
    let is_needed = !geteuid().is_root() && !bpffs::is_mounted_at(Path::new(bpffs::OWN));
    if is_needed { " (a user's daemon has a bpffs of its own: as root, `anycast-xdp prepare`)" } else { "" }
}

/// A pinned link; none: nothing is pinned there.
pub(super) fn open_link(pin: &Path) -> Result<Option<FdLink>> {
    match PinnedLink::from_pin(pin) {
        Ok(link) => Ok(Some(link.into())),
        Err(LinkError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error).context("cannot open the pinned link"),
    }
}

/// The name of an interface's pin. bpffs has no names with dots (`bpf_lookup`, kernel/bpf/inode.c), interfaces do: `eth0.100`.
pub(super) fn pin_name(interface: &str) -> String {
    interface.replace('%', "%25").replace('.', "%2e")
}

/// The same for its egress. No interface has a colon in its name (`dev_valid_name`, net/core/dev.c).
pub(super) fn egress_pin_name(interface: &str) -> String {
    format!("{EGRESS_PREFIX}{}", pin_name(interface))
}

/// The interface that a pin is named after.
pub(super) fn interface_of(pin_name: &str) -> String {
    pin_name.strip_prefix(EGRESS_PREFIX).unwrap_or(pin_name).replace("%2e", ".").replace("%25", "%")
}

/// Takes away everything of an instance: links and filters (which detaches the programs), maps, inventory, `axp0`, and the neighbours
/// that the kernel keeps resolved for it. `false`: there was nothing. Works without bpffs, which is gone with all its pins.
///
/// # Errors
///
/// A running daemon, or a file system that refuses.
pub fn detach(instance: &str) -> Result<bool> {
    let pins = Pins::of(instance);
    if let Some(pid) = pins.daemon_pid() {
        bail!("the daemon of instance {instance} is running (process {pid}); stop it first");
    }
    if pins.exist() {
        pins.remove()?;
        return Ok(true);
    }
    // Filters and interfaces are no files, and may be there when all else is gone.
    let had_filters = !egress::remove_own_filters(instance, |_| false)?.is_empty();
    Ok(axp::remove(instance, None)? || had_filters)
}

/// `fs::remove_dir_all` asks for file types that bpffs does not tell.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    for entry in entries {
        let path = entry?.path();
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
            remove_tree(&path)?;
        } else {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    fs::remove_dir(path).with_context(|| format!("cannot remove {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pin_names_have_no_dots_and_lead_back_to_their_interface() {
        for interface in ["eth0", "eth0.100", "a%2eb", "%", "trace-exception", "..x"] {
            let name = pin_name(interface);
            assert!(!name.contains('.'), "{name}");
            assert_eq!(interface_of(&name), interface);
            assert_eq!(interface_of(&egress_pin_name(interface)), interface);
            assert!(!egress_pin_name(interface).contains('.'));
        }
    }

    #[test]
    fn detach_of_an_instance_that_never_was_finds_nothing() {
        assert!(!detach("unit-test-never-was").expect("no error"));
    }
}
