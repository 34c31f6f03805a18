//! Any documents.

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::Value;
use tokio::{runtime::Handle, task};

use super::*;
use crate::documents::Document;

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![any::<String>(), "[a-z0-9./:\"\\\\]{0,8}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

fn document() -> impl Strategy<Value = Document> {
    prop::collection::btree_map("[a-z_]{1,6}", value(), 0..4).prop_map(Document::from_iter)
}

/// Few names, so that they are changed and removed; and any.
fn documents() -> impl Strategy<Value = Documents> {
    let key = (prop::sample::select(Kind::ALL.to_vec()), prop_oneof![4 => "[ab]{1,2}", 1 => any::<String>()]);
    let key = key.prop_map(|(kind, name)| Key::new(kind, name));
    prop::collection::vec((key, document()), 0..12).prop_map(Documents::from_iter)
}

pub(in super::super) async fn documents_come_out_as_they_went_in<P: Place>() {
    let handle = Handle::current();
    let run = move || {
        let cases = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
        let all = prop::collection::vec(documents(), 1..6);
        TestRunner::new(cases).run(&all, |all| handle.block_on(come_out_as_they_went_in::<P>(all))).expect("all cases");
    };
    task::spawn_blocking(run).await.expect("no panic");
}

async fn come_out_as_they_went_in<P: Place>(all: Vec<Documents>) -> Result<(), TestCaseError> {
    let place = P::new();
    let repository = Repository::new(place.open().await);
    let mut snapshots: Vec<super::super::Snapshot> = Vec::new();
    for documents in all {
        let before = snapshots.last().map(|last| last.documents.clone()).unwrap_or_default();
        let made = repository.commit(snapshots.last(), documents.clone(), author(), "apply").await.expect("commit");
        let keys = before.iter().chain(documents.iter()).map(|(key, _)| key);
        let mut changed: Vec<_> = keys.filter(|key| !before.agree_on(&documents, key)).collect();
        changed.sort_unstable();
        changed.dedup();
        let count = |was: bool, is: bool| {
            let counted =
                changed.iter().filter(|key| before.get(key).is_some() == was && documents.get(key).is_some() == is);
            counted.count() as u64
        };
        let counts = (made.record.created, made.record.updated, made.record.deleted);
        prop_assert_eq!(counts, (count(false, true), count(true, true), count(true, false)));
        snapshots.push(made);
    }
    let fresh = Repository::new(place.open().await);
    for snapshot in snapshots {
        let loaded = fresh.load(snapshot.record.revision).await.expect("load");
        prop_assert_eq!(loaded, Some(snapshot));
    }
    Ok(())
}
