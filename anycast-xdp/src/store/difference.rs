//! What is different between two sets of documents.

use std::{cmp::Ordering, ptr};

use crate::documents::{Document, Documents, Key};

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change<'a> {
    /// It is new.
    Created(&'a Document),
    /// It is another one.
    Updated {
        /// What it was.
        before: &'a Document,
        /// What it is.
        after: &'a Document,
    },
    /// It is gone.
    Deleted(&'a Document),
}

/// Every object that is not the same in both, by kind and name.
///
/// One walk along both: asking for each key, as `agree_on` does, costs two searches for each of 100,000 objects.
pub fn difference<'a>(before: &'a Documents, after: &'a Documents) -> Vec<(&'a Key, Change<'a>)> {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some((one, _)), Some((other, _))) => one.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return changes,
        };
        let gone = if order.is_le() { old.next() } else { None };
        let come = if order.is_ge() { new.next() } else { None };
        match (gone, come) {
            (Some((key, before)), Some((_, after))) if !ptr::eq(before, after) && before != after => {
                changes.push((key, Change::Updated { before, after }));
            }
            (Some((key, before)), None) => changes.push((key, Change::Deleted(before))),
            (None, Some((key, after))) => changes.push((key, Change::Created(after))),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
}
