//! What a change of one object among many costs.

use std::time::Instant;

use super::*;
use crate::store::Snapshot;

const VIPS: u32 = 100_000;

pub(in super::super) async fn one_change_among_a_hundred_thousand_writes_one_chunk<P: Place>() {
    let place = P::new();
    let repository = Repository::new(place.open().await);
    let started = Instant::now();
    let mut head = repository.commit(None, vips(VIPS), author(), "apply").await.expect("commit");
    println!("{VIPS} VIPs committed in {:?}", started.elapsed());
    let bodies = bodies(&repository, &head, None).await;
    assert_eq!(bodies.len(), usize::from(BUCKETS));
    let largest = bodies.iter().map(Vec::len).max().expect("some");
    println!("chunks: {} bytes, the largest {largest}", bodies.iter().map(Vec::len).sum::<usize>());
    assert!(largest < 100_000, "{largest}");

    // A store that is opened afresh has an empty log, whose growth is what is written.
    drop(repository);
    let repository = Repository::new(place.open().await);
    for n in 0..10 {
        let mut documents = head.documents.clone();
        let mut document = documents.get(&vip(n * 9_999)).expect("there").clone();
        document.insert("pool".to_owned(), "another".into());
        documents.put(vip(n * 9_999), document);
        let before = head;
        let occupied = repository.store().facts().await.expect("facts");
        let started = Instant::now();
        head = repository.commit(Some(&before), documents, author(), "vip bind").await.expect("commit");
        let took = started.elapsed();
        assert_eq!((head.record.created, head.record.updated, head.record.deleted), (0, 1, 0));
        let facts = repository.store().facts().await.expect("facts");
        assert_eq!(facts.chunks, occupied.chunks + 1);
        let written: usize = self::bodies(&repository, &head, Some(&before)).await.iter().map(Vec::len).sum();
        let manifest = repository.store().manifest(head.record.revision).await.expect("manifest").expect("there");
        let list = manifest.to_bytes().len();
        let grown = facts.size_bytes - occupied.size_bytes;
        println!("one changed in {took:?}: chunk {written} bytes, list {list} bytes, store grown by {grown}");
        assert!(written < 100_000 && list < 40_000, "{written} {list}");
    }
    let started = Instant::now();
    let loaded = Repository::new(place.open().await).load_head().await.expect("load");
    println!("loaded in {:?}", started.elapsed());
    assert_eq!(loaded, Some(head));
}

/// Bodies of the chunks that a revision has and another one has not.
async fn bodies(repository: &Repository<impl Store>, of: &Snapshot, without: Option<&Snapshot>) -> Vec<Vec<u8>> {
    let store = repository.store();
    let manifest = store.manifest(of.record.revision).await.expect("manifest").expect("there");
    let other = match without {
        Some(without) => store.manifest(without.record.revision).await.expect("manifest").expect("there"),
        None => Manifest::default(),
    };
    let new = manifest.iter().filter(|(bucket, id)| other.get(*bucket) != Some(*id)).map(|(_, id)| id);
    let chunks = store.chunks(new.collect()).await.expect("chunks");
    chunks.iter().map(|chunk| chunk.body().to_vec()).collect()
}
