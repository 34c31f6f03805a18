//! QEMU and busybox, for `cargo xtask vm` only.
//!
//! Unpacked, not installed: QEMU's packages take others away where a part of QEMU of another release is installed, and
//! nobody who does not ask for other kernels needs them.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use xtask::project;

use super::{by_hand, programs::Program};
use crate::{
    apt::{self, Unpacker},
    run, say,
};

const QEMU: Program =
    Program { name: "qemu-system-x86_64", package: "qemu-system-x86", purpose: "virtual machines for other kernels" };
const BUSYBOX: Program =
    Program { name: "busybox", package: "busybox-static", purpose: "the first process of virtual machines" };

/// What runs virtual machines.
#[derive(Clone, Debug)]
pub struct Emulator {
    qemu: PathBuf,
    /// Where the libraries of an unpacked QEMU are.
    libraries: Vec<PathBuf>,
    /// Statically linked, or with its libraries on this host.
    pub busybox: PathBuf,
}

impl Emulator {
    /// Finds QEMU and busybox on this host, or unpacks them into the checkout.
    pub fn ensure() -> Result<Self> {
        if !cfg!(target_arch = "x86_64") {
            bail!("virtual machines are made for x86_64 only");
        }
        let (qemu, qemu_root) = program(&QEMU)?;
        let (busybox, _) = program(&BUSYBOX)?;
        let libraries = qemu_root.iter().flat_map(|root| library_directories(root)).collect();
        Ok(Self { qemu, libraries, busybox })
    }

    /// QEMU with the libraries that came with it, ended after `limit`.
    pub fn command(&self, limit: Duration) -> Command {
        let mut command = Command::new("timeout");
        // In the foreground: an interrupt from the terminal reaches it.
        command.args(["--foreground", "--signal=KILL", &limit.as_secs().to_string()]).arg(&self.qemu);
        if !self.libraries.is_empty() {
            let inherited = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
            let paths = self.libraries.iter().cloned().chain(env::split_paths(&inherited));
            command.env("LD_LIBRARY_PATH", env::join_paths(paths).unwrap_or_else(|_| OsString::new()));
        }
        command
    }
}

/// The program, and the directory that its package is unpacked in unless it is the host's.
fn program(wanted: &Program) -> Result<(PathBuf, Option<PathBuf>)> {
    if let Some(path) = run::find(wanted.name) {
        return Ok((path, None));
    }
    let root = project::tools_dir().join(wanted.package);
    if !root.exists() {
        if !apt::is_here() {
            bail!("{}", by_hand::instructions(&[wanted], false));
        }
        say::step(format!("unpacking {} into the checkout: {}", wanted.package, wanted.purpose));
        apt::update()?;
        Unpacker::default().unpack(&apt::with_dependencies(wanted.package)?, &root)?;
    }
    let directories = ["usr/bin", "bin"].map(|directory| root.join(directory).join(wanted.name));
    let path = directories.into_iter().find(|path| path.exists());
    let path = path.with_context(|| format!("{} has no {}", wanted.package, wanted.name))?;
    Ok((path, Some(root)))
}

/// Where Debian's packages of this machine keep their libraries.
fn library_directories(root: &Path) -> Vec<PathBuf> {
    ["usr/lib", "lib"].iter().map(|directory| root.join(directory).join("x86_64-linux-gnu")).collect()
}
