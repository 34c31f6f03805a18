//! Access to packet memory: the only file that follows packet pointers.
//!
//! Every read and write is checked against the end of the frame by the same pattern, which is the one that the
//! kernel's verifier recognises: `base + offset + length > end`.
//!
//! Loads and stores wider than a byte are plain dereferences. Packet fields are not aligned, but the kernel allows
//! unaligned packet access on every machine it runs XDP natively on, and `read_unaligned` would be split into
//! single bytes on this target.

use aya_ebpf::{
    bindings::xdp_md,
    helpers::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len},
    programs::{TcContext, XdpContext},
};

/// Where the frames of a program may lie.
pub trait Frames {
    /// Not only in the linear part.
    const FRAGMENTED: bool;
}

/// Wholly in the linear part.
pub struct Linear;

/// In the linear part and, if they are longer, in fragments (`xdp.frags`).
pub struct Fragmented;

impl Frames for Linear {
    const FRAGMENTED: bool = false;
}

impl Frames for Fragmented {
    const FRAGMENTED: bool = true;
}

/// A position in a frame and the end of the frame's linear part, which is all that can be read. Lives no longer than the
/// next `adjust_head`.
#[derive(Clone, Copy)]
pub struct Cursor {
    base: usize,
    end: usize,
    /// Where to ask how much of the frame is in fragments. The constant `None` where frames are linear, so that it costs
    /// nothing there; elsewhere it is asked when the linear part does not suffice, because that takes 10 ns.
    fragments: Option<*mut xdp_md>,
}

impl Cursor {
    /// At the first byte of the frame, with its length.
    #[inline(always)]
    pub fn of_frame<F: Frames>(ctx: &XdpContext) -> Self {
        Self::new(ctx).of_frames::<F>(ctx)
    }

    /// The same position, in a frame of this kind.
    #[inline(always)]
    pub fn of_frames<F: Frames>(self, ctx: &XdpContext) -> Self {
        Self { fragments: F::FRAGMENTED.then_some(ctx.ctx), ..self }
    }

    /// At the first byte of the frame, for who does not ask how long it is.
    #[inline(always)]
    pub fn new(ctx: &XdpContext) -> Self {
        Self { base: ctx.data(), end: ctx.data_end(), fragments: None }
    }

    /// At the first byte of a socket buffer's linear part.
    #[inline(always)]
    pub fn of_skb(ctx: &TcContext) -> Self {
        Self { base: ctx.data(), end: ctx.data_end(), fragments: None }
    }

    /// The same, for functions that keep so much that LLVM puts it on the stack: there it would put only the 32 bits that
    /// the context shows of each pointer, which the verifier refuses. Read by instructions of our own, they have 64.
    #[inline(always)]
    pub fn spillable(ctx: &XdpContext) -> Self {
        #[cfg(target_arch = "bpf")]
        {
            let (base, end);
            // SAFETY: `data` and `data_end` are the first two words of `struct xdp_md`, which the verifier widens.
            unsafe {
                core::arch::asm!(
                    "r3 = *(u32 *)(r1 + 0)", "r4 = *(u32 *)(r1 + 4)",
                    in("r1") ctx.ctx, out("r3") base, out("r4") end,
                    options(nostack, preserves_flags),
                );
            }
            Self { base, end, fragments: None }
        }
        #[cfg(not(target_arch = "bpf"))]
        Self::new(ctx)
    }

    /// Further on in the same frame. `offset` stays below 64 KiB, the verifier's bound for packet offsets.
    #[inline(always)]
    pub fn skip(self, offset: usize) -> Self {
        Self { base: opaque(self.base + offset), ..self }
    }

    /// The same for an offset that is a constant, which the compiler may then add to others.
    #[inline(always)]
    pub fn skip_constant(self, offset: usize) -> Self {
        Self { base: self.base + offset, ..self }
    }

    /// Bytes from here to the end of the frame.
    #[inline(always)]
    pub fn remaining(self) -> usize {
        let linear = self.end - opaque(self.base);
        match self.fragments {
            None => linear,
            Some(ctx) => linear + bytes_in_fragments(ctx),
        }
    }

    /// Are there `length` bytes from here to the end of the frame?
    #[inline(always)]
    pub fn holds(self, length: usize) -> bool {
        self.base + length <= self.end || (self.fragments.is_some() && length <= self.remaining())
    }

    /// The next `N` bytes as a window, if the linear part has them.
    #[inline(always)]
    pub fn window<const N: usize>(self) -> Option<Window<N>> {
        if self.base + N > self.end { None } else { Some(Window { base: self.base }) }
    }
}

/// Bytes of the frame that lie in fragments.
#[inline(always)]
fn bytes_in_fragments(ctx: *mut xdp_md) -> usize {
    // SAFETY: the context is the one that the kernel gave to this program.
    let whole = unsafe { bpf_xdp_get_buff_len(ctx) } as usize;
    let ctx = XdpContext::new(ctx);
    // Opaque, because the verifier refuses sums of a number and the pointer to the end.
    opaque(whole - opaque(ctx.data_end() - ctx.data()))
}

