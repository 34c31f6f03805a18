//! The result for people.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::report::{BarResult, Memory, Report, Row};

/// The report as text.
pub fn table(report: &Report) -> String {
    let mut text =
        format!("{}, Linux {}, CPU {}, load {:.2}\n", report.cpu_model, report.kernel, report.cpu, report.load);
    if !report.rows.is_empty() {
        let _ = write!(text, "\nNanoseconds per packet; net is the median above floor_pass\n{}\n", times(&report.rows));
    }
    if !report.live.is_empty() {
        let _ = write!(text, "\nLive frames, millions of packets per second; all of them arrived\n{}\n", live(report));
    }
    for Memory { scenario, map, entries, bytes } in &report.memory {
        let _ = writeln!(text, "\n{map} of {scenario}: {entries} entries, {bytes} bytes");
    }
    text
}

fn times(rows: &[Row]) -> Table {
    let mut table =
        new_table(&["scenario", "program", "verdict", "grow", "min", "median", "p90", "net", "ratio", "bar", "", ""]);
    let mut last = "";
    for row in rows {
        let scenario = if row.scenario == last { "" } else { row.scenario };
        last = row.scenario;
        let mut cells = vec![Cell::new(scenario), Cell::new(row.target), Cell::new(row.verdict), right(&row.growth)];
        cells.extend([row.min_ns, row.median_ns, row.p90_ns, row.net_ns].map(|ns| right(&format!("{ns:.1}"))));
        cells.push(right(&row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))));
        cells.extend(bar_cells(row.bar.as_ref()));
        table.add_row(cells);
    }
    table
}

fn live(report: &Report) -> Table {
    let mut table =
        new_table(&["scenario", "program", "verdict", "sent", "arrived", "median", "best", "ratio", "bar", "", ""]);
    for row in &report.live {
        let mut cells = vec![Cell::new(row.scenario), Cell::new(row.target), Cell::new(row.verdict)];
        cells.extend([row.sent, row.arrived].map(|count| right(&count)));
        cells.extend([row.median_mpps, row.best_mpps, row.ratio].map(|value| right(&format!("{value:.2}"))));
        cells.extend(bar_cells(row.bar.as_ref()));
        table.add_row(cells);
    }
    table
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table
}

fn right(value: &impl ToString) -> Cell {
    Cell::new(value.to_string()).set_alignment(CellAlignment::Right)
}

/// The bar, what is held against it, and the verdict.
fn bar_cells(bar: Option<&BarResult>) -> [Cell; 3] {
    let Some(bar) = bar else { return ["", "", ""].map(Cell::new) };
    let met = match bar.met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "",
    };
    let value = bar.value.map_or_else(|| "not measured".into(), |value| format!("{value:.2}"));
    [Cell::new(&bar.bar), right(&value), Cell::new(met)]
}
