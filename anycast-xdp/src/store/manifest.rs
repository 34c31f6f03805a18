//! Which chunk each bucket of a revision has.

use std::collections::BTreeMap;

use super::{BUCKETS, ChunkId};

/// Bytes of one entry: the bucket, big-endian, and the id.
const ENTRY_BYTES: usize = 34;

/// The chunks of a revision by bucket. A bucket without objects has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest(BTreeMap<u16, ChunkId>);

impl Manifest {
    /// The chunk of a bucket.
    pub fn get(&self, bucket: u16) -> Option<ChunkId> {
        self.0.get(&bucket).copied()
    }

    /// Gives a bucket a chunk, or none.
    pub fn set(&mut self, bucket: u16, id: Option<ChunkId>) {
        match id {
            Some(id) => drop(self.0.insert(bucket, id)),
            None => drop(self.0.remove(&bucket)),
        }
    }

    /// Buckets and their chunks, in the order of buckets.
    pub fn iter(&self) -> impl Iterator<Item = (u16, ChunkId)> {
        self.0.iter().map(|(bucket, id)| (*bucket, *id))
    }

    /// As bytes, for a store: 34 for each bucket that has a chunk.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(bucket, id)| bucket.to_be_bytes().into_iter().chain(id.0)).collect()
    }

    /// From the bytes of a store; none: they are not those of a manifest.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (entries, []) = bytes.as_chunks::<ENTRY_BYTES>() else { return None };
        let entries = entries.iter().map(|entry| {
            let (bucket, id) = entry.split_first_chunk()?;
            Some((u16::from_be_bytes(*bucket), ChunkId(id.try_into().ok()?)))
        });
        let entries: Vec<_> = entries.collect::<Option<_>>()?;
        let is_in_order = entries.is_sorted_by(|(one, _), (next, _)| one < next);
        let is_in_range = entries.last().is_none_or(|(last, _)| *last < BUCKETS);
        (is_in_order && is_in_range).then(|| Self(entries.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_reads_back_and_other_bytes_are_refused() {
        let mut manifest = Manifest::default();
        assert_eq!(Manifest::from_bytes(&manifest.to_bytes()), Some(manifest.clone()));
        for bucket in [1023, 0, 7] {
            manifest.set(bucket, Some(ChunkId([bucket as u8; 32])));
        }
        manifest.set(7, None);
        let bytes = manifest.to_bytes();
        assert_eq!(bytes.len(), 2 * ENTRY_BYTES);
        assert_eq!(Manifest::from_bytes(&bytes), Some(manifest));

        assert_eq!(Manifest::from_bytes(&bytes[1..]), None, "a byte is missing");
        assert_eq!(
            Manifest::from_bytes(&[&bytes[ENTRY_BYTES..], &bytes[..ENTRY_BYTES]].concat()),
            None,
            "out of order"
        );
        assert_eq!(Manifest::from_bytes(&[&bytes[..ENTRY_BYTES]; 2].concat()), None, "a bucket twice");
        assert_eq!(Manifest::from_bytes(&[[4, 0].as_slice(), &[0; 32]].concat()), None, "there is no bucket 1024");
    }
}
