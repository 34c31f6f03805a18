//! What a program meets.

use super::{Family, Program};

/// A packet and where it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Which program it meets.
    pub program: Program,
    /// Kernel index of the interface that it came in by.
    pub ingress_ifindex: u32,
    /// The driver has room in front of the frame for an outer header.
    pub headroom: bool,
    /// `None`: the frame is in one piece, and meets the variant of the program for such frames. Else the variant that takes
    /// fragments: so many bytes are in the linear part, if the frame is as long, and the rest in fragments.
    pub linear_bytes: Option<usize>,
    /// Of a frame that meets [`Program::Probe`]: the mark in the place of its Ethernet source address, which the frame
    /// itself does not have.
    pub mark: Option<Mark>,
    /// Of a frame that is leaving by [`Program::GatewayReturn`].
    pub buffer: Buffer,
    /// From the first byte of the Ethernet header on.
    pub frame: Vec<u8>,
}

/// Which backend a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Position of a pool, and of a backend in it.
    Of(usize, usize),
    /// An index that no backend has.
    Nobody(u32),
}

/// What a socket buffer has beside the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffer {
    /// Payload bytes of the segments that the frame is to be cut into; 0: it is sent as it is.
    pub segment_bytes: u16,
    /// The tag that the frame is to have.
    pub vlan_tci: Option<u16>,
    /// It is as the stack makes them: segments have a type, and tags are seen afterwards. Those of test runs have no type,
    /// without which the kernel makes no room in front of segments, and no tags (`convert___skb_to_skb`, net/bpf/test_run.c).
    pub is_of_stack: bool,
}

impl Buffer {
    /// The frame as it is seen, with this tag beside it.
    #[must_use]
    pub fn seen(self, mut frame: Vec<u8>, vlan_tci: Option<u16>) -> Vec<u8> {
        if let Some(tci) = vlan_tci.filter(|_| self.is_of_stack) {
            frame.splice(12..12, [[0x81, 0x00], tci.to_be_bytes()].concat());
        }
        frame
    }
}

impl Input {
    /// A frame in one piece, with room in front of it.
    pub fn new(program: Program, ingress_ifindex: u32, frame: Vec<u8>) -> Self {
        Self {
            program,
            ingress_ifindex,
            headroom: true,
            linear_bytes: None,
            mark: None,
            buffer: Buffer::default(),
            frame,
        }
    }

    /// Bytes of the shortest frame that a test run takes: an Ethernet header. As a socket buffer it takes no empty packet, and
    /// from Linux 6.18 on none that ends within an IP header.
    pub fn frame_bytes_min(&self) -> usize {
        match self.program {
            Program::GatewayReturn if self.buffer.is_of_stack => 14 + 1,
            Program::GatewayReturn => 14 + Family::V6.header_bytes(),
            Program::Pop | Program::Backbone | Program::OneArm | Program::Probe | Program::Gateway => 14,
        }
    }

    /// Bytes that a program can read.
    pub fn readable_bytes(&self) -> usize {
        self.linear_bytes.map_or(self.frame.len(), |linear_bytes| linear_bytes.min(self.frame.len()))
    }
}