/// The same address, as one that the compiler knows nothing of.
///
/// It would otherwise compute `start + offset + length` in a different order for the check than for the access, and the
/// verifier takes sums with a variable part for different pointers unless they come from one register. It would also
/// believe the initial value of a global that the loader rewrites. The template is empty and the register a fixed one,
/// because LLVM emits line information for any other, which the kernel refuses where there is no instruction.
#[inline(always)]
pub fn opaque(mut address: usize) -> usize {
    #[cfg(target_arch = "bpf")]
    // SAFETY: no instruction, so the register keeps its value.
    unsafe {
        core::arch::asm!("", inout("r5") address, options(pure, nomem, nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        address = core::hint::black_box(address);
    }
    address
}

/// `N` bytes that are known to lie within the frame.
#[derive(Clone, Copy)]
pub struct Window<const N: usize> {
    base: usize,
}

impl<const N: usize> Window<N> {
    #[inline(always)]
    fn load<T: Copy, const AT: usize>(self) -> T {
        const { assert!(AT + size_of::<T>() <= N) };
        // SAFETY: the window lies within the frame and the assertion keeps the access within the window; see the
        // module comment for alignment.
        unsafe { *((self.base + AT) as *const T) }
    }

    #[inline(always)]
    fn store<T: Copy, const AT: usize>(self, value: T) {
        const { assert!(AT + size_of::<T>() <= N) };
        // SAFETY: as in `load`; frames are writable for XDP programs.
        unsafe { *((self.base + AT) as *mut T) = value }
    }

    /// The `M` bytes of it that begin at `at`. The place is a constant wherever this is used, so the check leaves no code.
    #[inline(always)]
    pub fn part<const M: usize>(self, at: usize) -> Window<M> {
        assert!(at + M <= N);
        Window { base: self.base + at }
    }

    /// The byte at `AT`.
    #[inline(always)]
    pub fn u8<const AT: usize>(self) -> u8 {
        self.load::<u8, AT>()
    }

    /// The 16-bit number in wire order at `AT`.
    #[inline(always)]
    pub fn be16<const AT: usize>(self) -> u16 {
        u16::from_be(self.load::<u16, AT>())
    }

    /// The length in wire order at `AT`, as a number that may be added to a packet pointer: kernels before 6.18 take the
    /// result of a byte swap for any 64-bit number unless it is masked.
    #[inline(always)]
    pub fn length<const AT: usize>(self) -> usize {
        opaque(self.be16::<AT>() as usize) & 0xffff
    }

    /// The 16-bit word at `AT` as it lies in memory, for checksum arithmetic.
    #[inline(always)]
    pub fn ne16<const AT: usize>(self) -> u16 {
        self.load::<u16, AT>()
    }

    /// The four bytes at `AT`, read at once.
    #[inline(always)]
    pub fn bytes4<const AT: usize>(self) -> [u8; 4] {
        self.load::<u32, AT>().to_ne_bytes()
    }

    /// The four bytes at `AT` as they lie in memory. Arrays of bytes would be taken apart and put together again.
    #[inline(always)]
    pub fn word<const AT: usize>(self) -> u32 {
        self.load::<u32, AT>()
    }

    /// The 16 bytes at `AT` as words.
    #[inline(always)]
    pub fn words<const AT: usize>(self) -> [u32; 4] {
        self.load::<[u32; 4], AT>()
    }

    /// Stores a byte at `AT`.
    #[inline(always)]
    pub fn set_u8<const AT: usize>(self, value: u8) {
        self.store::<u8, AT>(value);
    }

    /// Stores a half word at `AT` as it lies in memory.
    #[inline(always)]
    pub fn set_ne16<const AT: usize>(self, value: u16) {
        self.store::<u16, AT>(value);
    }

    /// Stores a word at `AT` as it lies in memory.
    #[inline(always)]
    pub fn set_word<const AT: usize>(self, value: u32) {
        self.store::<u32, AT>(value);
    }

    /// Stores four bytes at `AT` at once.
    #[inline(always)]
    pub fn set_bytes4<const AT: usize>(self, value: [u8; 4]) {
        self.store::<u32, AT>(u32::from_ne_bytes(value));
    }

    /// Stores 16 bytes at `AT` as they lie in memory.
    #[inline(always)]
    pub fn set_words<const AT: usize>(self, value: [u32; 4]) {
        self.store::<[u32; 4], AT>(value);
    }

    /// Stores eight bytes at `AT` at once.
    #[inline(always)]
    pub fn set_u64<const AT: usize>(self, value: u64) {
        self.store::<u64, AT>(value);
    }
}

/// Moves the start of the frame: `grow` bytes toward the front (negative: toward the end). Every cursor is void after it.
#[inline(always)]
pub fn adjust_head(ctx: &XdpContext, grow: i32) -> Result<(), ()> {
    // SAFETY: the context is the one that the kernel gave to this program.
    if unsafe { bpf_xdp_adjust_head(ctx.ctx, -grow) } == 0 { Ok(()) } else { Err(()) }
}

/// Moves the end of the frame: `grow` bytes further (negative: toward the front). Every cursor is void after it.
#[inline(always)]
pub fn adjust_tail(ctx: &XdpContext, grow: i32) -> Result<(), ()> {
    // SAFETY: the context is the one that the kernel gave to this program.
    if unsafe { bpf_xdp_adjust_tail(ctx.ctx, grow) } == 0 { Ok(()) } else { Err(()) }
}
