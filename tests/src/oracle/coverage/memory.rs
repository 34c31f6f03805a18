//! The addresses of one run. An address is a region in its upper half and an offset in its lower: differences and
//! comparisons within a region are those of the kernel, and nothing leads from one region into another.

use anyhow::{Context as _, Result, bail};

use super::maps::Value;
use crate::oracle::{
    kernel::LINEAR_BYTES,
    model::{Buffer, Input, Program},
};

/// `struct xdp_md`, or `struct __sk_buff`.
pub(super) const CONTEXT: u64 = 1 << 32;
/// The frame with the room around it.
const PACKET: u64 = 2 << 32;
/// Handles of maps: the offset is the map's position in the object.
pub(super) const MAP: u64 = 3 << 32;
/// The frames of all calls, one behind the other.
const STACK: u64 = 4 << 32;
/// Map values, a region each.
const VALUES: u64 = 5;

/// `MAX_BPF_STACK` and `MAX_CALL_FRAMES` of the kernel.
const FRAME_BYTES: usize = 512;
pub(super) const CALLS_MAX: usize = 8;

/// `XDP_PACKET_HEADROOM`, of which the kernel keeps `sizeof(struct xdp_frame)`.
const HEADROOM_BYTES: usize = 256;
const XDP_FRAME_BYTES: usize = 40;
const ETHERNET_BYTES: usize = 14;
/// What nobody wrote: a program that reads it, or leaves it in a frame, shows.
const UNWRITTEN: u8 = 0xa5;

/// Everything that a program can reach.
pub(super) struct Memory {
    /// The fragments lie behind the linear part, as helpers count: to the program they are out of reach.
    pub(super) packet: Vec<u8>,
    pub(super) data: usize,
    /// Where the linear part ends.
    pub(super) data_end: usize,
    /// Where the fragments end, if there are any.
    pub(super) frame_end: usize,
    /// Where `data` may go at most.
    data_min: usize,
    pub(super) ingress_ifindex: u32,
    /// What the frame has beside it, in a socket buffer.
    pub buffer: Buffer,
    is_skb: bool,
    stack: [u8; FRAME_BYTES * CALLS_MAX],
    /// Map values that were looked up.
    pub values: Vec<Value>,
}

impl Memory {
    pub fn new(input: &Input) -> Self {
        let mut packet = vec![UNWRITTEN; HEADROOM_BYTES];
        packet.extend(&input.frame);
        let frame_end = packet.len();
        packet.resize(frame_end.max(HEADROOM_BYTES + LINEAR_BYTES), UNWRITTEN);
        let linear_bytes = input.linear_bytes.unwrap_or(input.frame.len()).min(input.frame.len());
        Self {
            packet,
            data: HEADROOM_BYTES,
            data_end: HEADROOM_BYTES + linear_bytes,
            frame_end,
            data_min: if input.headroom { XDP_FRAME_BYTES } else { HEADROOM_BYTES },
            ingress_ifindex: input.ingress_ifindex,
            buffer: input.buffer,
            is_skb: input.program == Program::GatewayReturn,
            stack: [UNWRITTEN; FRAME_BYTES * CALLS_MAX],
            values: Vec::new(),
        }
    }

    /// Where the stack of a call at this depth ends: its register 10.
    pub fn stack_end(depth: usize) -> u64 {
        STACK + (FRAME_BYTES * (depth + 1)) as u64
    }

    /// The address of a map value.
    pub fn value_address(position: usize) -> u64 {
        (VALUES + position as u64) << 32
    }

    /// The frame as it is now.
    pub fn frame(&self) -> &[u8] {
        &self.packet[self.data..self.frame_end]
    }

    /// `bpf_xdp_load_bytes`; `Ok(false)`: the frame ends before.
    pub fn load_bytes(&mut self, offset: usize, to: u64, len: usize) -> Result<bool> {
        let Some(bytes) = self.frame().get(offset..offset.saturating_add(len)).map(<[u8]>::to_vec) else {
            return Ok(false);
        };
        self.bytes_mut(to, len)?.copy_from_slice(&bytes);
        Ok(true)
    }

