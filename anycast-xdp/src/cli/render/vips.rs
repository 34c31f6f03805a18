//! Text of `vips`.

use super::table::{Column, plain};
use crate::view::VipRow;

/// The VIPs, one a row.
pub fn vips(vips: &[VipRow], width: Option<u16>) -> String {
    let columns = [
        Column::Text("VIP"),
        Column::Whole("ADDRESS"),
        Column::Text("POOLS"),
        Column::Text("HASH"),
        Column::Text("ECHO"),
        Column::Text("RETURN"),
        Column::Text("LISTENERS"),
    ];
    let rows = vips.iter().map(|vip| {
        let listeners = if vip.listeners.is_empty() { "all".to_owned() } else { vip.listeners.join(", ") };
        let pools = vip.pool.iter().chain(&vip.fallback_pools).cloned().collect::<Vec<_>>();
        let pools = if pools.is_empty() { "-".to_owned() } else { pools.join(", ") };
        let hash = vip.hash.map_or("-".to_owned(), |hash| hash.to_string());
        let echo = vip.icmp_echo.map_or_else(|| "-".to_owned(), |echo| echo.to_string());
        vec![vip.name.clone(), vip.address.to_string(), pools, hash, echo, vip.returns.to_string(), listeners]
    });
    plain(&columns, rows.collect(), width)
}
