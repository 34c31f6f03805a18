//! The object that the loader embeds, as code that can be run: one list of instructions, with the references to maps and
//! to functions of other sections filled in.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use object::{
    File, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget, SectionIndex,
    SectionKind, Symbol, SymbolKind,
};

use super::{
    instruction::{INSTRUCTION_BYTES, Instruction, LD_IMM64, SOURCE_FUNCTION, SOURCE_MAP, SOURCE_MAP_VALUE},
    lines::{self, Line},
};

/// `R_BPF_64_64` and `R_BPF_64_32`: the number of an `ld_imm64`, and the target of a call (Documentation/bpf/llvm_reloc.rst).
const R_BPF_64_64: u32 = 1;
const R_BPF_64_32: u32 = 10;

/// Programs and what they refer to.
pub(super) struct Object {
    /// All sections with code, one behind the other.
    pub code: Vec<Instruction>,
    /// Where each function begins, by name.
    pub functions: HashMap<String, usize>,
    /// Names of the maps; references to maps are positions in here.
    pub maps: Vec<String>,
    /// The lines that each instruction was made from: where it was written, and where that was inlined.
    pub lines: Vec<Vec<Line>>,
}

impl Object {
    /// From the bytes of an ELF file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let file = File::parse(bytes)?;
        let mut object =
            Self { code: Vec::new(), functions: HashMap::new(), maps: Vec::new(), lines: lines::of_code(&file)? };
        let mut begins = HashMap::new();
        for section in code_sections(&file) {
            begins.insert(section.index(), object.code.len());
            let (instructions, _) = section.data()?.as_chunks::<INSTRUCTION_BYTES>();
            object.code.extend(instructions.iter().copied().map(Instruction::from_bytes));
        }
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
            let begin = begins.get(&symbol.section_index().context("a function without a section")?);
            if let Some(begin) = begin {
                object.functions.insert(symbol.name()?.to_owned(), begin + position(symbol.address()));
            }
        }
        for section in code_sections(&file) {
            for (offset, relocation) in section.relocations() {
                let RelocationTarget::Symbol(symbol) = relocation.target() else {
                    bail!("a relocation without a symbol")
                };
                let at = begins[&section.index()] + position(offset);
                let RelocationFlags::Elf { r_type } = relocation.flags() else { bail!("no relocation of ELF") };
                let symbol = file.symbol_by_index(symbol)?;
                match r_type {
                    R_BPF_64_64 => object.refer_to_map(&file, at, &symbol)?,
                    R_BPF_64_32 => object.refer_to_function(&begins, at, &symbol)?,
                    other => bail!("the interpreter does not know relocations of type {other}"),
                }
            }
        }
        Ok(object)
    }

    /// Code that refers to nothing, for tests of the machine.
    #[cfg(test)]
    pub fn of_code(code: Vec<Instruction>) -> Self {
        let lines = vec![Vec::new(); code.len()];
        Self { code, functions: HashMap::new(), maps: Vec::new(), lines }
    }

    /// As the loader does for the kernel: a map by its symbol, or a place in the value of a section that became a map.
    fn refer_to_map(&mut self, file: &File<'_>, at: usize, symbol: &Symbol<'_, '_>) -> Result<()> {
        if self.code[at].opcode != LD_IMM64 {
            bail!("{} is not referred to by an ld_imm64", symbol.name()?);
        }
        let section = file.section_by_index(symbol.section_index().context("an undefined symbol")?)?;
        let is_map = matches!(section.name()?, "maps" | ".maps");
        let name = if is_map { symbol.name()? } else { section.name()? };
        let map = self.maps.iter().position(|map| map == name).unwrap_or_else(|| {
            self.maps.push(name.to_owned());
            self.maps.len() - 1
        });
        if is_map {
            self.code[at].source = SOURCE_MAP;
        } else {
            self.code[at].source = SOURCE_MAP_VALUE;
            self.code[at + 1].immediate = self.code[at].immediate + signed(symbol.address() as usize);
        }
        self.code[at].immediate = signed(map);
        Ok(())
    }

    /// The addend is within the instruction: a distance in instructions, less one.
    fn refer_to_function(
        &mut self,
        begins: &HashMap<SectionIndex, usize>,
        at: usize,
        symbol: &Symbol<'_, '_>,
    ) -> Result<()> {
        let section = symbol.section_index().with_context(|| format!("{:?} is undefined", symbol.name()))?;
        let addend = if symbol.kind() == SymbolKind::Section { self.code[at].immediate + 1 } else { 0 };
        let begin = begins.get(&section).context("a call to something that is not code")?;
        let target = signed(begin + position(symbol.address())) + addend;
        self.code[at].source = SOURCE_FUNCTION;
        self.code[at].immediate = target - signed(at) - 1;
        Ok(())
    }

    /// The instructions that a program with one of these names could execute, were every jump possible.
    pub fn within_reach(&self, programs: &[&str]) -> Result<Vec<usize>> {
        let mut is_within = vec![false; self.code.len()];
        let entry = |program: &&str| self.functions.get(*program).copied();
        let mut ahead: Vec<usize> = programs.iter().map(entry).collect::<Option<_>>().context("no such program")?;
        while let Some(at) = ahead.pop() {
            let Some(instruction) = self.code.get(at) else { bail!("the code ends within a function") };
            if std::mem::replace(&mut is_within[at], true) {
                continue;
            }
            if instruction.is_jump() || instruction.is_function_call() {
                ahead.push(instruction.target(at));
            }
            if instruction.falls_through() {
                ahead.push(at + if instruction.opcode == LD_IMM64 { 2 } else { 1 });
            }
        }
        Ok((0..is_within.len()).filter(|at| is_within[*at]).collect())
    }
}

