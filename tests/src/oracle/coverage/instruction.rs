//! One instruction, and the numbers of RFC 9669 (BPF Instruction Set Architecture) that it is made of.

/// Bytes of an instruction; `ld_imm64` takes two.
pub(super) const INSTRUCTION_BYTES: usize = 8;

/// Classes: the low three bits of an opcode.
pub(super) mod class {
    pub const LD: u8 = 0x00;
    pub const LDX: u8 = 0x01;
    pub const ST: u8 = 0x02;
    pub const STX: u8 = 0x03;
    pub const ALU: u8 = 0x04;
    pub const JMP: u8 = 0x05;
    pub const JMP32: u8 = 0x06;
    pub const ALU64: u8 = 0x07;
}

/// A 64-bit number, in this instruction and the one behind it.
pub(super) const LD_IMM64: u8 = 0x18;
/// Jumps that do not compare, as whole opcodes.
pub(super) const JUMP: u8 = 0x05;
pub(super) const CALL: u8 = 0x85;
pub(super) const EXIT: u8 = 0x95;

/// What the source register of an `ld_imm64` means, as the loader leaves it for the kernel.
pub(super) const SOURCE_MAP: u8 = 1;
pub(super) const SOURCE_MAP_VALUE: u8 = 2;
/// The source register of a call within the program; 0 calls a helper.
pub(super) const SOURCE_FUNCTION: u8 = 1;

/// An instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Instruction {
    pub opcode: u8,
    pub destination: u8,
    pub source: u8,
    pub offset: i16,
    pub immediate: i32,
}

impl Instruction {
    /// From its bytes in an object for a little-endian machine.
    pub fn from_bytes([opcode, registers, offset @ .., a, b, c, d]: [u8; INSTRUCTION_BYTES]) -> Self {
        Self {
            opcode,
            destination: registers & 0x0f,
            source: registers >> 4,
            offset: i16::from_le_bytes(offset),
            immediate: i32::from_le_bytes([a, b, c, d]),
        }
    }

    /// One of [`class`].
    pub fn class(self) -> u8 {
        self.opcode & 0x07
    }

    /// The upper four bits: which arithmetic, which comparison.
    pub fn operation(self) -> u8 {
        self.opcode & 0xf0
    }

    /// The second operand is a register, not the immediate.
    pub fn takes_register(self) -> bool {
        self.opcode & 0x08 != 0
    }

    /// Bytes that a load or store moves.
    pub fn size_bytes(self) -> usize {
        [4, 2, 1, 8][usize::from(self.opcode >> 3 & 0x03)]
    }

    /// The upper three bits of a load or store.
    pub fn mode(self) -> u8 {
        self.opcode & 0xe0
    }

    /// It calls a function of the program.
    pub fn is_function_call(self) -> bool {
        self.opcode == CALL && self.source == SOURCE_FUNCTION
    }

    /// It may go on at its offset.
    pub fn is_jump(self) -> bool {
        matches!(self.class(), class::JMP | class::JMP32) && !matches!(self.opcode, CALL | EXIT)
    }

    /// It may go on behind itself.
    pub fn falls_through(self) -> bool {
        !matches!(self.opcode, JUMP | EXIT)
    }

    /// Where it goes on when it jumps or calls, from its own position.
    pub fn target(self, position: usize) -> usize {
        let distance = if self.opcode == CALL { self.immediate as isize } else { isize::from(self.offset) };
        position.wrapping_add_signed(distance + 1)
    }
}
