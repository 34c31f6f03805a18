//! Runs a program of the object on one packet.

use anyhow::{Context as _, Result, bail};

use super::{
    arithmetic::{COMPARE_AND_EXCHANGE, FETCH, alu, atomic, holds, in_byte_order},
    helpers,
    instruction::{CALL, EXIT, Instruction, LD_IMM64, SOURCE_MAP, SOURCE_MAP_VALUE, class},
    maps::KernelMap,
    memory::{CALLS_MAX, CONTEXT, MAP, Memory},
    object::Object,
};
use crate::oracle::model::Input;

/// What a register holds that a call may have changed.
const CLOBBERED: u64 = 0xdead_dead_dead_dead;
/// No packet takes so many instructions: the program does not end.
const INSTRUCTIONS_MAX: u32 = 1 << 20;
/// The register of the stack's end.
const FRAME: usize = 10;

/// Modes of loads and stores.
const MODE_MEMORY: u8 = 0x60;
const MODE_ATOMIC: u8 = 0xc0;
/// Operation of an arithmetic instruction that is none: byte order.
const BYTE_ORDER: u8 = 0xd0;

/// A program on its way.
pub(super) struct Machine<'a> {
    object: &'a Object,
    pub maps: &'a [KernelMap],
    pub memory: Memory,
    registers: [u64; FRAME + 1],
    /// Who waits for a call to return: its position, and the registers that are its own.
    callers: Vec<(usize, [u64; 4])>,
}

impl<'a> Machine<'a> {
    pub fn new(object: &'a Object, maps: &'a [KernelMap], input: &Input) -> Self {
        let mut registers = [CLOBBERED; FRAME + 1];
        registers[1] = CONTEXT;
        registers[FRAME] = Memory::stack_end(0);
        Self { object, maps, memory: Memory::new(input), registers, callers: Vec::new() }
    }

    /// Runs the function at `at`, notes in `executed` what it went through, and gives the kernel what it wrote to maps.
    /// What it returns is the number of an XDP action.
    pub fn run(&mut self, mut at: usize, executed: &mut [bool]) -> Result<u32> {
        for _ in 0..INSTRUCTIONS_MAX {
            let instruction = *self.object.code.get(at).context("the program runs beyond its end")?;
            executed[at] = true;
            let next = self.step(at, instruction);
            let Some(next) = next.with_context(|| format!("instruction {at} ({instruction:x?})"))? else {
                for value in &mut self.memory.values {
                    self.maps[value.map].write_back(value).context("cannot write a map value back")?;
                }
                return Ok(self.registers[0] as u32);
            };
            at = next;
        }
        bail!("the program does not end")
    }

    /// Where it goes on; `None`: it has ended.
    fn step(&mut self, at: usize, instruction: Instruction) -> Result<Option<usize>> {
        match instruction.class() {
            class::LD if instruction.opcode == LD_IMM64 => {
                self.load_immediate(at, instruction)?;
                return Ok(Some(at + 2));
            }
            class::LDX if instruction.mode() == MODE_MEMORY => {
                let address = self.address(instruction.source, instruction.offset);
                *self.destination(instruction) = self.memory.load(address, instruction.size_bytes())?;
            }
            class::ST | class::STX if instruction.mode() == MODE_MEMORY => {
                let value = match instruction.class() {
                    class::ST => i64::from(instruction.immediate).cast_unsigned(),
                    _ => self.registers[usize::from(instruction.source)],
                };
                let address = self.address(instruction.destination, instruction.offset);
                self.memory.store(address, instruction.size_bytes(), value)?;
            }
            class::STX if instruction.mode() == MODE_ATOMIC => self.atomic(instruction)?,
            class::ALU | class::ALU64 => self.compute(instruction)?,
            class::JMP if instruction.opcode == EXIT => return Ok(self.exit()),
            class::JMP if instruction.is_function_call() => return self.enter(at, instruction).map(Some),
            class::JMP if instruction.opcode == CALL && instruction.source == 0 => {
                let [_, arguments @ .., _, _, _, _, _] = self.registers;
                self.registers[0] = helpers::call(self, instruction.immediate, arguments)?;
                self.registers[1..6].fill(CLOBBERED);
            }
            class::JMP | class::JMP32 if instruction.is_jump() => {
                let is_wide = instruction.class() == class::JMP;
                let (left, right) = (*self.destination(instruction), self.operand(instruction));
                if holds(instruction.operation(), is_wide, left, right).context("an unknown comparison")? {
                    return Ok(Some(instruction.target(at)));
                }
            }
            _ => bail!("the interpreter does not know this instruction"),
        }
        Ok(Some(at + 1))
    }

