//! Compiles the eBPF programs.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use crate::{project, toolchain::Toolchain};

/// The crate of the programs.
pub const PACKAGE: &str = "anycast-xdp-ebpf";

/// The objects, one a binary of the crate.
pub const OBJECTS: [&str; 3] = ["datapath", "lab", "bench"];

/// The machine that the programs will run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Architecture as Rust names it: the layout of `pt_regs` depends on it.
    pub arch: String,
    /// Byte order.
    pub little_endian: bool,
}

impl Machine {
    /// This machine.
    pub fn host() -> Self {
        Self { arch: env::consts::ARCH.to_owned(), little_endian: cfg!(target_endian = "little") }
    }

    /// The one that cargo builds for, from the environment of a build script.
    pub fn of_build_script() -> Result<Self> {
        let variable = |name: &str| env::var(name).with_context(|| format!("{name} is not set: no build script"));
        Ok(Self {
            arch: variable("CARGO_CFG_TARGET_ARCH")?,
            little_endian: variable("CARGO_CFG_TARGET_ENDIAN")? == "little",
        })
    }

    fn target(&self) -> &'static str {
        if self.little_endian { "bpfel-unknown-none" } else { "bpfeb-unknown-none" }
    }
}

/// What a build gave.
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// Name and path of each object.
    pub objects: Vec<(String, PathBuf)>,
    /// Warnings of the compiler about our own code.
    pub warnings: Vec<String>,
}

impl Built {
    /// The path of an object.
    pub fn object(&self, name: &str) -> Result<&Path> {
        let found = self.objects.iter().find(|(object, _)| object == name);
        found.map(|(_, path)| path.as_path()).with_context(|| format!("{PACKAGE} has no binary named {name}"))
    }
}

/// Where the objects of a cargo target directory are built. Debug and release builds share it: the programs are always
/// optimised, and compiling `core` again for each takes half a minute.
pub fn directory(target_dir: &Path) -> PathBuf {
    target_dir.join("ebpf")
}

/// The target directory above a build script's `OUT_DIR`: the one that cargo marked with a tag for backup programs.
pub fn directory_above(out_dir: &Path) -> PathBuf {
    let target_dir = out_dir.ancestors().find(|ancestor| ancestor.join("CACHEDIR.TAG").exists());
    directory(target_dir.unwrap_or(out_dir))
}

/// Compiles all objects with these features of their crate, BTF included. The error holds what the compiler said.
pub fn build(toolchain: &Toolchain, machine: &Machine, directory: &Path, features: &[&str]) -> Result<Built> {
    let mut command = command(toolchain, machine, directory);
    command.args(features.iter().map(|feature| format!("--features={feature}")));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", toolchain.compiler.cargo().display()))?;
    let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        bail!("cargo has no output");
    };
    let progress = thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let mut built = Built::default();
    let mut diagnostics = String::new();
    for line in BufReader::new(stdout).lines() {
        match Message::parse(&line?) {
            Some(Message::Object(name, path)) => built.objects.push((name, path)),
            Some(Message::Diagnostic { warning, rendered }) => {
                diagnostics.push_str(&rendered);
                if warning {
                    built.warnings.push(rendered);
                }
            }
            None => {}
        }
    }
    let status = child.wait()?;
    let progress = progress.join().map_err(|_| anyhow!("cannot read what cargo says"))?;
    if !status.success() {
        bail!("the eBPF programs do not build ({status})\n{diagnostics}{progress}");
    }
    Ok(built)
}

fn command(toolchain: &Toolchain, machine: &Machine, directory: &Path) -> Command {
    let rustflags = [
        format!("--cfg=bpf_target_arch=\"{}\"", machine.arch),
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        // 32-bit arithmetic and jumps, since kernel 5.1: an eighth fewer instructions.
        "-Ctarget-cpu=v3".to_owned(),
        format!("-Clinker={}", toolchain.linker.display()),
    ];
    let mut command = Command::new(toolchain.compiler.cargo());
    command.current_dir(project::root());
    command.args(["build", "--package", PACKAGE, "--bins", "--release", "--message-format=json"]);
    command.args(["--target", machine.target(), "-Z", "build-std=core"]);
    // Our minimum for the programs is OLDEST_RUSTC; that of the workspace is for the host.
    command.arg("--ignore-rust-version").arg("--target-dir").arg(directory);
    command.env("RUSTC", toolchain.compiler.rustc());
    // Unlocks -Z in a stable compiler, for this build only.
    command.env("RUSTC_BOOTSTRAP", "1");
    command.env("CARGO_ENCODED_RUSTFLAGS", rustflags.join("\x1f"));
    command.env("ANYCAST_BPF_LINKER", &toolchain.linker);
    // The outer cargo's ideas about its own compiler.
    for variable in ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH", "RUSTFLAGS"] {
        command.env_remove(variable);
    }
    command
}

/// A line of cargo's JSON that matters here.
#[derive(Debug, PartialEq, Eq)]
enum Message {
    Object(String, PathBuf),
    Diagnostic { warning: bool, rendered: String },
}

impl Message {
    fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        match value["reason"].as_str()? {
            "compiler-artifact" => {
                let path = PathBuf::from(value["executable"].as_str()?);
                // Build scripts are executables, too.
                let is_bin = value["target"]["kind"][0] == "bin";
                is_bin.then_some(Self::Object(value["target"]["name"].as_str()?.to_owned(), path))
            }
            "compiler-message" => Some(Self::Diagnostic {
                warning: value["message"]["level"] == "warning",
                rendered: value["message"]["rendered"].as_str()?.to_owned(),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifact_of_a_binary_is_an_object() {
        let line = r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"lab"},"executable":"/t/lab"}"#;
        assert_eq!(Message::parse(line), Some(Message::Object("lab".to_owned(), "/t/lab".into())));
    }

    #[test]
    fn build_scripts_and_libraries_are_no_objects() {
        for target in [r#"{"kind":["custom-build"],"name":"build-script-build"}"#, r#"{"kind":["lib"],"name":"core"}"#]
        {
            let executable = if target.contains("lib\"") { "null" } else { "\"/t/x\"" };
            let line = format!(r#"{{"reason":"compiler-artifact","target":{target},"executable":{executable}}}"#);
            assert_eq!(Message::parse(&line), None, "{line}");
        }
    }

    #[test]
    fn warning_keeps_its_rendering() {
        let line = r#"{"reason":"compiler-message","message":{"level":"warning","rendered":"warning: unused\n"}}"#;
        let expected = Message::Diagnostic { warning: true, rendered: "warning: unused\n".to_owned() };
        assert_eq!(Message::parse(line), Some(expected));
    }

    #[test]
    fn objects_are_built_below_the_tagged_target_directory() {
        let target = env::temp_dir().join(format!("xtask-target-{}", std::process::id()));
        let out = target.join("debug/build/anycast-xdp-1/out");
        std::fs::create_dir_all(&out).unwrap();
        assert_eq!(directory_above(&out), out.join("ebpf"));
        std::fs::write(target.join("CACHEDIR.TAG"), "").unwrap();
        assert_eq!(directory_above(&out), target.join("ebpf"));
        std::fs::remove_dir_all(&target).unwrap();
    }
}
