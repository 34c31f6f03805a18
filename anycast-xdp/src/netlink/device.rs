//! What a device's driver can do with XDP: the `netdev` family of generic netlink (Linux 6.3).
//!
//! Two questions of a few bytes (`linux/genetlink.h`, `linux/netdev.h`) over the socket that is there: less than a crate
//! for them would be.

use std::io;

use netlink_packet_core::{Emitable, NlasIterator, parse_u16, parse_u64};

use super::socket::{AskError, Requests};

const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
/// `struct genlmsghdr`: command, version, reserved.
const HEADER_BYTES: usize = 4;

/// What a driver can do with XDP (`enum netdev_xdp_act`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XdpFeatures(pub u64);

impl XdpFeatures {
    /// Runs programs natively.
    pub const BASIC: Self = Self(1);
    /// Takes frames that other devices redirect to it (`ndo_xdp_xmit`), as it stands now.
    pub const NDO_XMIT: Self = Self(4);
    /// Receives frames of several buffers.
    pub const RX_SG: Self = Self(32);
    /// Takes redirected frames of several buffers.
    pub const NDO_XMIT_SG: Self = Self(64);

    const WORDS: [(u64, &'static str); 7] = [
        (Self::BASIC.0, "basic"),
        (2, "redirect"),
        (Self::NDO_XMIT.0, "ndo-xmit"),
        (8, "xsk-zerocopy"),
        (16, "hw-offload"),
        (Self::RX_SG.0, "rx-sg"),
        (Self::NDO_XMIT_SG.0, "ndo-xmit-sg"),
    ];

    /// Whether all of `wanted` is there.
    pub const fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// By the kernel's own names.
    pub fn words(self) -> Vec<&'static str> {
        Self::WORDS.into_iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, word)| word).collect()
    }
}

/// Asks the family; made once for all devices.
pub struct Devices {
    requests: Requests,
    family: u16,
}

impl Devices {
    /// Looks the family up; `None`: a kernel without it.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn open() -> io::Result<Option<Self>> {
        let mut requests = Requests::open_generic()?;
        let question = Question { command: CTRL_CMD_GETFAMILY, attribute: CTRL_ATTR_FAMILY_NAME, value: b"netdev\0" };
        let id = ask(&mut requests, GENL_ID_CTRL, &question, CTRL_ATTR_FAMILY_ID)?;
        Ok(id.and_then(|value| parse_u16(&value).ok()).map(|family| Self { requests, family }))
    }

    /// What the driver of a device can; `None`: the kernel does not tell.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn xdp_features(&mut self, ifindex: u32) -> io::Result<Option<XdpFeatures>> {
        let ifindex = ifindex.to_ne_bytes();
        let question = Question { command: NETDEV_CMD_DEV_GET, attribute: NETDEV_A_DEV_IFINDEX, value: &ifindex };
        let features = ask(&mut self.requests, self.family, &question, NETDEV_A_DEV_XDP_FEATURES)?;
        Ok(features.and_then(|value| parse_u64(&value).ok()).map(XdpFeatures))
    }
}

/// A command with one attribute.
struct Question<'a> {
    command: u8,
    attribute: u16,
    value: &'a [u8],
}

impl Emitable for Question<'_> {
    fn buffer_len(&self) -> usize {
        HEADER_BYTES + 4 + self.value.len().next_multiple_of(4)
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.fill(0);
        let length = 4 + self.value.len();
        (buffer[0], buffer[1]) = (self.command, 1);
        buffer[4..6].copy_from_slice(&(length as u16).to_ne_bytes());
        buffer[6..8].copy_from_slice(&self.attribute.to_ne_bytes());
        buffer[8..8 + self.value.len()].copy_from_slice(self.value);
    }
}

/// One attribute of the answer; `None`: the kernel refuses, or leaves it out.
fn ask(requests: &mut Requests, family: u16, question: &Question<'_>, wanted: u16) -> io::Result<Option<Vec<u8>>> {
    let mut found = None;
    let asked = requests.ask(family, 0, question, |kind, payload| {
        let attributes = payload.get(HEADER_BYTES..).filter(|_| kind == family).unwrap_or_default();
        let mut attributes = NlasIterator::new(attributes).flatten();
        found = attributes.find(|nla| nla.kind() == wanted).map(|nla| nla.value().to_vec()).or(found.take());
    });
    match asked {
        Ok(()) => Ok(found),
        Err(AskError::Refused(_)) => Ok(None),
        Err(AskError::Socket(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_is_header_attribute_and_padding() {
        let question = Question { command: 3, attribute: 2, value: b"netdev\0" };
        let mut bytes = vec![0xaa; question.buffer_len()];
        question.emit(&mut bytes);
        assert_eq!(bytes, [&[3, 1, 0, 0, 11, 0, 2, 0][..], b"netdev\0\0"].concat());
    }

    #[test]
    fn features_are_told_by_the_kernels_names() {
        let features = XdpFeatures(XdpFeatures::BASIC.0 | XdpFeatures::NDO_XMIT.0);
        assert_eq!(features.words(), ["basic", "ndo-xmit"]);
        assert!(features.has(XdpFeatures::BASIC) && !features.has(XdpFeatures::RX_SG));
    }

    #[test]
    fn loopback_has_no_native_xdp() {
        // Kernels before 6.3 have no family to ask.
        if let Some(mut devices) = Devices::open().unwrap() {
            let features = devices.xdp_features(1).unwrap().unwrap_or_default();
            assert!(!features.has(XdpFeatures::BASIC), "{features:?}");
        }
    }
}
