//! Text of `vips`.

use super::table::{Column, plain};
use crate::view::VipRow;

/// The VIPs, one a row.
pub fn vips(vips: &[VipRow], width: Option<u16>) -> String {
    let columns = [
        Column::Text("VIP"),
        Column::Whole("ADDRESS"),
        Column::Text("POOL"),
        Column::Text("ECHO"),
        Column::Text("LISTENERS"),
    ];
    let rows = vips.iter().map(|vip| {
        let listeners = if vip.listeners.is_empty() { "all".to_owned() } else { vip.listeners.join(", ") };
        let pool = vip.pool.clone().unwrap_or_else(|| "-".to_owned());
        let echo = vip.icmp_echo.map_or_else(|| "-".to_owned(), |echo| echo.to_string());
        vec![vip.name.clone(), vip.address.to_string(), pool, echo, listeners]
    });
    plain(&columns, rows.collect(), width)
}
