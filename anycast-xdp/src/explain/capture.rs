//! Packets of a capture: pcap and pcapng, of Ethernet or of IP.

use std::io::Cursor;

use anycast_common::header::ETHERNET_BYTES;
use anyhow::{Context as _, Result, bail, ensure};
use pcap_file::{
    DataLink,
    pcap::PcapReader,
    pcapng::{Block, PcapNgReader},
};

use super::{Frame, packet};

/// A section header block begins a pcapng file.
const PCAPNG_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Bytes of the headers that captures on `any` have instead of Ethernet's.
const SLL_BYTES: usize = 16;
const SLL2_BYTES: usize = 20;

/// The packets of a capture file: all, or the one with this number, from 1.
///
/// # Errors
///
/// It is no capture, or broken, or of another kind of link, or has no such packet.
pub fn read(file: &[u8], wanted: Option<u32>) -> Result<Vec<Frame>> {
    let mut packets = Packets { wanted, count: 0, frames: Vec::new() };
    if file.starts_with(&PCAPNG_MAGIC) {
        packets.pcapng(file)?;
    } else {
        packets.pcap(file)?;
    }
    let Packets { count, frames, .. } = packets;
    ensure!(count > 0, "the capture is empty");
    if let (Some(wanted), true) = (wanted, frames.is_empty()) {
        bail!("the capture has no packet {wanted}: the last is {count}");
    }
    Ok(frames)
}

struct Packets {
    wanted: Option<u32>,
    count: u32,
    frames: Vec<Frame>,
}

impl Packets {
    fn pcap(&mut self, file: &[u8]) -> Result<()> {
        let mut reader = PcapReader::new(Cursor::new(file)).context("it is neither pcap nor pcapng")?;
        let link = reader.header().datalink;
        while let Some(packet) = reader.next_packet() {
            let packet = packet.with_context(|| format!("the capture is broken after packet {}", self.count))?;
            self.add(link, &packet.data, packet.orig_len)?;
        }
        Ok(())
    }

    fn pcapng(&mut self, file: &[u8]) -> Result<()> {
        let mut reader = PcapNgReader::new(Cursor::new(file)).context("it is no pcapng")?;
        loop {
            let (data, original, interface) = match reader.next_block() {
                None => return Ok(()),
                Some(Ok(Block::EnhancedPacket(packet))) => {
                    (packet.data.into_owned(), packet.original_len, packet.interface_id)
                }
                Some(Ok(Block::SimplePacket(packet))) => (packet.data.into_owned(), packet.original_len, 0),
                Some(Ok(Block::Packet(packet))) => {
                    (packet.data.into_owned(), packet.original_len, packet.interface_id.into())
                }
                Some(Ok(_)) => continue,
                Some(Err(error)) => {
                    return Err(error).with_context(|| format!("the capture is broken after packet {}", self.count));
                }
            };
            let interface = reader.interfaces().get(interface as usize);
            let link = interface.context("a packet is of an interface that the capture does not describe")?.linktype;
            self.add(link, &data, original)?;
        }
    }

    fn add(&mut self, link: DataLink, data: &[u8], original_bytes: u32) -> Result<()> {
        self.count += 1;
        if self.wanted.is_none_or(|wanted| wanted == self.count) {
            let frame = frame(self.count, link, data, original_bytes as usize);
            self.frames.push(frame.with_context(|| format!("packet {}", self.count))?);
        }
        Ok(())
    }
}

