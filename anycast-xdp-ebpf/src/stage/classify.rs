//! Which VIP is it?

use anycast_common::{
    map::{Hinted, VipEntry},
    outcome::Outcome,
};

use super::ip::Ip;
use crate::maps;

/// The VIP with this address. A hash value is only an index, and its entry repeats the address: the kernel recycles
/// hash elements without waiting for readers, so a look-up during a change may return another key's value.
#[inline(always)]
pub fn vip<I: Ip>(address: I::Address) -> Result<(u32, &'static VipEntry), Outcome> {
    match maps::hints::vip::<I>(address) {
        Hinted::Absent => return Err(Outcome::NotVip),
        Hinted::Index(index) => {
            if let Some(entry) = maps::vip(index)
                && I::is_entry_of(entry, address)
            {
                return Ok((index, entry));
            }
        }
        Hinted::Ask => {}
    }
    let index = I::vip_index(address).ok_or(Outcome::NotVip)?;
    let entry = maps::vip(index).ok_or(Outcome::StaleVip)?;
    if I::is_entry_of(entry, address) { Ok((index, entry)) } else { Err(Outcome::StaleVip) }
}
