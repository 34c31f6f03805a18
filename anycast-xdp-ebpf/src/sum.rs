//! Checksums of packet bytes whose number is only known when a packet is there, by the kernel's helpers.

use aya_ebpf::{
    helpers::{bpf_csum_diff, bpf_xdp_load_bytes},
    programs::XdpContext,
};

use crate::packet::opaque;

/// Room for bytes of a packet that helpers are to read: a multiple of what kernels before 6.13 sum at once.
pub type Scratch = [u32; 3 * SUMMED_BYTES / 4];

/// Most bytes that `bpf_csum_diff` takes before 6.13.
const SUMMED_BYTES: usize = 512;

/// One's-complement sum of `length` bytes of the frame from `offset` on, as words that lie in memory. The length is only
/// known when it runs: summed in place, in a loop or in blocks, it would have the verifier walk every length there is.
#[inline(always)]
pub fn sum(ctx: &XdpContext, scratch: *mut Scratch, offset: usize, length: usize) -> Option<u32> {
    // One test for both ends, on a number that it bounds: older kernels take neither a length that may be 0 (6.12), nor
    // what the compiler makes of two tests (6.1).
    let last = opaque(length.wrapping_sub(1));
    if last > size_of::<Scratch>() - 5 {
        return None;
    }
    let length = last + 1;
    let bytes = scratch.cast::<u8>();
    // SAFETY: `length` and the word that it ends in lie within the buffer by the test above.
    let loaded = unsafe {
        // What the last word has beyond the length.
        scratch.cast::<u32>().add(length >> 2).write(0);
        bpf_xdp_load_bytes(ctx.ctx, offset as u32, bytes.cast(), length as u32)
    };
    if loaded != 0 {
        return None;
    }
    let mut sum = 0;
    let mut rest = (length + 3) & !3;
    for block in 0..size_of::<Scratch>() / SUMMED_BYTES {
        let size = opaque(if rest > SUMMED_BYTES { SUMMED_BYTES } else { rest }) & 0x3ff;
        if size > SUMMED_BYTES {
            return None;
        }
        // SAFETY: the block lies within the buffer, and `size` within the block. What is beyond the length was read for 0.
        let added = unsafe {
            let block = bytes.add(block * SUMMED_BYTES);
            bpf_csum_diff(core::ptr::null_mut(), 0, block.cast(), size as u32, sum)
        };
        sum = added.cast_unsigned() as u32;
        rest -= size;
    }
    Some(sum)
}
