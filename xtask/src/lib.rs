//! Finds the eBPF toolchain and compiles the eBPF programs with it.
//!
//! Shared by the build script of anycast-xdp and the commands of `cargo xtask`, so that a plain `cargo build` and every
//! command agree on one toolchain and nobody has to export anything.

pub mod ebpf;
pub mod project;
pub mod toolchain;