    /// `bpf_xdp_adjust_head`.
    pub fn adjust_head(&mut self, by: i32) -> bool {
        match self.data.checked_add_signed(by as isize) {
            Some(data) if data >= self.data_min && data + ETHERNET_BYTES <= self.data_end => {
                self.data = data;
                true
            }
            _ => false,
        }
    }

    /// `bpf_xdp_adjust_tail`: what comes in is zero. Fragments shrink before the linear part, and those of a test run do not
    /// grow.
    pub fn adjust_tail(&mut self, by: i32) -> bool {
        let end = match self.frame_end.checked_add_signed(by as isize) {
            Some(end) if end >= self.data + ETHERNET_BYTES => end,
            _ => return false,
        };
        if end > self.frame_end {
            if self.frame_end > self.data_end || end > HEADROOM_BYTES + LINEAR_BYTES {
                return false;
            }
            self.packet[self.frame_end..end].fill(0);
            self.data_end = end;
        }
        self.frame_end = end;
        self.data_end = self.data_end.min(end);
        true
    }

    /// A load of 1, 2, 4 or 8 bytes.
    pub fn load(&self, address: u64, size_bytes: usize) -> Result<u64> {
        if address >> 32 == CONTEXT >> 32 {
            return self.context(address as u32, size_bytes);
        }
        let mut bytes = [0; 8];
        bytes[..size_bytes].copy_from_slice(self.bytes(address, size_bytes)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// A store of 1, 2, 4 or 8 bytes.
    pub fn store(&mut self, address: u64, size_bytes: usize, value: u64) -> Result<()> {
        self.bytes_mut(address, size_bytes)?.copy_from_slice(&value.to_le_bytes()[..size_bytes]);
        Ok(())
    }

    /// The kernel turns loads of 32-bit fields of the context into loads of whole pointers.
    fn context(&self, at: u32, size_bytes: usize) -> Result<u64> {
        if self.is_skb {
            return self.skb_context(at, size_bytes);
        }
        match (at, size_bytes) {
            // There is no metadata: `data_meta` is where the frame begins.
            (0 | 8, 4) => Ok(self.data_address()),
            (4, 4) => Ok(self.data_end_address()),
            (12, 4) => Ok(u64::from(self.ingress_ifindex)),
            _ => bail!("reads {size_bytes} bytes at {at} of the context"),
        }
    }

    /// Where the frame begins.
    pub(super) fn data_address(&self) -> u64 {
        PACKET + self.data as u64
    }

    /// Where its linear part ends.
    pub(super) fn data_end_address(&self) -> u64 {
        PACKET + self.data_end as u64
    }

    /// What lies at an address.
    pub fn bytes(&self, address: u64, len: usize) -> Result<&[u8]> {
        let (region, at) = (address >> 32 << 32, address as u32 as usize);
        let bytes = match region {
            PACKET if at >= self.data => self.packet.get(..self.data_end),
            STACK => Some(self.stack.as_slice()),
            _ => self.value(address).map(Value::visible),
        };
        bytes.and_then(|bytes| bytes.get(at..at.checked_add(len)?)).with_context(|| outside("reads", address, len))
    }

    /// The same for a helper that takes a null pointer where there are no bytes.
    pub fn bytes_or_null(&self, address: u64, len: usize) -> Result<&[u8]> {
        if len == 0 { Ok(&[]) } else { self.bytes(address, len) }
    }

    fn bytes_mut(&mut self, address: u64, len: usize) -> Result<&mut [u8]> {
        let (region, at) = (address >> 32 << 32, address as u32 as usize);
        let bytes = match region {
            PACKET if at >= self.data => self.packet.get_mut(..self.data_end),
            STACK => Some(self.stack.as_mut_slice()),
            _ => (address >> 32)
                .checked_sub(VALUES)
                .and_then(|position| self.values.get_mut(position as usize))
                .map(Value::visible_mut),
        };
        bytes.and_then(|bytes| bytes.get_mut(at..at.checked_add(len)?)).with_context(|| outside("writes", address, len))
    }

    fn value(&self, address: u64) -> Option<&Value> {
        self.values.get((address >> 32).checked_sub(VALUES)? as usize)
    }
}

fn outside(what: &str, address: u64, len: usize) -> String {
    format!("{what} {len} bytes at {address:#x}, outside of what it may reach")
}
