//! What is only read: objects, pages of them, the history.

use serde_json::Value;

use super::{Control, Kept, diff, store_failed};
use crate::{
    api::types::{
        ApiError, Diff, ErrorCode, ListQuery, NamedDocument, ObjectAnswer, Page, RevisionItem, Revisions,
        RevisionsQuery,
    },
    documents::{Document, Documents, Key, Kind},
    store::{Record, Store},
};

/// Objects and revisions in one answer, unless fewer are asked for.
const PAGE: usize = 10_000;

impl<S: Store> Control<S> {
    /// One object.
    ///
    /// # Errors
    ///
    /// `not_found`.
    pub fn object(&self, key: &Key) -> Result<ObjectAnswer, ApiError> {
        let documents = self.documents();
        let document = documents.get(key).ok_or_else(|| {
            ApiError::new(ErrorCode::NotFound, format!("there is no {key}"))
                .hint(format!("`anycast-xdp list {}` shows those that there are", key.kind))
        })?;
        let object = NamedDocument { name: key.name.clone(), document: document.clone() };
        Ok(ObjectAnswer { revision: self.revision(), object })
    }

    /// A page of the objects of a kind, by name.
    ///
    /// # Errors
    ///
    /// A label that is none.
    pub fn list(&self, kind: Kind, query: &ListQuery) -> Result<Page, ApiError> {
        let label = match &query.label {
            None => None,
            Some(label) => Some(label.split_once('=').ok_or_else(|| {
                ApiError::new(ErrorCode::BadRequest, format!("`{label}` is not a label")).hint("write KEY=VALUE")
            })?),
        };
        let documents = self.documents();
        let is_wanted = |(name, document): &(&str, &Document)| {
            query.contains.as_deref().is_none_or(|text| contains(name, document, text))
                && label.is_none_or(|(key, value)| has_label(document, key, value))
        };
        let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
        let mut total = 0;
        let mut items = Vec::new();
        let mut has_more = false;
        for (name, document) in documents.of(kind).filter(is_wanted) {
            total += 1;
            if query.after.as_deref().is_some_and(|after| name <= after) {
                continue;
            }
            if items.len() < limit {
                items.push(NamedDocument { name: name.to_owned(), document: document.clone() });
            } else {
                has_more = true;
            }
        }
        let next = items.last().filter(|_| has_more).map(|last: &NamedDocument| last.name.clone());
        Ok(Page { revision: self.revision(), total, items, next })
    }

    /// A part of the history, newest first.
    ///
    /// # Errors
    ///
    /// A store that cannot be read.
    pub async fn revisions(&self, query: RevisionsQuery) -> Result<Revisions, ApiError> {
        let Kept::Store { repository, .. } = &self.kept else {
            return Ok(Revisions { items: Vec::new(), next: None });
        };
        let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
        let mut records =
            repository.store().records(query.before, limit + 1).await.map_err(|error| store_failed(&error))?;
        let has_more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| has_more).map(|record| record.revision);
        Ok(Revisions { items: records.into_iter().map(item).collect(), next })
    }

    /// The services of a revision; `None`: of the newest one.
    ///
    /// # Errors
    ///
    /// `not_found`; a store that cannot be read.
    pub async fn documents_of(&self, revision: Option<u64>) -> Result<Documents, ApiError> {
        let Some(revision) = revision.filter(|revision| *revision != self.revision()) else {
            return Ok(self.documents());
        };
        let missing = || {
            ApiError::new(ErrorCode::NotFound, format!("there is no revision {revision}"))
                .hint("`anycast-xdp history` shows those that are kept")
        };
        let Kept::Store { repository, .. } = &self.kept else { return Err(missing()) };
        let snapshot = repository.load(revision).await.map_err(|error| store_failed(&error))?;
        Ok(snapshot.ok_or_else(missing)?.documents)
    }

    /// What is different between two revisions.
    ///
    /// # Errors
    ///
    /// As [`Self::documents_of`].
    pub async fn diff(&self, from: u64, to: Option<u64>) -> Result<Diff, ApiError> {
        let (before, after) = (self.documents_of(Some(from)).await?, self.documents_of(to).await?);
        Ok(Diff { from, to: to.unwrap_or(self.revision()), changes: diff(&before, &after) })
    }
}

fn item(record: Record) -> RevisionItem {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    RevisionItem {
        revision: record.revision,
        parent: record.parent,
        at_unix_ms: record.at_unix_ms,
        author: record.author.to_string(),
        action: record.action,
        created: count(record.created),
        updated: count(record.updated),
        deleted: count(record.deleted),
    }
}

fn contains(name: &str, document: &Document, text: &str) -> bool {
    fn value_contains(value: &Value, text: &str) -> bool {
        match value {
            Value::String(word) => word.contains(text),
            Value::Array(list) => list.iter().any(|value| value_contains(value, text)),
            Value::Object(table) => table.values().any(|value| value_contains(value, text)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    name.contains(text) || document.values().any(|value| value_contains(value, text))
}

fn has_label(document: &Document, key: &str, value: &str) -> bool {
    document.get("labels").and_then(|labels| labels.get(key)).and_then(Value::as_str) == Some(value)
}
