//! Socket buffers: their context, and the helpers that change them.

use anyhow::{Result, bail, ensure};

use super::memory::Memory;

const TCP: u8 = 6;
/// Flag of `bpf_skb_adjust_room` (include/uapi/linux/bpf.h): segments keep their length.
const FIXED_GSO: u64 = 1;
/// Mode of it: behind the Ethernet header.
const ROOM_MAC: u32 = 1;
const ETHERNET_BYTES: usize = 14;

impl Memory {
    /// The fields of `struct __sk_buff` that programs read.
    pub(super) fn skb_context(&self, at: u32, size_bytes: usize) -> Result<u64> {
        ensure!(size_bytes == 4, "reads {size_bytes} bytes at {at} of the context");
        Ok(match at {
            0 => self.frame().len() as u64,
            // In wire order, as it lies in memory.
            16 => u16::from_ne_bytes([self.frame()[12], self.frame()[13]]).into(),
            20 => self.buffer.vlan_tci.is_some().into(),
            40 => self.ingress_ifindex.into(),
            76 => self.data_address(),
            80 => self.data_end_address(),
            176 => self.buffer.segment_bytes.into(),
            _ => bail!("reads the field at {at} of struct __sk_buff"),
        })
    }

    /// `bpf_skb_pull_data`: so many bytes become the linear part, if it is shorter.
    pub(super) fn pull_data(&mut self, bytes: usize) -> bool {
        let end = self.data + bytes;
        let is_there = end <= self.frame_end;
        if is_there {
            self.data_end = self.data_end.max(end);
        }
        is_there
    }

    /// `bpf_skb_store_bytes`.
    pub(super) fn store_skb(&mut self, offset: usize, from: u64, len: usize) -> Result<bool> {
        let bytes = self.bytes(from, len)?.to_vec();
        let is_there = self.pull_data(offset + len);
        if is_there {
            self.packet[self.data + offset..][..len].copy_from_slice(&bytes);
        }
        Ok(is_there)
    }

    /// `bpf_l4_csum_replace` of a word in a buffer whose checksum is there: RFC 1624, in 32 bits (`csum_replace4`,
    /// include/net/checksum.h).
    pub(super) fn replace_checksum(&mut self, offset: usize, from: u32, to: u32) -> bool {
        if !self.pull_data(offset + 2) {
            return false;
        }
        let at = self.data + offset;
        let before = u16::from_ne_bytes([self.packet[at], self.packet[at + 1]]);
        let mut sum = u64::from(!u32::from(before)) + u64::from(!from) + u64::from(to);
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        self.packet[at..at + 2].copy_from_slice(&(!(sum as u16)).to_ne_bytes());
        true
    }

    /// `bpf_skb_change_tail`, which makes the frame shorter, linear, and one packet.
    pub(super) fn change_tail(&mut self, bytes: usize) -> Result<bool> {
        ensure!(bytes <= self.frame().len(), "a frame is made longer");
        self.frame_end = self.data + bytes;
        self.data_end = self.frame_end;
        self.buffer.segment_bytes = 0;
        Ok(true)
    }

    /// `bpf_skb_adjust_room`: room behind the Ethernet header. Segments are of TCP or of UDP, if they are of anything; those of
    /// UDP keep their length, or there is no room.
    pub(super) fn adjust_room(&mut self, grow: i32, mode: u32, flags: u64) -> Result<bool> {
        let room = usize::try_from(grow).ok().filter(|_| mode == ROOM_MAC);
        let Some(grow) = room else { bail!("room of {grow} bytes in mode {mode}") };
        let is_fixed = flags & FIXED_GSO != 0;
        if self.buffer.segment_bytes != 0 {
            if !self.buffer.is_of_stack || !is_fixed && !self.is_tcp() {
                return Ok(false);
            }
            if !is_fixed {
                self.buffer.segment_bytes -= grow as u16;
            }
        }
        let Some(data) = self.data.checked_sub(grow) else { bail!("no room of {grow} bytes") };
        self.packet.copy_within(self.data..self.data + ETHERNET_BYTES, data);
        self.data = data;
        Ok(true)
    }

    fn is_tcp(&self) -> bool {
        let packet = &self.frame()[ETHERNET_BYTES..];
        packet[if packet[0] >> 4 == 4 { 9 } else { 6 }] == TCP
    }

    /// `bpf_skb_vlan_push`: beside the frame, where there is none.
    pub(super) fn vlan_push(&mut self, vlan_tci: u16) -> Result<bool> {
        ensure!(self.buffer.vlan_tci.is_none(), "a second tag is pushed");
        self.buffer.vlan_tci = Some(vlan_tci);
        Ok(true)
    }

    /// `bpf_skb_vlan_pop`.
    pub(super) fn vlan_pop(&mut self) -> Result<bool> {
        ensure!(self.buffer.vlan_tci.take().is_some(), "a tag within the frame is popped");
        Ok(true)
    }

    /// `bpf_get_hash_recalc`: of bytes that make flows differ.
    pub(super) fn flow_hash(&self) -> u32 {
        self.frame().iter().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    }
}
