//! What a driver says of itself, by ioctl (include/uapi/linux/ethtool.h): `ethtool -S`, `-i`, `-k` and `-l`; and `-K`.

use std::{
    collections::BTreeMap,
    ffi::CString,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 0x3;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSTATS: u32 = 0x1d;
const ETHTOOL_GFEATURES: u32 = 0x3a;
const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_STSO: u32 = 0x1f;
const ETHTOOL_SGSO: u32 = 0x24;
const ETHTOOL_GCHANNELS: u32 = 0x3c;
const ETH_SS_STATS: u32 = 1;
const ETH_SS_FEATURES: u32 = 4;
const ETH_GSTRING_LEN: usize = 32;

/// Every statistic of an interface's driver, by its name.
///
/// # Errors
///
/// The kernel's, `EOPNOTSUPP` among them where a driver has none.
pub fn statistics(interface: &str) -> io::Result<BTreeMap<String, u64>> {
    let names = names(interface, ETH_SS_STATS)?;
    // `struct ethtool_stats`: cmd, n_stats, then the values.
    let mut values = request(ETHTOOL_GSTATS, 8 + names.len() * 8);
    values[4..8].copy_from_slice(&(names.len() as u32).to_ne_bytes());
    ioctl(interface, &mut values)?;
    let values = values[8..].chunks_exact(8).map(|value| value.try_into().map_or(0, u64::from_ne_bytes));
    Ok(names.into_iter().zip(values).collect())
}

/// Name of the driver.
///
/// # Errors
///
/// The kernel's.
pub fn driver(interface: &str) -> io::Result<String> {
    // `struct ethtool_drvinfo`: cmd, then five names of 32 bytes, 12 reserved, and five counts.
    let mut info = request(ETHTOOL_GDRVINFO, 196);
    ioctl(interface, &mut info)?;
    Ok(text(&info[4..4 + ETH_GSTRING_LEN]))
}

/// Every offload of an interface by its kernel name (`rx-lro`), and whether it is on.
///
/// # Errors
///
/// The kernel's.
pub fn offloads(interface: &str) -> io::Result<BTreeMap<String, bool>> {
    let names = names(interface, ETH_SS_FEATURES)?;
    let blocks = names.len().div_ceil(32);
    // `struct ethtool_gfeatures`: cmd, size, then blocks of available, requested, active, never changed.
    let mut features = request(ETHTOOL_GFEATURES, 8 + blocks * 16);
    features[4..8].copy_from_slice(&(blocks as u32).to_ne_bytes());
    ioctl(interface, &mut features)?;
    let is_active = |bit: usize| word(&features, 8 + bit / 32 * 16 + 8) & (1 << (bit % 32)) != 0;
    Ok(names.into_iter().enumerate().map(|(bit, name)| (name, is_active(bit))).collect())
}

/// Switches off what the stack leaves to a device that transmits: checksums, and cutting into segments. What the device cannot
/// switch it does not do: native XDP takes segments from the other end of a veth pair (`veth_xdp_set`, drivers/net/veth.c).
///
/// # Errors
///
/// The kernel's.
pub fn transmit_offloads_off(interface: &str) -> io::Result<()> {
    for command in [ETHTOOL_SGSO, ETHTOOL_STSO, ETHTOOL_STXCSUM] {
        // `struct ethtool_value`: cmd, data.
        match ioctl(interface, &mut request(command, 8)) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            switched => switched?,
        }
    }
    Ok(())
}

/// Receive queues of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RxQueues {
    /// In use.
    pub used: u32,
    /// The most that the driver can.
    pub max: u32,
    /// They transmit, too, and are set as `combined`.
    pub combined: bool,
}

/// The receive queues of an interface.
///
/// # Errors
///
/// The kernel's, `EOPNOTSUPP` among them where a driver has no channels.
pub fn rx_queues(interface: &str) -> io::Result<RxQueues> {
    // `struct ethtool_channels`: cmd, maxima of rx, tx, other, combined, then the same four as they are.
    let mut channels = request(ETHTOOL_GCHANNELS, 36);
    ioctl(interface, &mut channels)?;
    let [rx_max, combined_max, rx, combined] = [4, 16, 20, 32].map(|at| word(&channels, at));
    // The maxima, where a driver has both, are of the same queues.
    Ok(RxQueues { used: rx + combined, max: rx_max.max(combined_max), combined: combined_max > 0 })
}

/// The names of a set of strings.
fn names(interface: &str, set: u32) -> io::Result<Vec<String>> {
    let count = count(interface, set)?;
    // `struct ethtool_gstrings`: cmd, string_set, len, then the strings.
    let mut names = request(ETHTOOL_GSTRINGS, 12 + count * ETH_GSTRING_LEN);
    names[4..8].copy_from_slice(&set.to_ne_bytes());
    names[8..12].copy_from_slice(&(count as u32).to_ne_bytes());
    ioctl(interface, &mut names)?;
    Ok(names[12..].chunks_exact(ETH_GSTRING_LEN).map(text).collect())
}

/// How many strings a set has.
fn count(interface: &str, set: u32) -> io::Result<usize> {
    // `struct ethtool_sset_info`: cmd, reserved, sset_mask, then one count.
    let mut info = request(ETHTOOL_GSSET_INFO, 20);
    info[8..16].copy_from_slice(&(1u64 << set).to_ne_bytes());
    ioctl(interface, &mut info)?;
    Ok(word(&info, 16) as usize)
}

/// A command of this many bytes.
fn request(command: u32, bytes: usize) -> Vec<u8> {
    let mut request = vec![0; bytes];
    request[0..4].copy_from_slice(&command.to_ne_bytes());
    request
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn ioctl(interface: &str, command: &mut [u8]) -> io::Result<()> {
    // SAFETY: no pointers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else knows.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: all zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let name = CString::new(interface)?;
    let name = name.as_bytes();
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    request.ifr_ifru.ifru_data = command.as_mut_ptr().cast();
    // SAFETY: the request names a buffer that is as long as its own header says, and both live through the call.
    if unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_tells_its_offloads_by_name() {
        let offloads = offloads("lo").unwrap();
        assert_eq!(offloads.get("rx-lro"), Some(&false), "{offloads:?}");
        // `loopback` of the kernel's own names: it is fixed to on.
        assert_eq!(offloads.get("loopback"), Some(&true), "{offloads:?}");
    }

    #[test]
    fn interface_that_is_not_there_is_an_error() {
        assert_eq!(offloads("unit-test-none").unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
