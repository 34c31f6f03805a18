//! `cargo xtask build-ebpf`.

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context as _, Result, ensure};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind, SymbolKind, read::elf::ElfFile64};
use xtask::{ebpf, toolchain::Toolchain};

use crate::{commands::setup, project_build, say};

/// Size of a BPF instruction.
const INSTRUCTION_BYTES: u64 = 8;

/// Where the linker puts what programs call; every other section of code holds programs.
const SUBPROGRAMS: &str = ".text";

/// Builds the eBPF objects and lists their programs.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: Args) -> Result<ExitCode> {
    setup::ensure()?;
    let toolchain = Toolchain::find()?;
    say::step(format!("building the eBPF programs with {}", toolchain.compiler.describe()));
    let directory = ebpf::directory(&project_build::target_dir()?);
    let built = ebpf::build(&toolchain, &ebpf::Machine::host(), &directory, &[])?;
    for warning in &built.warnings {
        eprint!("{warning}");
    }
    let mut rows = vec![["object", "program", "section", "bytes", "instructions"].map(str::to_owned)];
    for name in ebpf::OBJECTS {
        let path = built.object(name)?;
        let programs = programs(path)?;
        rows.extend(programs.into_iter().map(|program| program.row(name)));
        say::note(format!("{name}: {} bytes with BTF, {}", fs::metadata(path)?.len(), path.display()));
    }
    say::table(&rows);
    Ok(ExitCode::SUCCESS)
}

/// A program of an object, or all the subprograms that its programs share.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    name: String,
    section: String,
    bytes: u64,
}

impl Program {
    fn row(self, object: &str) -> [String; 5] {
        let instructions = self.bytes / INSTRUCTION_BYTES;
        [object.to_owned(), self.name, self.section, self.bytes.to_string(), instructions.to_string()]
    }
}

/// Reads an object; without BTF it is refused, because the loader needs the map types in it.
fn programs(path: &Path) -> Result<Vec<Program>> {
    let bytes = fs::read(path)?;
    let elf = ElfFile64::<object::Endianness>::parse(&*bytes).with_context(|| path.display().to_string())?;
    let btf = elf.section_by_name(".BTF").map_or(0, |section| section.size());
    ensure!(btf > 0, "{} has no .BTF section", path.display());
    let mut programs = Vec::new();
    for section in elf.sections().filter(|section| section.kind() == SectionKind::Text && section.size() > 0) {
        let name = section.name()?;
        if name == SUBPROGRAMS {
            programs.push(Program { name: "(subprograms)".into(), section: name.into(), bytes: section.size() });
            continue;
        }
        let functions = elf.symbols().filter(|symbol| symbol.section_index() == Some(section.index()));
        for function in functions.filter(|symbol| symbol.kind() == SymbolKind::Text) {
            let (program, bytes) = (function.name()?.into(), function.size());
            programs.push(Program { name: program, section: name.into(), bytes });
        }
    }
    programs.sort_by(|a, b| (&a.section, &a.name).cmp(&(&b.section, &b.name)));
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_without_btf_is_refused() {
        // Our own test program: an ELF file without BTF.
        let error = programs(&std::env::current_exe().unwrap()).unwrap_err();
        assert!(error.to_string().contains("has no .BTF section"), "{error:#}");
    }

    #[test]
    fn row_counts_instructions_of_eight_bytes() {
        let program = Program { name: "pop".to_owned(), section: "xdp".to_owned(), bytes: 1600 };
        assert_eq!(program.row("datapath"), ["datapath", "pop", "xdp", "1600", "200"]);
    }
}
