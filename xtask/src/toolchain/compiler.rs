//! The Rust compilers of this machine that may build the eBPF programs.

use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{OLDEST_RUSTC, RustcVersion};

/// Who installed a compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// rustup, under this toolchain name.
    Rustup(String),
    /// The distribution.
    Distribution,
}

/// A compiler and what lies beside it.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// Who installed it.
    pub origin: Origin,
    /// Directory with `bin/` and `lib/rustlib/`.
    pub sysroot: PathBuf,
    /// What it says of itself.
    pub version: RustcVersion,
}

impl Compiler {
    fn at(sysroot: PathBuf, origin: Origin) -> Option<Self> {
        let output = Command::new(sysroot.join("bin/rustc"))
            .arg("-vV")
            .env_remove("LD_LIBRARY_PATH")
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let version = RustcVersion::parse(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { origin, sysroot, version })
    }

    /// The compiler.
    pub fn rustc(&self) -> PathBuf {
        self.sysroot.join("bin/rustc")
    }

    /// The cargo of the same version.
    pub fn cargo(&self) -> PathBuf {
        self.sysroot.join("bin/cargo")
    }

    /// The sources of `core` are there.
    pub fn has_sources(&self) -> bool {
        self.sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists()
    }

    /// Not older than what our code needs.
    pub fn is_new_enough(&self) -> bool {
        self.version.major_minor >= OLDEST_RUSTC
    }

    /// New enough, with sources and cargo.
    pub fn is_usable(&self) -> bool {
        self.is_new_enough() && self.has_sources() && self.cargo().exists()
    }

    /// For messages: version and where it is from.
    pub fn describe(&self) -> String {
        let from = match &self.origin {
            Origin::Rustup(name) => name.clone(),
            Origin::Distribution => self.sysroot.display().to_string(),
        };
        format!("rustc {} (LLVM {}, {from})", self.version.release, self.version.llvm_major)
    }
}

/// Nightlies of rustup, then the distribution's compilers; of each the newest first. Their sources may be missing.
pub fn installed() -> Vec<Compiler> {
    let mut nightlies: Vec<_> = rustup_nightlies()
        .into_iter()
        .filter_map(|(name, sysroot)| Compiler::at(sysroot, Origin::Rustup(name)))
        .collect();
    let mut distribution: Vec<_> =
        distribution_sysroots().into_iter().filter_map(|sysroot| Compiler::at(sysroot, Origin::Distribution)).collect();
    for compilers in [&mut nightlies, &mut distribution] {
        compilers.sort_by_key(|compiler| Reverse(compiler.version.major_minor));
    }
    nightlies.append(&mut distribution);
    nightlies
}

/// Names and directories, read from the disk: asking rustup takes ten times as long, and every build asks.
fn rustup_nightlies() -> Vec<(String, PathBuf)> {
    let home = env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".rustup")));
    let toolchains = home.map(|home| home.join("toolchains"));
    subdirectories(toolchains.as_deref(), "nightly")
}

/// Debian keeps one compiler under `/usr`, Ubuntu several under `/usr/lib/rust-<version>`.
fn distribution_sysroots() -> Vec<PathBuf> {
    let versioned = subdirectories(Some(Path::new("/usr/lib")), "rust-").into_iter().map(|(_, path)| path);
    versioned.chain([PathBuf::from("/usr")]).filter(|sysroot| sysroot.join("bin/rustc").exists()).collect()
}

fn subdirectories(parent: Option<&Path>, prefix: &str) -> Vec<(String, PathBuf)> {
    let entries = parent.and_then(|parent| fs::read_dir(parent).ok()).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(name, _)| name.starts_with(prefix))
        .collect()
}
