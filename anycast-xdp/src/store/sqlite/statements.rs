//! What is asked of the database.

use std::{collections::HashSet, num::NonZero};

use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};

use super::error::Trouble;
use crate::store::{Chunk, ChunkId, Draft, Facts, Manifest, Pruned, Record, Revision};

pub(super) fn head(connection: &Connection) -> Result<Option<Record>, Trouble> {
    let newest = "SELECT revision, record FROM revisions ORDER BY revision DESC LIMIT 1";
    connection.query_row(newest, [], text_of).optional()?.map(to_record).transpose()
}

pub(super) fn record(connection: &Connection, revision: Revision) -> Result<Option<Record>, Trouble> {
    let one = "SELECT revision, record FROM revisions WHERE revision = ?";
    connection.query_row(one, [to_sql(revision)], text_of).optional()?.map(to_record).transpose()
}

pub(super) fn manifest(connection: &Connection, revision: Revision) -> Result<Option<Manifest>, Trouble> {
    let one = "SELECT revision, manifest FROM revisions WHERE revision = ?";
    connection.query_row(one, [to_sql(revision)], bytes_of).optional()?.map(to_manifest).transpose()
}

pub(super) fn chunks(connection: &Connection, ids: &[ChunkId]) -> Result<Vec<Chunk>, Trouble> {
    let mut one = connection.prepare("SELECT body FROM chunks WHERE id = ?")?;
    let chunks = ids.iter().map(|id| {
        let body: Option<Vec<u8>> = one.query_row([id.0], |row| row.get(0)).optional()?;
        let body = body.ok_or_else(|| Trouble::Damaged(format!("chunk {id} is missing")))?;
        Chunk::read(*id, body).ok_or_else(|| Trouble::Damaged(format!("chunk {id} has another hash")))
    });
    chunks.collect()
}

pub(super) fn commit(
    connection: &mut Connection,
    base: Option<Revision>,
    draft: Draft,
    chunks: &[Chunk],
) -> Result<Record, Trouble> {
    // Immediate: nobody commits between the comparison and the swap.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let head = head(&transaction)?.map(|head| head.revision);
    if head != base {
        return Err(Trouble::Conflict { head });
    }
    {
        let mut put = transaction.prepare("INSERT OR IGNORE INTO chunks (id, body) VALUES (?, ?)")?;
        for chunk in chunks {
            put.execute(params![chunk.id().0, chunk.body()])?;
        }
    }
    let (record, manifest) = draft.after(base);
    let text = serde_json::to_string(&record).map_err(|error| Trouble::Damaged(error.to_string()))?;
    let put = "INSERT INTO revisions (revision, record, manifest) VALUES (?, ?, ?)";
    transaction.execute(put, params![to_sql(record.revision), text, manifest.to_bytes()])?;
    transaction.commit()?;
    Ok(record)
}

pub(super) fn records(connection: &Connection, before: Option<Revision>, limit: usize) -> Result<Vec<Record>, Trouble> {
    let page = "SELECT revision, record FROM revisions WHERE revision < ? ORDER BY revision DESC LIMIT ?";
    let mut page = connection.prepare(page)?;
    let before = before.map_or(i64::MAX, to_sql);
    let rows = page.query_map(params![before, to_sql(limit as u64)], text_of)?;
    rows.map(|row| to_record(row?)).collect()
}

pub(super) fn prune(connection: &mut Connection, keep: NonZero<u64>) -> Result<Pruned, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let head = head(&transaction)?.map_or(0, |head| head.revision);
    let oldest = to_sql(head.saturating_sub(keep.get() - 1));
    let mut pruned = Pruned::default();
    let mut unnamed = HashSet::new();
    visit_manifests(&transaction, "revision < ?", oldest, |manifest| {
        unnamed.extend(manifest.iter().map(|(_, id)| id));
        pruned.revisions += 1;
        true
    })?;
    // The oldest that stays names most of them.
    visit_manifests(&transaction, "revision >= ?", oldest, |manifest| {
        for (_, id) in manifest.iter() {
            unnamed.remove(&id);
        }
        !unnamed.is_empty()
    })?;
    transaction.execute("DELETE FROM revisions WHERE revision < ?", [oldest])?;
    {
        let mut remove = transaction.prepare("DELETE FROM chunks WHERE id = ?")?;
        for id in unnamed {
            pruned.chunks += remove.execute([id.0])? as u64;
        }
    }
    transaction.commit()?;
    Ok(pruned)
}

/// Number of revisions and of chunks.
pub(super) fn facts(connection: &Connection) -> Result<Facts, Trouble> {
    let counts = "SELECT (SELECT count(*) FROM revisions), (SELECT count(*) FROM chunks)";
    let counted = connection.query_row(counts, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    Ok(Facts { revisions: counted.0.cast_unsigned(), chunks: counted.1.cast_unsigned(), size_bytes: 0 })
}

/// Shows manifests, the oldest first, as long as `visit` wants more.
fn visit_manifests(
    connection: &Connection,
    which: &str,
    revision: i64,
    mut visit: impl FnMut(Manifest) -> bool,
) -> Result<(), Trouble> {
    let select = format!("SELECT revision, manifest FROM revisions WHERE {which} ORDER BY revision");
    let mut select = connection.prepare(&select)?;
    let mut rows = select.query([revision])?;
    while let Some(row) = rows.next()? {
        if !visit(to_manifest(bytes_of(row)?)?) {
            break;
        }
    }
    Ok(())
}

fn text_of(row: &Row<'_>) -> rusqlite::Result<(i64, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn bytes_of(row: &Row<'_>) -> rusqlite::Result<(i64, Vec<u8>)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn to_record((revision, text): (i64, String)) -> Result<Record, Trouble> {
    let record = serde_json::from_str(&text).ok().filter(|record: &Record| to_sql(record.revision) == revision);
    record.ok_or_else(|| Trouble::Damaged(format!("the record of revision {revision} is none: {text}")))
}

fn to_manifest((revision, bytes): (i64, Vec<u8>)) -> Result<Manifest, Trouble> {
    Manifest::from_bytes(&bytes)
        .ok_or_else(|| Trouble::Damaged(format!("the list of chunks of revision {revision} is none")))
}

/// SQLite's integers have a sign; nothing here comes near their end.
fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
