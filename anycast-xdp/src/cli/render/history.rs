//! Text of `history`.

use super::{
    style::Style,
    table::{Column, plain},
    units::utc,
    values::word,
};
use crate::api::types::RevisionItem;

/// The revisions, one a row.
pub fn history(revisions: &[RevisionItem], style: Style) -> String {
    let columns = [
        Column::Number("REVISION"),
        Column::Whole("WHEN (UTC)"),
        Column::Text("AUTHOR"),
        Column::Text("ACTION"),
        Column::Number("CREATED"),
        Column::Number("UPDATED"),
        Column::Number("DELETED"),
    ];
    let rows = revisions.iter().map(|item| {
        vec![
            item.revision.to_string(),
            utc(item.at_unix_ms / 1000),
            word(&item.author),
            word(&item.action),
            item.created.to_string(),
            item.updated.to_string(),
            item.deleted.to_string(),
        ]
    });
    plain(&columns, rows.collect(), style.width)
}
