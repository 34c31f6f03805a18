//! Classifiers by `BPF_PROG_TEST_RUN`, and what they give in terms of XDP.

use anyhow::{Result, bail};
use aya::{
    TestRun as _, TestRunOptions,
    programs::{ProgramError, SchedClassifier},
};

use crate::oracle::model::{Action, Input};

/// What a packet grows by at most: an outer header.
const GROWTH_BYTES: usize = 64;
/// Fields of `struct __sk_buff` (include/uapi/linux/bpf.h); what is behind them may be left out, and is zero.
const IFINDEX_AT: usize = 40;
const GSO_SIZE_AT: usize = 176;

const TC_ACT_UNSPEC: i32 = -1;
const TC_ACT_SHOT: i32 = 2;
const TC_ACT_REDIRECT: i32 = 7;

/// Runs the program on a frame that is leaving by the interface of the input: its action, and the frame afterwards. Checksums
/// of the frame are as they are in it, none is left to the device; a tag that the program adds is beside the frame and not seen.
pub(super) fn run(program: &SchedClassifier, input: &Input) -> Result<(i32, Vec<u8>), ProgramError> {
    assert!(!input.buffer.is_of_stack && input.buffer.vlan_tci.is_none(), "a test run has no such buffers");
    let mut context = [0; GSO_SIZE_AT + 4];
    context[IFINDEX_AT..][..4].copy_from_slice(&input.ingress_ifindex.to_ne_bytes());
    context[GSO_SIZE_AT..].copy_from_slice(&u32::from(input.buffer.segment_bytes).to_ne_bytes());
    let mut after = vec![0; input.frame.len() + GROWTH_BYTES];
    let result = program.test_run(TestRunOptions {
        data_in: Some(&input.frame),
        data_out: Some(&mut after),
        ctx_in: Some(&context),
        ..TestRunOptions::default()
    })?;
    after.truncate(result.data_size_out as usize);
    Ok((result.return_value.cast_signed(), after))
}

/// What the frame would meet under XDP. One that is left alone and one that leaves by the interface that it was leaving by
/// are passed.
pub(in crate::oracle) fn action(action: i32) -> Result<u32> {
    Ok(match action {
        TC_ACT_UNSPEC => Action::Pass as u32,
        TC_ACT_SHOT => Action::Drop as u32,
        TC_ACT_REDIRECT => Action::Redirect as u32,
        other => bail!("the program gives the action {other}"),
    })
}

/// What became of the frame of an input, in terms that the model has: see [`without_flow_hash`].
pub(in crate::oracle) fn comparable(frame: Vec<u8>, input: &Input) -> Vec<u8> {
    let is_wrapped = frame.len() > input.frame.len();
    if is_wrapped { without_flow_hash(frame) } else { frame }
}

/// A frame that the program wrapped, without what it took from the kernel's flow hash, whose key nobody knows: an IPv6
/// flow label of 0, and the first of the dynamic ports as source of GUE. Ports that are none of those stay.
fn without_flow_hash(mut frame: Vec<u8>) -> Vec<u8> {
    let protocol = match frame.get(12..14) {
        Some([0x08, 0x00]) => (frame.get(23).copied(), 34),
        Some([0x86, 0xdd]) => {
            frame[15] &= 0xf0;
            frame[16..18].fill(0);
            (frame.get(20).copied(), 54)
        }
        _ => (None, 0),
    };
    if let (Some(17), at) = protocol
        && let Some([high, low]) = frame.get_mut(at..at + 2)
        && *high >= 0xc0
    {
        *high = 0xc0;
        *low = 0;
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;

    #[test]
    fn flow_hash_goes_and_all_else_stays() {
        for (source, destination) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
            let gue = |label, port| {
                let packet = Packet::from_to(source, destination).dscp_ecn(0xff).flow_label(label);
                packet.udp_without_checksum(port, 6080).payload([1, 2, 3]).build()
            };
            assert_eq!(without_flow_hash(gue(0xf_ffff, 0xffff)), gue(0, 0xc000));
            assert_eq!(without_flow_hash(gue(0xf_ffff, 0xbfff)), gue(0, 0xbfff));
        }
    }
}
