//! Compiles the eBPF programs into `OUT_DIR`, from where the loader embeds them.

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use xtask::{ebpf, project, toolchain::Toolchain};

fn main() -> Result<()> {
    for source in [ebpf::PACKAGE, "anycast-common/src", "anycast-common/Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", project::root().join(source).display());
    }
    let toolchain = match Toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(missing) => {
            println!("cargo::error={missing}");
            return Ok(());
        }
    };
    for tool in [toolchain.compiler.rustc(), toolchain.linker.clone()] {
        println!("cargo::rerun-if-changed={}", tool.display());
    }

    let out_dir = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set: cargo runs this program")?);
    let is_other_abi = env::var_os("CARGO_FEATURE_OTHER_ABI").is_some();
    let features: &[&str] = if is_other_abi { &["other-abi"] } else { &[] };
    let directory = ebpf::directory_above(&out_dir);
    let built = ebpf::build(&toolchain, &ebpf::Machine::of_build_script()?, &directory, features)?;
    for line in built.warnings.iter().flat_map(|warning| warning.lines()) {
        println!("cargo::warning={line}");
    }
    for name in ebpf::OBJECTS {
        let object = built.object(name)?;
        fs::copy(object, out_dir.join(name)).with_context(|| format!("cannot copy {}", object.display()))?;
    }
    Ok(())
}
