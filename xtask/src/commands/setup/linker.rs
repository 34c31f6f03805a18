//! Builds `bpf-linker` for the LLVM of a compiler.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};
use xtask::toolchain::{Compiler, own_linker_root};

use super::has_linker;
use crate::{apt, run, say};

/// The release for current LLVM versions.
pub const LATEST: &str = "0.13.0";

/// A minute on two cores, ten on a slow one.
const BUILD_LIMIT: Duration = Duration::from_mins(20);

/// The release of bpf-linker that supports an LLVM.
const fn release(llvm_major: u32) -> Option<&'static str> {
    match llvm_major {
        20 => Some("0.10.4"),
        21..=23 => Some(LATEST),
        _ => None,
    }
}

/// A linker for this LLVM can be built here.
pub fn can_have(llvm_major: u32) -> Result<bool> {
    let package = development_package(llvm_major);
    let has_package = apt::policy(&[package])?.iter().any(|policy| policy.candidate.is_some());
    Ok(release(llvm_major).is_some() && (has_package || prefix(llvm_major).exists()))
}

/// Makes sure that there is a linker for this compiler.
pub fn install(compiler: &Compiler) -> Result<()> {
    if has_linker(compiler) {
        return Ok(());
    }
    let llvm_major = compiler.version.llvm_major;
    let release = release(llvm_major).with_context(|| format!("no bpf-linker supports LLVM {llvm_major}"))?;
    install_llvm(llvm_major)?;
    say::step(format!("building bpf-linker {release} for LLVM {llvm_major}, the LLVM of {}", compiler.describe()));
    say::note("takes about a minute");
    let mut command = run::cargo();
    command.args(["install", "bpf-linker", "--version", release, "--locked", "--force", "--no-default-features"]);
    command.arg(format!("--features=llvm-{llvm_major}"));
    command.arg("--root").arg(own_linker_root(llvm_major));
    command.env("LLVM_PREFIX", prefix(llvm_major));
    // What releases before 0.11 read: llvm-sys numbers itself by LLVM's major version and a 1.
    command.env(format!("LLVM_SYS_{llvm_major}1_PREFIX"), prefix(llvm_major));
    // Its build goes to a temporary directory, not among ours.
    command.env_remove("CARGO_TARGET_DIR");
    run::patiently(&mut command, BUILD_LIMIT)?;
    if !has_linker(compiler) {
        bail!("the bpf-linker in {} does not start", own_linker_root(llvm_major).display());
    }
    Ok(())
}

/// LLVM's development files, and a C++ library to link LLVM with.
fn install_llvm(llvm_major: u32) -> Result<()> {
    let has_llvm = prefix(llvm_major).join("include/llvm-c/Core.h").exists();
    if has_llvm && run::exists("c++") {
        return Ok(());
    }
    apt::update()?;
    if !can_have(llvm_major)? {
        bail!("apt has no {}", development_package(llvm_major));
    }
    let packages = [development_package(llvm_major), "g++".to_owned()];
    say::step(format!("installing {}: bpf-linker is built with LLVM {llvm_major}", packages.join(" ")));
    apt::install(&packages)
}

fn development_package(llvm_major: u32) -> String {
    format!("llvm-{llvm_major}-dev")
}

fn prefix(llvm_major: u32) -> PathBuf {
    format!("/usr/lib/llvm-{llvm_major}").into()
}