/// An Ethernet frame of a captured packet.
#[expect(clippy::wildcard_enum_match_arm, reason = "there are hundreds of link types")]
fn frame(number: u32, link: DataLink, data: &[u8], original_bytes: usize) -> Result<Frame> {
    let mut notes = Vec::new();
    let mut data = data.to_vec();
    if data.len() < original_bytes {
        notes
            .push(format!("the capture has {} of its {original_bytes} bytes; the rest is taken for zeros", data.len()));
        data.resize(original_bytes, 0);
    }
    let header_bytes = match link {
        DataLink::ETHERNET => {
            ensure!(data.len() >= ETHERNET_BYTES, "{} bytes are no Ethernet frame", data.len());
            return Ok(Frame { number, bytes: data, notes });
        }
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => 0,
        DataLink::LINUX_SLL => SLL_BYTES,
        DataLink::LINUX_SLL2 => SLL2_BYTES,
        other => bail!("it was captured on a link of kind {other:?}: neither Ethernet nor IP"),
    };
    let ip = data.get(header_bytes..).filter(|ip| !ip.is_empty()).context("it has no IP header")?;
    notes.push("the capture has no Ethernet header; one was added".to_owned());
    Ok(Frame { number, bytes: packet::frame(ip), notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pcap file of these packets: data, and bytes that there were.
    fn pcap(link: u32, packets: &[(&[u8], u32)]) -> Vec<u8> {
        let mut file = [0xa1b2_c3d4_u32.to_le_bytes(), [2, 0, 4, 0]].concat();
        file.extend([[0; 4], [0; 4], 65_535_u32.to_le_bytes(), link.to_le_bytes()].concat());
        for (data, original) in packets {
            file.extend([[0; 4], [0; 4], (data.len() as u32).to_le_bytes(), original.to_le_bytes()].concat());
            file.extend(*data);
        }
        file
    }

    /// A pcapng file with one Ethernet interface and one packet.
    fn pcapng(data: &[u8]) -> Vec<u8> {
        let word = |value: usize| (value as u32).to_le_bytes();
        let section =
            [word(0x0a0d_0d0a), word(28), word(0x1a2b_3c4d), [1, 0, 0, 0], [0xff; 4], [0xff; 4], word(28)].concat();
        let interface = [word(1), word(20), [1, 0, 0, 0], word(65_535), word(20)].concat();
        let padded = data.len().next_multiple_of(4);
        let mut packet =
            [word(6), word(32 + padded), word(0), word(0), word(0), word(data.len()), word(data.len())].concat();
        packet.extend(data);
        packet.resize(28 + padded, 0);
        packet.extend(word(32 + padded));
        [section, interface, packet].concat()
    }

    #[test]
    fn packets_of_both_formats_are_read_by_number() {
        let (first, second) = ([1; 60], [2; 61]);
        let file = pcap(1, &[(&first, 60), (&second, 61)]);
        let all = read(&file, None).expect("two packets");
        assert_eq!(all.iter().map(|frame| (frame.number, frame.bytes.len())).collect::<Vec<_>>(), [(1, 60), (2, 61)]);
        assert_eq!(read(&file, Some(2)).expect("the second"), all[1..]);
        let frames = read(&pcapng(&second), None).expect("a packet");
        assert_eq!(frames, [Frame { number: 1, bytes: second.to_vec(), notes: Vec::new() }]);
    }

    #[test]
    fn cut_packets_are_filled_and_ip_gets_an_ethernet_header() {
        let frames = read(&pcap(101, &[(&[0x60, 1, 2], 5)]), None).expect("a packet");
        assert_eq!(frames[0].bytes[12..], [0x86, 0xdd, 0x60, 1, 2, 0, 0]);
        assert_eq!(frames[0].notes.len(), 2);
        let cooked = [[0; SLL_BYTES].as_slice(), &[0x45, 9]].concat();
        assert_eq!(read(&pcap(113, &[(&cooked, 18)]), None).expect("a packet")[0].bytes[12..], [8, 0, 0x45, 9]);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let told = |file: &[u8], wanted| format!("{:#}", read(file, wanted).expect_err("an error"));
        assert!(told(b"not a capture at all, but text", None).starts_with("it is neither pcap nor pcapng"));
        assert_eq!(told(&pcap(1, &[]), None), "the capture is empty");
        assert_eq!(told(&pcap(1, &[(&[0; 60], 60)]), Some(4)), "the capture has no packet 4: the last is 1");
        let radio = told(&pcap(105, &[(&[0; 60], 60)]), None);
        assert_eq!(radio, "packet 1: it was captured on a link of kind IEEE802_11: neither Ethernet nor IP");
        assert_eq!(told(&pcap(1, &[(&[0; 9], 9)]), None), "packet 1: 9 bytes are no Ethernet frame");
    }
}
