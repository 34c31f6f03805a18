//! The eBPF toolchain: a compiler with the sources of `core`, and a `bpf-linker` that has the same LLVM.
//!
//! The BPF targets come without a precompiled `core`, so the compiler must have its sources; they go with exactly one
//! compiler version. The linker reads the compiler's LLVM bitcode, which only the same major version of LLVM promises
//! to understand.

mod compiler;
mod linker;
mod rustc_version;

use std::{fmt, path::PathBuf};

pub use compiler::{Compiler, Origin, installed as installed_compilers};
pub use linker::{find as find_linker, own_root as own_linker_root};
pub use rustc_version::{OLDEST_RUSTC, RustcVersion};

/// A compiler and a linker that go together.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// Compiler, cargo and sources.
    pub compiler: Compiler,
    /// Path of `bpf-linker`.
    pub linker: PathBuf,
}

/// There is no usable toolchain on this machine.
#[derive(Clone, Copy, Debug)]
pub struct NotFound;

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no toolchain for the eBPF programs on this machine: run `cargo xtask setup`")
    }
}

impl std::error::Error for NotFound {}

impl Toolchain {
    /// The best toolchain that is complete: nightlies of rustup first, then the distribution's compilers.
    pub fn find() -> Result<Self, NotFound> {
        compiler::installed()
            .into_iter()
            .filter(Compiler::is_usable)
            .find_map(|compiler| {
                let linker = linker::find(compiler.version.llvm_major)?;
                Some(Self { compiler, linker })
            })
            .ok_or(NotFound)
    }
}
