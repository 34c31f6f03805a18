//! Service objects as they were written: PoPs, prefixes, pools and VIPs, each a JSON object under its kind and name.
//!
//! This is the form that files, the API and the store share. What a document means is told by [`config`](crate::config),
//! which reads it by the same schema as a file; defaults are not filled in, so that what was written comes out again.

use std::{fmt, str::FromStr, sync::Arc};

use imbl::{OrdMap, ordmap::DiffItem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What an object is. In this order a change adds them: what is referred to comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A site that hosts are at.
    Pop,
    /// What BGP announces.
    Prefix,
    /// The weighted backends of one home region.
    Pool,
    /// An anycast service address.
    Vip,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pop, Self::Prefix, Self::Pool, Self::Vip];

    /// As a key of a file, an argument of a command and in messages.
    pub const fn singular(self) -> &'static str {
        match self {
            Self::Pop => "pop",
            Self::Prefix => "prefix",
            Self::Pool => "pool",
            Self::Vip => "vip",
        }
    }

    /// As a path of the API.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Pop => "pops",
            Self::Prefix => "prefixes",
            Self::Pool => "pools",
            Self::Vip => "vips",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.singular())
    }
}

impl FromStr for Kind {
    type Err = String;

    /// Takes both numbers: `vip` and `vips`.
    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| word == kind.singular() || word == kind.plural());
        known.ok_or_else(|| format!("`{word}` is no kind of object; write pop, prefix, pool or vip"))
    }
}

/// Kind and name of an object; names are unique within a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The key of an object of this kind and name.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// One object without its name, which is in its key.
pub type Document = Map<String, Value>;

/// All service objects of one revision. A copy shares the objects, each under the same key: `store::difference` takes an
/// object that two have in common for unchanged without a look at its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents(OrdMap<Key, Arc<Document>>);

impl Documents {
    /// The object, if there is one.
    pub fn get(&self, key: &Key) -> Option<&Document> {
        self.0.get(key).map(AsRef::as_ref)
    }

    /// Puts an object in the place of the one with its key; true: there was one.
    pub fn put(&mut self, key: Key, document: Document) -> bool {
        self.0.insert(key, Arc::new(document)).is_some()
    }

    /// Takes an object away; true: there was one.
    pub fn remove(&mut self, key: &Key) -> bool {
        self.0.remove(key).is_some()
    }

    /// Every object, by kind and name.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Document)> {
        self.0.iter().map(|(key, document)| (key, document.as_ref()))
    }

    /// The objects of a kind, by name.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &Document)> {
        let first = Key::new(kind, "");
        let objects = self.0.range(first..).take_while(move |(key, _)| key.kind == kind);
        objects.map(|(key, document)| (key.name.as_str(), document.as_ref()))
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.of(kind).count()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every object that is not the same in `after`: its key, what it was and what it is, by kind and name. What both share is
    /// not looked at.
    pub fn changes<'a>(
        &'a self,
        after: &'a Self,
    ) -> impl Iterator<Item = (&'a Key, Option<&'a Document>, Option<&'a Document>)> {
        self.0.diff(&after.0).map(|item| match item {
            DiffItem::Add(key, document) => (key, None, Some(document.as_ref())),
            DiffItem::Update { old: (key, before), new: (_, after) } => {
                (key, Some(before.as_ref()), Some(after.as_ref()))
            }
            DiffItem::Remove(key, document) => (key, Some(document.as_ref()), None),
        })
    }

    /// Do both have the very same object there? Cheap where one is a copy of the other.
    pub fn agree_on(&self, other: &Self, key: &Key) -> bool {
        match (self.0.get(key), other.0.get(key)) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl FromIterator<(Key, Document)> for Documents {
    fn from_iter<I: IntoIterator<Item = (Key, Document)>>(objects: I) -> Self {
        Self(objects.into_iter().map(|(key, document)| (key, Arc::new(document))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_a_kind_are_in_order_and_no_others_among_them() {
        let keys = [(Kind::Vip, "b"), (Kind::Pool, "z"), (Kind::Vip, "a"), (Kind::Prefix, "p")];
        let documents: Documents =
            keys.map(|(kind, name)| (Key::new(kind, name), Document::new())).into_iter().collect();
        let names = |kind| documents.of(kind).map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(Kind::Vip), ["a", "b"]);
        assert_eq!(names(Kind::Pool), ["z"]);
        assert_eq!(names(Kind::Prefix), ["p"]);
    }

    #[test]
    fn kind_is_read_in_both_numbers() {
        for kind in Kind::ALL {
            assert_eq!(kind.singular().parse(), Ok(kind));
            assert_eq!(kind.plural().parse(), Ok(kind));
        }
        assert!("route".parse::<Kind>().is_err());
    }
}
