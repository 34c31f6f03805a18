//! Which source lines each instruction was made from, by the object's DWARF.
//!
//! The object is relocatable: every section with code begins at address 0, and the debug information refers to them by
//! relocations. Here each section gets addresses of its own, far from the others', and the relocations are applied.

use std::{collections::HashMap, sync::Arc};

use addr2line::{
    Context,
    gimli::{DwarfSections, EndianSlice, LittleEndian, SectionId},
};
use anyhow::{Context as _, Result, bail};
use object::{
    File, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget, SectionIndex,
};

use super::{instruction::INSTRUCTION_BYTES, object::code_sections};

/// `R_BPF_64_ABS64` and `R_BPF_64_ABS32`: a number of so many bits, with its addend in place.
const R_BPF_64_ABS64: u32 = 2;
const R_BPF_64_ABS32: u32 = 3;

/// A line of our sources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Line {
    /// Path below the root of the workspace.
    pub file: Arc<str>,
    /// Number, from 1.
    pub number: u32,
}

/// For each instruction of the sections with code, in their order, the lines of [`SOURCES`](super::SOURCES).
pub(super) fn of_code(file: &File<'_>) -> Result<Vec<Vec<Line>>> {
    let sections = DwarfSections::load(|id| section(file, id))?;
    let dwarf = sections.borrow(|bytes: &Vec<u8>| EndianSlice::new(bytes, LittleEndian));
    let context = Context::from_dwarf(dwarf).context("the object's DWARF")?;
    let mut names = Names::default();
    let mut lines = Vec::new();
    for section in code_sections(file) {
        for offset in (0..section.size()).step_by(INSTRUCTION_BYTES) {
            lines.push(of_address(&context, base(section.index()) + offset, &mut names)?);
        }
    }
    Ok(lines)
}

/// The innermost line, and those of the calls that were inlined.
fn of_address(context: &Context<EndianSlice<'_, LittleEndian>>, address: u64, names: &mut Names) -> Result<Vec<Line>> {
    let mut frames = context.find_frames(address).skip_all_loads()?;
    let mut lines = Vec::new();
    while let Some(frame) = frames.next()? {
        // Line 0 is "made by the compiler".
        if let Some(location) = frame.location
            && let (Some(path), Some(number @ 1..)) = (location.file, location.line)
            && let Some(file) = names.get(path)
        {
            lines.push(Line { file, number });
        }
    }
    Ok(lines)
}

/// One copy of each path, by what the compiler calls it.
#[derive(Default)]
struct Names(HashMap<String, Option<Arc<str>>>);

impl Names {
    /// `None`: not one of our sources.
    fn get(&mut self, path: &str) -> Option<Arc<str>> {
        if let Some(known) = self.0.get(path) {
            return known.clone();
        }
        let begin = super::SOURCES.iter().find_map(|directory| path.find(directory));
        let name = begin.map(|begin| Arc::from(&path[begin..]));
        self.0.insert(path.to_owned(), name.clone());
        name
    }
}

/// Where a section begins, for the debug information.
fn base(section: SectionIndex) -> u64 {
    (section.0 as u64) << 32
}

/// A section of debug information, relocated; empty where there is none.
fn section(file: &File<'_>, id: SectionId) -> Result<Vec<u8>> {
    let Some(section) = file.section_by_name(id.name()) else {
        return Ok(Vec::new());
    };
    let mut bytes = section.uncompressed_data()?.into_owned();
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(symbol) = relocation.target() else { bail!("a relocation without a symbol") };
        let symbol = file.symbol_by_index(symbol)?;
        let is_code = |section: &SectionIndex| code_sections(file).any(|code| code.index() == *section);
        let value = symbol.address() + symbol.section_index().filter(is_code).map_or(0, base);
        let RelocationFlags::Elf { r_type } = relocation.flags() else { bail!("no relocation of ELF") };
        let size_bytes = match r_type {
            R_BPF_64_ABS64 => 8,
            R_BPF_64_ABS32 => 4,
            other => bail!("relocation of type {other} in {}", id.name()),
        };
        let field = bytes.get_mut(offset as usize..).and_then(|rest| rest.get_mut(..size_bytes));
        let field = field.with_context(|| format!("a relocation behind the end of {}", id.name()))?;
        let mut addend = [0; 8];
        addend[..size_bytes].copy_from_slice(field);
        let sum = value.wrapping_add(u64::from_le_bytes(addend)).to_le_bytes();
        field.copy_from_slice(&sum[..size_bytes]);
    }
    Ok(bytes)
}
