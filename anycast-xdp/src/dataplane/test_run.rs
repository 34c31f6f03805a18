//! Running a loaded program on one frame, by `BPF_PROG_TEST_RUN`: nothing is sent, and nothing reaches the host's stack.

use std::ops::Range;

use aya::{
    TestRun as _, TestRunOptions,
    programs::{ProgramError, SchedClassifier, Xdp},
};

/// What a frame grows by at most: an answer's headers, an outer header with a tag, and a little more.
const GROWTH_BYTES: usize = 128;

/// A frame for a program.
#[derive(Clone, Copy, Debug, Default)]
pub struct TestFrame<'a> {
    /// Ethernet header and all that follows; at least 14 bytes.
    pub bytes: &'a [u8],
    /// Interface that it comes in by, or leaves by where the program is at an egress; it must be there.
    pub ingress_ifindex: u32,
    /// Bytes of metadata in front of it, which take from its headroom.
    pub metadata_bytes: usize,
    /// Bytes of it in the linear part, for programs whose frames may have fragments; `None`: all.
    pub linear_bytes: Option<usize>,
}

/// `struct xdp_md` (include/uapi/linux/bpf.h), as a test run takes it: offsets into the data that is given.
#[derive(Clone, Copy, Default)]
struct Context {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

impl Context {
    const BYTES: usize = 24;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let words =
            [self.data, self.data_end, self.data_meta, self.ingress_ifindex, self.rx_queue_index, self.egress_ifindex];
        std::array::from_fn(|at| words[at / 4].to_ne_bytes()[at % 4])
    }
}

/// The action, and the frame as the program leaves it.
///
/// # Errors
///
/// Whatever the kernel refuses: a frame that is too long or too short, for one.
pub fn test_run(program: &Xdp, frame: TestFrame<'_>) -> Result<(u32, Vec<u8>), ProgramError> {
    let mut data = vec![0; frame.metadata_bytes];
    data.extend(frame.bytes);
    let linear_bytes = frame.linear_bytes.unwrap_or(frame.bytes.len()).min(frame.bytes.len());
    let context = Context {
        data: frame.metadata_bytes as u32,
        data_end: (frame.metadata_bytes + linear_bytes) as u32,
        ingress_ifindex: frame.ingress_ifindex,
        ..Context::default()
    };
    let mut context_after = [0; Context::BYTES];
    let mut data_after = vec![0; data.len() + GROWTH_BYTES];
    let result = program.test_run(TestRunOptions {
        data_in: Some(&data),
        data_out: Some(&mut data_after),
        ctx_in: Some(&context.to_bytes()),
        ctx_out: Some(&mut context_after),
        ..TestRunOptions::default()
    })?;
    // What comes out begins with the metadata; the context says where the frame begins.
    let [a, b, c, d, ..] = context_after;
    let begin = u32::from_ne_bytes([a, b, c, d]) as usize;
    Ok((result.return_value, data_after[begin..result.data_size_out as usize].to_vec()))
}

/// Bytes of `struct __sk_buff` (include/uapi/linux/bpf.h) up to `hwtstamp`, and where its `ifindex` is.
const SKB_BYTES: usize = 192;
const SKB_IFINDEX: Range<usize> = 40..44;

/// The same for a classifier: the frame is that of a buffer of the stack, in one piece, on its way out.
///
/// # Errors
///
/// Whatever the kernel refuses: a frame that does not fit a page, for one.
pub fn test_run_classifier(program: &SchedClassifier, frame: TestFrame<'_>) -> Result<(u32, Vec<u8>), ProgramError> {
    // Of the rest little may be set (`convert___skb_to_skb`, net/bpf/test_run.c), and nothing need be.
    let mut context = [0; SKB_BYTES];
    context[SKB_IFINDEX].copy_from_slice(&frame.ingress_ifindex.to_ne_bytes());
    let mut data_after = vec![0; frame.bytes.len() + GROWTH_BYTES];
    let result = program.test_run(TestRunOptions {
        data_in: Some(frame.bytes),
        data_out: Some(&mut data_after),
        ctx_in: Some(&context),
        ..TestRunOptions::default()
    })?;
    data_after.truncate(result.data_size_out as usize);
    Ok((result.return_value, data_after))
}
