//! `ethtool -S`: a driver's own statistics, by ioctl (include/uapi/linux/ethtool.h).

use std::{
    collections::BTreeMap,
    ffi::CString,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSTATS: u32 = 0x1d;
const ETH_SS_STATS: u32 = 1;
const ETH_GSTRING_LEN: usize = 32;

/// Every statistic of an interface's driver, by its name.
///
/// # Errors
///
/// The kernel's, `EOPNOTSUPP` among them where a driver has none.
pub fn statistics(interface: &str) -> io::Result<BTreeMap<String, u64>> {
    let count = count(interface)?;
    // `struct ethtool_gstrings`: cmd, string_set, len, then the strings.
    let mut names = vec![0u8; 12 + count * ETH_GSTRING_LEN];
    names[0..4].copy_from_slice(&ETHTOOL_GSTRINGS.to_ne_bytes());
    names[4..8].copy_from_slice(&ETH_SS_STATS.to_ne_bytes());
    names[8..12].copy_from_slice(&(count as u32).to_ne_bytes());
    ioctl(interface, &mut names)?;
    // `struct ethtool_stats`: cmd, n_stats, then the values.
    let mut values = vec![0u8; 8 + count * 8];
    values[0..4].copy_from_slice(&ETHTOOL_GSTATS.to_ne_bytes());
    values[4..8].copy_from_slice(&(count as u32).to_ne_bytes());
    ioctl(interface, &mut values)?;
    let names = names[12..].chunks_exact(ETH_GSTRING_LEN).map(|name| {
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        String::from_utf8_lossy(&name[..end]).into_owned()
    });
    let values = values[8..].chunks_exact(8).map(|value| value.try_into().map_or(0, u64::from_ne_bytes));
    Ok(names.zip(values).collect())
}

/// How many statistics there are.
fn count(interface: &str) -> io::Result<usize> {
    // `struct ethtool_sset_info`: cmd, reserved, sset_mask, then one count.
    let mut info = vec![0u8; 20];
    info[0..4].copy_from_slice(&ETHTOOL_GSSET_INFO.to_ne_bytes());
    info[8..16].copy_from_slice(&(1u64 << ETH_SS_STATS).to_ne_bytes());
    ioctl(interface, &mut info)?;
    Ok(u32::from_ne_bytes([info[16], info[17], info[18], info[19]]) as usize)
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
