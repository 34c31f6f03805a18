//! Tables: columns by blanks, no lines to draw, so that they can be read, grepped and cut.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

/// A column's head and how its cells stand.
pub(super) enum Column {
    /// Words, from the left; wrapped where the terminal is narrow.
    Text(&'static str),
    /// Words that are copied from here: never wrapped.
    Whole(&'static str),
    /// Numbers, to the right.
    Number(&'static str),
}

/// A table with a title above it, or nothing without rows.
pub(super) fn titled(title: &str, columns: &[Column], rows: Vec<Vec<String>>, width: Option<u16>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{title}\n{}", plain(columns, rows, width))
}

/// A table, each line without blanks at its end.
pub(super) fn plain(columns: &[Column], rows: Vec<Vec<String>>, width: Option<u16>) -> String {
    drawn(columns, true, rows, width)
}

/// A table without the heads of its columns.
pub(super) fn headless(columns: &[Column], rows: Vec<Vec<String>>, width: Option<u16>) -> String {
    drawn(columns, false, rows, width)
}

fn drawn(columns: &[Column], with_heads: bool, rows: Vec<Vec<String>>, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if with_heads {
        table.set_header(columns.iter().map(|column| cell(column, head(column))));
    }
    for row in rows {
        table.add_row(columns.iter().zip(row).map(|(column, text)| cell(column, &text)));
    }
    let last = columns.len().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        // Two blanks between columns, none before the first and after the last.
        column.set_padding((0, if index == last { 0 } else { 2 }));
        if matches!(columns.get(index), Some(Column::Whole(_))) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

fn head(column: &Column) -> &'static str {
    match column {
        Column::Text(head) | Column::Whole(head) | Column::Number(head) => head,
    }
}

fn cell(column: &Column, text: &str) -> Cell {
    Cell::new(text).set_alignment(match column {
        Column::Text(_) | Column::Whole(_) => CellAlignment::Left,
        Column::Number(_) => CellAlignment::Right,
    })
}
