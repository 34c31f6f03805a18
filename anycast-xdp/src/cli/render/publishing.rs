//! Text of `publishing`, `drain` and `undrain`.

use std::fmt::Write as _;

use super::{
    table::{Column, plain},
    values::word,
};
use crate::{
    api::types::{DrainPhase, Offered, Publishing},
    view::Drained,
};

/// What is published, one a row.
pub fn publishing(publishing: &Publishing, width: Option<u16>) -> String {
    let Some(interface) = &publishing.interface else {
        return "nothing is published: the host's file has no [publish]\n".to_owned();
    };
    let up = if publishing.interface_is_up { "up" } else { "not up" };
    let who = match (publishing.drain.host, publishing.drain.pop) {
        (false, false) => "no",
        (true, false) => "of this host",
        (false, true) => "of its PoP",
        (true, true) => "of this host and its PoP",
    };
    let phase = match publishing.drain.phase {
        DrainPhase::None => "",
        DrainPhase::Signal => ", routers are being told",
        DrainPhase::Withdrawn => ", everything is withdrawn",
    };
    let mut text = format!("interface  {interface}, {up}\ndrain      {who}{phase}\n");
    for (what, counts) in [("prefixes", publishing.counts.prefixes), ("VIPs", publishing.counts.vips)] {
        let [published, draining, withdrawn] = counts;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{what:<9}  {published} published, {draining} draining, {withdrawn} withdrawn");
    }
    text += &offers("PREFIX", &publishing.prefixes, width);
    text + &offers("VIP", &publishing.vips, width)
}

fn offers(what: &'static str, offers: &[Offered], width: Option<u16>) -> String {
    let columns = [
        Column::Text(what),
        Column::Whole("ROUTE"),
        Column::Text("STATE"),
        Column::Number("METRIC"),
        Column::Number("SINCE"),
        Column::Text("WHY"),
    ];
    let rows = offers.iter().map(|offer| {
        vec![
            word(&offer.name),
            offer.prefix.clone(),
            offer.state.label().to_owned(),
            offer.metric.map_or_else(|| "-".to_owned(), |metric| metric.to_string()),
            format!("{} s", offer.age_secs()),
            offer.detail.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    });
    if offers.is_empty() { String::new() } else { format!("\n{}", plain(&columns, rows.collect(), width)) }
}

/// How a drain ended.
pub fn drained(drained: &Drained, width: Option<u16>) -> String {
    let rate = drained.rate_pps.map_or_else(|| "an unknown number of".to_owned(), |rate| format!("{rate:.1}"));
    let is = if drained.drained { "drained" } else { "not drained" };
    let withdrawn = if drained.phase == DrainPhase::Withdrawn { "" } else { ", and not everything is withdrawn" };
    let mut text = format!(
        "{is} after {:.1} s: {rate} packets/s arrive, the bound is {:.0}{withdrawn}\n",
        drained.took_secs, drained.bound_pps
    );
    if !drained.arriving.is_empty() {
        let columns = [Column::Text("VIP"), Column::Whole("ADDRESS"), Column::Number("PACKETS/S")];
        let rows = drained.arriving.iter();
        let rows = rows.map(|row| vec![word(&row.vip), row.address.clone(), format!("{:.1}", row.rate_pps)]);
        text.push('\n');
        text += &plain(&columns, rows.collect(), width);
    }
    text
}
