//! Chunks: the objects of one bucket, under the SHA-256 of what is written of them.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::StoreError;
use crate::documents::{Document, Key, Kind};

/// Number of buckets that objects are spread over. What is stored depends on it.
///
/// Of 100,000 objects a bucket has a hundred; a list of all buckets' ids has 35 kB.
pub const BUCKETS: u16 = 1024;

/// Most bytes of a chunk: etcd takes requests of up to 1.5 MB.
pub const MAX_CHUNK_BYTES: usize = 1 << 20;

/// The bucket of an object. What is stored depends on it.
pub fn bucket_of(key: &Key) -> u16 {
    let hash = Sha256::new().chain_update(key.kind.singular()).chain_update([0]).chain_update(&key.name).finalize();
    u16::from_be_bytes([hash[0], hash[1]]) % BUCKETS
}

/// SHA-256 of a chunk's body.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(pub [u8; 32]);

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The objects of one bucket: `{"vip": {"web": {…}}}`, kinds and names in order.
pub(super) type Objects = BTreeMap<Kind, BTreeMap<String, Document>>;

/// What a chunk holds, and the hash of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    id: ChunkId,
    body: Vec<u8>,
}

impl Chunk {
    /// The chunk that holds `body`.
    pub fn new(body: Vec<u8>) -> Self {
        Self { id: ChunkId(Sha256::digest(&body).into()), body }
    }

    /// The chunk `id` as it was read; none: `body` is not what was written.
    pub fn read(id: ChunkId, body: Vec<u8>) -> Option<Self> {
        Some(Self::new(body)).filter(|chunk| chunk.id == id)
    }

    /// Its id.
    pub fn id(&self) -> ChunkId {
        self.id
    }

    /// What it holds.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The chunk of these objects.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`].
    pub(super) fn of(objects: &Objects) -> Result<Self, StoreError> {
        let kinds = objects.iter().map(|(kind, named)| {
            let named = named.iter().map(|(name, document)| (name.clone(), Value::Object(document.clone())));
            (kind.singular(), named.collect::<Value>())
        });
        let body = kinds.collect::<Value>().to_string().into_bytes();
        if body.len() > MAX_CHUNK_BYTES
            && let Some(key) = largest(objects)
        {
            return Err(StoreError::TooLarge { key, bytes: body.len(), limit_bytes: MAX_CHUNK_BYTES });
        }
        Ok(Self::new(body))
    }

    /// The objects in it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`]: the body is what was written, by another program or another version of this one.
    pub(super) fn objects(&self, bucket: u16) -> Result<Objects, StoreError> {
        let corrupt = |problem: String| StoreError::Corrupt {
            what: format!("chunk {} is not as this program writes it: {problem}", self.id),
            help: "start the program that wrote it".to_owned(),
        };
        let objects: Objects = serde_json::from_slice(&self.body).map_err(|error| corrupt(error.to_string()))?;
        let mut keys = objects.iter().flat_map(|(kind, named)| named.keys().map(|name| Key::new(*kind, name)));
        match keys.find(|key| bucket_of(key) != bucket) {
            Some(stranger) => Err(corrupt(format!("bucket {bucket} has the {stranger}"))),
            None => Ok(objects),
        }
    }
}

fn largest(objects: &Objects) -> Option<Key> {
    let objects =
        objects.iter().flat_map(|(kind, named)| named.iter().map(move |(name, object)| (*kind, name, object)));
    let size = |object: &Document| serde_json::to_string(object).map_or(0, |text| text.len());
    objects.max_by_key(|(_, _, object)| size(object)).map(|(kind, name, _)| Key::new(kind, name))
}

#[cfg(test)]
mod tests {
    use std::iter;

    use serde_json::json;

    use super::*;

    fn vip(name: &str, document: &Value) -> Objects {
        let document = document.as_object().expect("an object").clone();
        Objects::from([(Kind::Vip, BTreeMap::from([(name.to_owned(), document)]))])
    }

    /// Stores that exist would be read wrongly if these changed.
    #[test]
    fn buckets_and_bodies_stay_what_they_are() {
        let buckets = Kind::ALL.map(|kind| bucket_of(&Key::new(kind, "web")));
        assert_eq!(buckets, [103, 173, 451, 338]);
        let chunk = Chunk::of(&vip("web", &json!({"b": 1, "a": {"d": [], "c": null}}))).expect("small");
        assert_eq!(chunk.body(), br#"{"vip":{"web":{"a":{"c":null,"d":[]},"b":1}}}"#);
        assert_eq!(chunk.id().to_string(), "52cd3c7985eea6a92561303a96bf4f5b7ce72d04cd6c3624dd5bef68d8a34962");
    }

    #[test]
    fn body_with_another_hash_is_refused() {
        let chunk = Chunk::new(b"{}".to_vec());
        assert_eq!(Chunk::read(chunk.id(), b"{}".to_vec()), Some(chunk.clone()));
        assert_eq!(Chunk::read(chunk.id(), b"{ }".to_vec()), None);
    }

    #[test]
    fn object_in_the_wrong_bucket_and_bytes_that_are_no_chunk_are_corrupt() {
        let chunk = Chunk::of(&vip("web", &json!({}))).expect("small");
        let bucket = bucket_of(&Key::new(Kind::Vip, "web"));
        chunk.objects(bucket).expect("its own");
        let error = chunk.objects(bucket + 1).expect_err("another's");
        assert!(error.to_string().contains("has the vip web"), "{error}");
        for body in ["", "[]", "{\"route\":{}}", "{\"vip\":{\"a\":1}}", "\u{fffd}"] {
            let error = Chunk::new(body.into()).objects(0).expect_err(body);
            assert!(matches!(error, StoreError::Corrupt { .. }), "{body}: {error}");
        }
    }

    #[test]
    fn object_that_is_too_large_is_named() {
        let mut objects = vip("web", &json!({}));
        let backends: Vec<u8> = iter::repeat_n(7, MAX_CHUNK_BYTES / 2).collect();
        let large = json!({ "backends": backends }).as_object().expect("an object").clone();
        objects.insert(Kind::Pool, BTreeMap::from([("huge".to_owned(), large)]));
        let error = Chunk::of(&objects).expect_err("too large");
        assert!(error.to_string().starts_with("the pool huge and the objects beside it have 1048"), "{error}");
    }

    #[test]
    fn hundred_thousand_objects_spread_evenly() {
        let mut counts = [0_u32; BUCKETS as usize];
        for n in 0..100_000 {
            counts[usize::from(bucket_of(&Key::new(Kind::Vip, format!("vip-{n}"))))] += 1;
        }
        let (least, most) = (counts.iter().min().expect("some"), counts.iter().max().expect("some"));
        assert!(*least > 50 && *most < 150, "{least} to {most}");
    }
}
