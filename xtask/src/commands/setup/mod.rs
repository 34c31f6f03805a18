//! `cargo xtask setup`: makes this machine able to build and test.

mod by_hand;
mod distribution;
mod emulator;
mod linker;
mod nightly;
mod programs;

use std::process::ExitCode;

use anyhow::{Result, bail};
use xtask::toolchain::{Compiler, Toolchain, find_linker, installed_compilers};

pub use self::emulator::Emulator;
use crate::{apt, say};

/// Looks what this machine lacks for building and testing, and installs that.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Only look; fails if something is missing.
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    let mut state = State::look();
    if !args.check && !state.is_complete() {
        install(&state)?;
        state = State::look();
    }
    say::table(&state.rows());
    match (state.is_complete(), args.check) {
        (true, _) => say::step("everything is there"),
        (false, true) => say::step("`cargo xtask setup` installs what is missing"),
        (false, false) => bail!("something is still missing after the installation"),
    }
    Ok(if state.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Installs what is missing, and says nothing if that is nothing. Every other command begins with this.
pub fn ensure() -> Result<()> {
    let state = State::look();
    if state.is_complete() {
        return Ok(());
    }
    say::step("this machine lacks something: setting it up (`cargo xtask setup`)");
    install(&state)?;
    if !State::look().is_complete() {
        bail!("something is still missing after the installation: see `cargo xtask setup --check`");
    }
    Ok(())
}

/// What is here.
#[derive(Debug)]
struct State {
    /// Complete: with its linker.
    toolchain: Option<Toolchain>,
    /// The toolchain's, or one that lacks only a linker.
    compiler: Option<Compiler>,
    missing_programs: Vec<&'static programs::Program>,
}

impl State {
    fn look() -> Self {
        let toolchain = Toolchain::find().ok();
        let compiler = match &toolchain {
            Some(toolchain) => Some(toolchain.compiler.clone()),
            None => installed_compilers().into_iter().find(Compiler::is_usable),
        };
        Self { toolchain, compiler, missing_programs: programs::missing() }
    }

    fn is_complete(&self) -> bool {
        self.toolchain.is_some() && self.missing_programs.is_empty()
    }

    fn rows(&self) -> Vec<[String; 3]> {
        let mut rows = vec![["needed", "here", "for"].map(str::to_owned)];
        let missing = || "MISSING".to_owned();
        let compiler = self.compiler.as_ref().map_or_else(missing, Compiler::describe);
        let linker = self.toolchain.as_ref().map_or_else(missing, |toolchain| toolchain.linker.display().to_string());
        rows.push(["eBPF compiler".to_owned(), compiler, "the XDP programs, with the sources of core".to_owned()]);
        rows.push(["bpf-linker".to_owned(), linker, "the XDP programs, of the compiler's LLVM".to_owned()]);
        for program in programs::PROGRAMS {
            let is_missing = self.missing_programs.contains(&program);
            let here = if is_missing { "MISSING" } else { "yes" };
            rows.push([program.name, here, program.purpose].map(str::to_owned));
        }
        rows
    }
}

fn install(state: &State) -> Result<()> {
    if !apt::is_here() {
        bail!("{}", by_hand::instructions(&state.missing_programs, state.toolchain.is_none()));
    }
    if !state.missing_programs.is_empty() {
        let mut packages: Vec<_> = state.missing_programs.iter().map(|program| program.package).collect();
        packages.dedup();
        say::step(format!("installing {}", packages.join(" ")));
        for program in &state.missing_programs {
            say::note(format!("{}: {}", program.name, program.purpose));
        }
        apt::install(&packages)?;
    }
    if state.toolchain.is_none() {
        install_toolchain()?;
    }
    Ok(())
}

/// rustup's nightlies first, then the distribution's compilers.
fn install_toolchain() -> Result<()> {
    say::step("looking for a compiler for the eBPF programs: one with the sources of core, which BPF is built with");
    for compiler in nightly::compilers() {
        match linker::install(&compiler) {
            Ok(()) => return Ok(()),
            Err(error) => say::note(format!("{} is of no use: {error:#}", compiler.describe())),
        }
    }
    let compiler = distribution::compiler()?;
    linker::install(&compiler)
}

/// There is a linker for this compiler.
fn has_linker(compiler: &Compiler) -> bool {
    find_linker(compiler.version.llvm_major).is_some()
}