/// The sections with code, in the order of the file.
pub(super) fn code_sections<'a>(file: &'a File<'a>) -> impl Iterator<Item = object::Section<'a, 'a>> {
    file.sections().filter(|section| section.kind() == SectionKind::Text)
}

/// As an immediate holds it.
fn signed(position: usize) -> i32 {
    (position as u32).cast_signed()
}

fn position(offset_bytes: u64) -> usize {
    offset_bytes as usize / INSTRUCTION_BYTES
}

#[cfg(test)]
mod tests {
    use anycast_xdp::{dataplane::tables::capacity::MAPS, objects};

    use super::*;

    #[test]
    fn embedded_object_has_its_programs_maps_and_lines() {
        let object = Object::parse(objects::DATAPATH).unwrap();
        let code = object.within_reach(&super::super::PROGRAMS).unwrap();
        let with_lines = code.iter().filter(|at| !object.lines[**at].is_empty()).count();
        assert!(with_lines * 100 > code.len() * 95, "{with_lines} of {} instructions", code.len());
        // Both ways in which code refers to data: maps of their own, and a section of constants.
        assert!(object.maps.iter().any(|map| map == "VIPS") && object.maps.iter().any(|map| map == ".rodata.key"));
        let is_known = |map: &String| MAPS.iter().any(|(name, _)| name == map) || map == ".rodata.key";
        assert!(object.maps.iter().all(is_known), "{:?}", object.maps);
    }

    #[test]
    fn instructions_lead_to_the_stage_that_was_inlined_and_to_the_order_of_stages() {
        let object = Object::parse(objects::DATAPATH).unwrap();
        let is_in = |lines: &Vec<Line>, file: &str| lines.iter().any(|line| &*line.file == file);
        let both = object.lines.iter().filter(|lines| {
            is_in(lines, "anycast-xdp-ebpf/src/stage/encap.rs") && is_in(lines, "anycast-xdp-ebpf/src/pop.rs")
        });
        assert!(both.count() > 100);
    }
}
