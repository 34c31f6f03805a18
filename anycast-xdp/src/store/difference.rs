//! What is different between two sets of documents.

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
pub fn difference<'a>(before: &'a Documents, after: &'a Documents) -> Vec<(&'a Key, Change<'a>)> {
    let changes = before.changes(after).filter_map(|(key, before, after)| {
        let change = match (before, after) {
            (Some(before), Some(after)) => Change::Updated { before, after },
            (Some(before), None) => Change::Deleted(before),
            (None, Some(after)) => Change::Created(after),
            (None, None) => return None,
        };
        Some((key, change))
    });
    changes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Kind;

    fn key(n: u8) -> Key {
        Key::new(Kind::ALL[usize::from(n % 4)], format!("{}", n / 4))
    }

    /// Many sets of three changes to a copy of the same nine objects.
    #[test]
    fn changed_copies_differ_where_they_do_not_agree() {
        let before: Documents = (3..12).map(|n| (key(n), Document::new())).collect();
        let changed = Document::from_iter([("state".to_owned(), "drained".into())]);
        for change in (0..45 * 45 * 45_u32).step_by(7) {
            let mut after = before.clone();
            for step in [change % 45, change / 45 % 45, change / 45 / 45] {
                let (key, how) = (key((step % 15) as u8), step / 15);
                if how == 0 {
                    after.remove(&key);
                } else {
                    after.put(key, if how == 1 { changed.clone() } else { Document::new() });
                }
            }
            let mut expected: Vec<_> = (0..15).map(key).filter(|key| !before.agree_on(&after, key)).collect();
            expected.sort_unstable();
            let found: Vec<_> = difference(&before, &after).into_iter().map(|(key, _)| key.clone()).collect();
            assert_eq!(found, expected);
        }
    }
}
