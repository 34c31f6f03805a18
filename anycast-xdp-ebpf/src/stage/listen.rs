//! Does a VIP with listeners take this protocol and port? Three array reads at most.

use anycast_common::{
    listen::{page_takes, port_table_slot, takes_whole},
    outcome::Outcome,
};

use super::flow::L4;
use crate::maps;

/// Fails unless the listener set takes it.
#[inline(always)]
pub fn check(listener_set: u32, l4: L4) -> Result<(), Outcome> {
    let set = maps::listener_set(listener_set).ok_or(Outcome::NoListener)?;
    if takes_whole(set, l4.protocol) {
        return Ok(());
    }
    let table = port_table_slot(l4.protocol).map_or(0, |slot| set.port_tables[slot]);
    if table == 0 {
        return Err(Outcome::NoListener);
    }
    if !l4.has_ports {
        return Ok(());
    }
    let [_, _, high, low] = l4.ports.to_ne_bytes();
    let port = u16::from_be_bytes([high, low]);
    let page = maps::port_page(table, port).ok_or(Outcome::NoListener)?;
    if page_takes(page, port) { Ok(()) } else { Err(Outcome::NoListener) }
}
