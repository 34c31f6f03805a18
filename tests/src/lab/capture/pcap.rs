//! Writes the classic pcap format (draft-ietf-opsawg-pcap), with nanosecond time stamps.

use std::io::Write;

use anyhow::Result;

/// Says that time stamps are in nanoseconds, and by its byte order that the fields are native.
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
/// `LINKTYPE_ETHERNET`.
const LINK_TYPE_ETHERNET: u32 = 1;
const SNAP_BYTES: u32 = 1 << 18;

/// A capture file in the making.
pub(super) struct PcapWriter<W>(W);

impl<W: Write> PcapWriter<W> {
    /// Writes the file header.
    pub fn new(mut output: W) -> Result<Self> {
        output.write_all(&MAGIC_NANOSECONDS.to_ne_bytes())?;
        output.write_all(&[2u16.to_ne_bytes(), 4u16.to_ne_bytes()].concat())?;
        // Two reserved fields, then the longest frame and what it begins with.
        for field in [0, 0, SNAP_BYTES, LINK_TYPE_ETHERNET] {
            output.write_all(&field.to_ne_bytes())?;
        }
        Ok(Self(output))
    }

    /// Writes a frame; `arrival_ns` counts from 1970.
    pub fn write(&mut self, frame: &[u8], arrival_ns: u64) -> Result<()> {
        let (secs, ns) = (arrival_ns / 1_000_000_000, arrival_ns % 1_000_000_000);
        let len = frame.len() as u32;
        for field in [secs as u32, ns as u32, len, len] {
            self.0.write_all(&field.to_ne_bytes())?;
        }
        Ok(self.0.write_all(frame)?)
    }

    /// Writes what is still buffered.
    pub fn finish(mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }
}
