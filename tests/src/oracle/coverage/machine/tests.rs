//! Programs of a few instructions, by RFC 9669's numbers.

use super::*;
use crate::oracle::{
    coverage::{instruction::JUMP, memory::CONTEXT},
    model::Program,
};

const MOV: u8 = 0xb7;
const MOV_REGISTER: u8 = 0xbf;
const ADD_REGISTER: u8 = 0x0f;
const ADD64: u8 = 0x07;
const MOV32: u8 = 0xb4;
const ADD32: u8 = 0x04;
const LOAD_WORD: u8 = 0x61;
const LOAD_BYTE: u8 = 0x71;
const LOAD_DOUBLE: u8 = 0x79;
const STORE_DOUBLE: u8 = 0x7b;
const STORE_BYTE_IMMEDIATE: u8 = 0x72;
const JUMP_EQUAL: u8 = 0x15;
const JUMP32_LESS_SIGNED: u8 = 0xc6;
const ATOMIC_DOUBLE: u8 = 0xdb;
const TO_BIG_ENDIAN: u8 = 0xdc;

fn op(opcode: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { opcode, destination, source, offset, immediate }
}

/// What the program returns, which of its instructions ran, and the frame afterwards.
fn run(code: &[Instruction]) -> Result<(u32, Vec<bool>, Vec<u8>)> {
    run_on(code, None)
}

/// The same, with so many bytes of the frame in its linear part.
fn run_on(code: &[Instruction], linear_bytes: Option<usize>) -> Result<(u32, Vec<bool>, Vec<u8>)> {
    let object = Object::of_code(code.to_vec());
    let input = Input { linear_bytes, ..Input::new(Program::Pop, 7, (0..64).collect()) };
    let mut executed = vec![false; code.len()];
    let mut machine = Machine::new(&object, &[], &input);
    let result = machine.run(0, &mut executed)?;
    Ok((result, executed, machine.memory.frame().to_vec()))
}

fn returned(code: &[Instruction]) -> u32 {
    run(code).unwrap().0
}

fn error(code: &[Instruction]) -> String {
    format!("{:#}", run(code).unwrap_err())
}

#[test]
fn only_the_taken_side_of_a_jump_is_executed() {
    let (result, executed, _) =
        run(&[op(MOV, 0, 0, 0, 5), op(JUMP_EQUAL, 0, 0, 1, 5), op(MOV, 0, 0, 0, 1), op(EXIT, 0, 0, 0, 0)]).unwrap();
    assert_eq!((result, executed), (5, vec![true, true, false, true]));
}

#[test]
fn narrow_jump_ignores_the_upper_half() {
    let code = [
        op(LD_IMM64, 1, 0, 0, -1),
        op(0, 0, 0, 0, 5),
        op(MOV, 0, 0, 0, 1),
        op(JUMP32_LESS_SIGNED, 1, 0, 1, 0),
        op(MOV, 0, 0, 0, 0),
        op(EXIT, 0, 0, 0, 0),
    ];
    assert_eq!(returned(&code), 1);
}

#[test]
fn call_keeps_the_callers_registers_and_has_a_stack_of_its_own() {
    let code = [
        op(MOV, 6, 0, 0, 40),
        op(STORE_DOUBLE, 10, 6, -8, 0),
        op(CALL, 0, 1, 0, 3),
        op(LOAD_DOUBLE, 1, 10, -8, 0),
        op(ADD_REGISTER, 0, 6, 0, 0),
        op(EXIT, 0, 0, 0, 0),
        // The function: writes its own r6 and the same place of its own stack, and returns 2.
        op(MOV, 6, 0, 0, 1),
        op(STORE_DOUBLE, 10, 6, -8, 0),
        op(MOV, 0, 0, 0, 2),
        op(EXIT, 0, 0, 0, 0),
    ];
    assert_eq!(returned(&code), 42);
    let mut loads = code;
    loads[4] = op(MOV_REGISTER, 0, 1, 0, 0);
    assert_eq!(returned(&loads), 40);
}

#[test]
fn callee_writes_to_the_callers_stack_through_a_pointer() {
    let code = [
        op(MOV_REGISTER, 1, 10, 0, 0),
        op(CALL, 0, 1, 0, 2),
        op(LOAD_BYTE, 0, 10, -1, 0),
        op(EXIT, 0, 0, 0, 0),
        op(STORE_BYTE_IMMEDIATE, 1, 0, -1, 9),
        op(EXIT, 0, 0, 0, 0),
    ];
    assert_eq!(returned(&code), 9);
}