    fn destination(&mut self, instruction: Instruction) -> &mut u64 {
        &mut self.registers[usize::from(instruction.destination)]
    }

    fn operand(&self, instruction: Instruction) -> u64 {
        if instruction.takes_register() {
            self.registers[usize::from(instruction.source)]
        } else {
            i64::from(instruction.immediate).cast_unsigned()
        }
    }

    fn address(&self, register: u8, offset: i16) -> u64 {
        self.registers[usize::from(register)].wrapping_add_signed(i64::from(offset))
    }

    fn compute(&mut self, instruction: Instruction) -> Result<()> {
        // Offsets are for signed division and sign extension, of version 4.
        if instruction.offset != 0 {
            bail!("the interpreter does not know this instruction");
        }
        let (left, right) = (*self.destination(instruction), self.operand(instruction));
        let is_wide = instruction.class() == class::ALU64;
        let result = if instruction.operation() == BYTE_ORDER && !is_wide {
            in_byte_order(left, instruction.immediate, instruction.takes_register())
        } else {
            alu(instruction.operation(), is_wide, left, right)
        };
        *self.destination(instruction) = result.context("an unknown operation")?;
        Ok(())
    }

    fn load_immediate(&mut self, at: usize, instruction: Instruction) -> Result<()> {
        let second = self.object.code.get(at + 1).context("half an instruction")?.immediate;
        let low = instruction.immediate.cast_unsigned();
        *self.destination(instruction) = match instruction.source {
            0 => u64::from(low) | u64::from(second.cast_unsigned()) << 32,
            SOURCE_MAP => MAP + u64::from(low),
            // The map of a section has one entry.
            SOURCE_MAP_VALUE => helpers::lookup(self, low as usize, &[0; 4])? + u64::from(second.cast_unsigned()),
            other => bail!("an ld_imm64 of an unknown kind: {other}"),
        };
        Ok(())
    }

    fn atomic(&mut self, instruction: Instruction) -> Result<()> {
        let address = self.address(instruction.destination, instruction.offset);
        let size_bytes = instruction.size_bytes();
        let is = self.memory.load(address, size_bytes)?;
        let mask = u64::MAX >> (64 - size_bytes * 8);
        let expected = self.registers[0] & mask;
        let operand = self.registers[usize::from(instruction.source)] & mask;
        let value = atomic(instruction.immediate, is, operand, expected).context("an unknown atomic operation")?;
        self.memory.store(address, size_bytes, value)?;
        if instruction.immediate == COMPARE_AND_EXCHANGE {
            self.registers[0] = is;
        } else if instruction.immediate & FETCH != 0 {
            self.registers[usize::from(instruction.source)] = is;
        }
        Ok(())
    }

    fn enter(&mut self, at: usize, instruction: Instruction) -> Result<usize> {
        let [.., a, b, c, d, _] = self.registers;
        self.callers.push((at, [a, b, c, d]));
        if self.callers.len() == CALLS_MAX {
            bail!("calls are too deep");
        }
        self.registers[FRAME] = Memory::stack_end(self.callers.len());
        Ok(instruction.target(at))
    }

    fn exit(&mut self) -> Option<usize> {
        let (at, own) = self.callers.pop()?;
        self.registers[1..6].fill(CLOBBERED);
        self.registers[6..FRAME].copy_from_slice(&own);
        self.registers[FRAME] = Memory::stack_end(self.callers.len());
        Some(at + 1)
    }
}

#[cfg(test)]
mod tests;
