//! What a daemon that is not root needs root for, once after the machine started: a bpffs of its own, and the numbers of
//! tracepoints.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::{
        fd::AsRawFd as _,
        unix::fs::{OpenOptionsExt as _, PermissionsExt as _, fchown, lchown, symlink},
    },
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use nix::unistd::User;

use super::{
    bpf, bpffs, egress,
    pins::{Pins, remove_tree},
    programs, tracepoints,
};

/// Who the daemon runs as.
#[derive(Clone, Copy, Debug)]
struct Owner {
    uid: u32,
    gid: u32,
}

/// What [`prepare`] did, and what it could not do without harm to the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// It mounted the bpffs.
    pub mounted: bool,
    /// It moved the instance's pins there.
    pub moved: bool,
    /// Why the numbers of tracepoints are not known: losses after the verdict are then not counted.
    pub tracepoints: Option<String>,
}

/// Makes what the daemon of `user` needs, where it is not there yet; pins that `instance` has in the machine's bpffs, from a
/// daemon that was root, move there. Nothing stops forwarding meanwhile.
///
/// # Errors
///
/// No such user, a daemon of the instance that runs on the old pins, or a system that refuses.
pub fn prepare(user: &str, instance: &str) -> Result<Prepared> {
    let known = User::from_name(user).map_err(io::Error::from)?;
    let known = known.with_context(|| format!("this host has no user `{user}`; systemd-sysusers makes it"))?;
    let owner = Owner { uid: known.uid.as_raw(), gid: known.gid.as_raw() };
    let mut prepared = Prepared::default();

    fs::create_dir_all(bpffs::RUN).with_context(|| format!("cannot make {}", bpffs::RUN))?;
    give(&directory(Path::new(bpffs::RUN))?, owner, 0o755)?;
    let own = Path::new(bpffs::OWN);
    if !bpffs::is_mounted_at(own) {
        prepared.mounted = mount(own)?;
    }
    give(&directory(own)?, owner, 0o700)?;
    prepared.tracepoints = write_tracepoints().err().map(|error| format!("{error:#}"));
    prepared.moved = move_pins(instance, owner)?;
    Ok(prepared)
}

/// Opens a directory. Below [`bpffs::RUN`] names are the user's, and might lead elsewhere.
fn directory(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path);
    opened.with_context(|| format!("cannot open {}", path.display()))
}

fn give(directory: &File, owner: Owner, mode: u32) -> io::Result<()> {
    fchown(directory, Some(owner.uid), Some(owner.gid))?;
    directory.set_permissions(Permissions::from_mode(mode))
}

/// One at a time; `false`: another did it meanwhile.
fn mount(own: &Path) -> Result<bool> {
    match fs::create_dir(own) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    // Not by its name, which may mean something else by now.
    let place = directory(own)?;
    place.lock()?;
    if bpffs::is_mounted_at(own) {
        return Ok(false);
    }
    let place = format!("/proc/self/fd/{}", place.as_raw_fd());
    bpffs::mount(Path::new(&place)).with_context(|| format!("cannot mount bpffs at {}", own.display()))?;
    Ok(true)
}

fn write_tracepoints() -> Result<()> {
    let lines = tracepoints::lines()?;
    match fs::remove_file(tracepoints::FILE) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(tracepoints::FILE)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    Ok(file.write_all(lines.as_bytes())?)
}

/// Gives what the old pins name new names, and takes the old names away. Links stay attached: they have a name all the time.
fn move_pins(instance: &str, owner: Owner) -> Result<bool> {
    let (from, to) = (bpffs::common_root_of(instance), Path::new(bpffs::OWN).join(instance));
    if !from.exists() {
        return Ok(false);
    }
    let pins = Pins::of(instance);
    if let Some(pid) = pins.daemon_pid() {
        bail!(
            "the daemon of instance {instance} runs on the pins in {} (process {pid}): stop it first",
            from.display()
        );
    }
    if !to.exists() {
        let draft = Path::new(bpffs::OWN).join(format!("{instance}:moving"));
        remove_tree(&draft)?;
        let filters = egress::own_filters(instance)?.into_iter().map(|filter| filter.program_id).collect();
        programs::pin_attached(&pins, &from.join("links"), &from.join("programs"), filters)?;
        copy_pins(&from, &draft, owner)?;
        fs::rename(&draft, &to)?;
    }
    remove_tree(&from)?;
    give_tree(pins.run(), owner)?;
    Ok(true)
}

fn copy_pins(from: &Path, to: &Path, owner: Owner) -> Result<()> {
    fs::create_dir(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = fs::symlink_metadata(&from)?.file_type();
        if kind.is_dir() {
            copy_pins(&from, &to, owner)?;
            continue;
        }
        if kind.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else {
            let object = bpf::open_pin(&from).with_context(|| format!("cannot open {}", from.display()))?;
            bpf::pin(object, &to).with_context(|| format!("cannot pin {}", to.display()))?;
        }
        lchown(&to, Some(owner.uid), Some(owner.gid))?;
    }
    Ok(lchown(to, Some(owner.uid), Some(owner.gid))?)
}

fn give_tree(path: &Path, owner: Owner) -> Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give_tree(&entry?.path(), owner)?;
        }
    }
    lchown(path, Some(owner.uid), Some(owner.gid)).with_context(|| format!("cannot give away {}", path.display()))
}