#[test]
fn context_fields_lead_to_the_frame() {
    let byte_12 = [op(LOAD_WORD, 2, 1, 0, 0), op(LOAD_BYTE, 0, 2, 12, 0), op(EXIT, 0, 0, 0, 0)];
    assert_eq!(returned(&byte_12), 12);
    let ingress = [op(LOAD_WORD, 0, 1, 12, 0), op(EXIT, 0, 0, 0, 0)];
    assert_eq!(returned(&ingress), 7);
    // data_end - data
    let length = [op(LOAD_WORD, 0, 1, 4, 0), op(LOAD_WORD, 2, 1, 0, 0), op(0x1f, 0, 2, 0, 0), op(EXIT, 0, 0, 0, 0)];
    assert_eq!(returned(&length), 64);
}

#[test]
fn moved_head_gives_room_and_nothing_more() {
    let grown = |by: i32| [op(MOV, 2, 0, 0, by), op(CALL, 0, 0, 0, 44), op(EXIT, 0, 0, 0, 0)];
    let (result, _, frame) = run(&grown(-216)).unwrap();
    assert_eq!((result, frame.len()), (0, 280));
    let (result, _, frame) = run(&grown(-217)).unwrap();
    assert_eq!((result.cast_signed(), frame.len()), (-22, 64));
    let (result, _, frame) = run(&grown(50)).unwrap();
    assert_eq!((result, frame), (0, (50..64).collect()));
    assert_eq!(returned(&grown(51)).cast_signed(), -22);
}

#[test]
fn access_beyond_the_frame_is_an_error() {
    let last = |at: i16| [op(LOAD_WORD, 2, 1, 0, 0), op(LOAD_BYTE, 0, 2, at, 0), op(EXIT, 0, 0, 0, 0)];
    assert_eq!(returned(&last(63)), 63);
    assert!(error(&last(64)).contains("reads 1 bytes at 0x200000140, outside of what it may reach"));
    assert!(error(&last(-1)).contains("outside of what it may reach"));
    let null = [op(MOV, 1, 0, 0, 0), op(LOAD_BYTE, 0, 1, 0, 0), op(EXIT, 0, 0, 0, 0)];
    assert!(error(&null).contains("reads 1 bytes at 0x0"));
    let context = [op(STORE_BYTE_IMMEDIATE, 1, 0, 0, 0), op(EXIT, 0, 0, 0, 0)];
    assert!(error(&context).contains(&format!("writes 1 bytes at {CONTEXT:#x}")));
}

#[test]
fn moved_tail_is_of_the_linear_part_when_no_fragment_is_left() {
    let grown = |by: i32| [op(MOV, 2, 0, 0, by), op(CALL, 0, 0, 0, 65), op(EXIT, 0, 0, 0, 0)];
    let after = |by, linear_bytes| {
        let (result, _, frame) = run_on(&grown(by), linear_bytes).unwrap();
        (result.cast_signed(), frame.len())
    };
    assert_eq!((after(-50, None), after(-51, None)), ((0, 14), (-22, 64)));
    assert_eq!((after(2, None), after(1 << 12, None)), ((0, 66), (-22, 64)));
    assert_eq!((after(-4, Some(40)), after(-30, Some(40)), after(2, Some(40))), ((0, 60), (0, 34), (-22, 64)));
}

#[test]
fn fragments_are_read_by_helpers_only() {
    let direct = |at: i16| [op(LOAD_WORD, 2, 1, 0, 0), op(LOAD_BYTE, 0, 2, at, 0), op(EXIT, 0, 0, 0, 0)];
    assert_eq!(run_on(&direct(39), Some(40)).unwrap().0, 39);
    assert!(run_on(&direct(40), Some(40)).is_err());
    let length = [op(CALL, 0, 0, 0, 188), op(EXIT, 0, 0, 0, 0)];
    assert_eq!(run_on(&length, Some(40)).unwrap().0, 64);
    let loaded = |offset: i32| {
        [
            op(MOV, 2, 0, 0, offset),
            op(MOV_REGISTER, 3, 10, 0, 0),
            op(ADD64, 3, 0, 0, -8),
            op(MOV, 4, 0, 0, 2),
            op(CALL, 0, 0, 0, 189),
            op(JUMP_EQUAL, 0, 0, 1, 0),
            op(EXIT, 0, 0, 0, 0),
            op(LOAD_BYTE, 0, 10, -7, 0),
            op(EXIT, 0, 0, 0, 0),
        ]
    };
    // Across the border, to the end, and beyond it.
    assert_eq!([39, 62, 63].map(|at| run_on(&loaded(at), Some(40)).unwrap().0.cast_signed()), [40, 63, -22]);
}

