//! The Ethernet header of an encapsulated frame, as every floor writes it.

use crate::packet::Window;

/// Writes a header to `mac` from `old`, the address that the packet came to. Byte by byte, as compilers copy the fields
/// of a packed struct.
#[inline(always)]
pub fn write<const N: usize>(frame: Window<N>, old: [u8; 6], mac: &[u8; 6], ethertype: u16) {
    frame.set_u8::<6>(old[0]);
    frame.set_u8::<7>(old[1]);
    frame.set_u8::<8>(old[2]);
    frame.set_u8::<9>(old[3]);
    frame.set_u8::<10>(old[4]);
    frame.set_u8::<11>(old[5]);
    frame.set_u8::<0>(mac[0]);
    frame.set_u8::<1>(mac[1]);
    frame.set_u8::<2>(mac[2]);
    frame.set_u8::<3>(mac[3]);
    frame.set_u8::<4>(mac[4]);
    frame.set_u8::<5>(mac[5]);
    let [high, low] = ethertype.to_be_bytes();
    frame.set_u8::<12>(high);
    frame.set_u8::<13>(low);
}