#[test]
fn compare_and_exchange_gives_what_was_there_in_register_0() {
    let code = |known| {
        [
            op(MOV, 1, 0, 0, 40),
            op(STORE_DOUBLE, 10, 1, -8, 0),
            op(MOV, 0, 0, 0, known),
            op(MOV, 2, 0, 0, 2),
            op(ATOMIC_DOUBLE, 10, 2, -8, COMPARE_AND_EXCHANGE),
            op(LOAD_DOUBLE, 1, 10, -8, 0),
            op(ADD_REGISTER, 0, 1, 0, 0),
            op(EXIT, 0, 0, 0, 0),
        ]
    };
    assert_eq!([40, 41].map(|known| returned(&code(known))), [40 + 2, 40 + 40]);
}

#[test]
fn checksum_helper_takes_null_where_there_are_no_bytes() {
    let code = [
        op(LOAD_WORD, 3, 1, 0, 0),
        op(MOV, 1, 0, 0, 0),
        op(MOV, 2, 0, 0, 0),
        op(MOV, 4, 0, 0, 4),
        op(MOV, 5, 0, 0, 0),
        op(CALL, 0, 0, 0, 28),
        op(EXIT, 0, 0, 0, 0),
    ];
    assert_eq!(returned(&code), 0x0100 + 0x0302);
}

#[test]
fn atomic_addition_fetches_what_was_there() {
    let code = [
        op(MOV, 1, 0, 0, 40),
        op(STORE_DOUBLE, 10, 1, -8, 0),
        op(MOV, 2, 0, 0, 2),
        op(ATOMIC_DOUBLE, 10, 2, -8, 0x01),
        op(LOAD_DOUBLE, 0, 10, -8, 0),
        // 42 and the 40 that was fetched.
        op(ADD_REGISTER, 0, 2, 0, 0),
        op(EXIT, 0, 0, 0, 0),
    ];
    assert_eq!(returned(&code), 82);
}

#[test]
fn narrow_moves_and_byte_swaps_cut() {
    let code =
        [op(MOV32, 0, 0, 0, 0x1_1234), op(ADD32, 0, 0, 0, -1), op(TO_BIG_ENDIAN, 0, 0, 0, 16), op(EXIT, 0, 0, 0, 0)];
    assert_eq!(returned(&code), u32::from(0x1233_u16.to_be()));
}

#[test]
fn what_the_interpreter_does_not_know_is_named() {
    assert!(error(&[op(CALL, 0, 0, 0, 12)]).contains("does not know helper 12 (bpf_tail_call)"));
    assert!(error(&[op(MOV, 0, 0, 8, 0)]).contains("does not know this instruction"));
    assert!(error(&[op(JUMP, 0, 0, -1, 0)]).contains("the program does not end"));
    assert!(error(&[op(MOV, 0, 0, 0, 0)]).contains("runs beyond its end"));
}

#[test]
fn code_within_reach_is_both_sides_of_jumps_and_what_is_called() {
    let mut object = Object::of_code(vec![
        op(JUMP_EQUAL, 1, 0, 1, 0),
        op(EXIT, 0, 0, 0, 0),
        op(CALL, 0, 1, 0, 2),
        op(EXIT, 0, 0, 0, 0),
        // Nobody calls this.
        op(EXIT, 0, 0, 0, 0),
        op(LD_IMM64, 0, 0, 0, 1),
        op(0, 0, 0, 0, 0),
        op(EXIT, 0, 0, 0, 0),
    ]);
    object.functions.insert("first".to_owned(), 0);
    assert_eq!(object.within_reach(&["first"]).unwrap(), [0, 1, 2, 3, 5, 7]);
}
