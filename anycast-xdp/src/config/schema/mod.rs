//! The shape of a configuration file: one table of sections and fields, from which the reader takes keys, types and
//! defaults, the check for unknown keys its names, and the reference its text.

pub(super) mod fields;
mod json;
mod suggest;

use std::marker::PhantomData;

use serde_json::Value;

pub use self::json::json_schema;
pub(super) use self::suggest::nearest;

use super::types::FieldType;

/// What becomes of a field that is left out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Presence {
    /// It must be there.
    Required,
    /// TOML text of the value that it then has.
    Default(&'static str),
    /// What that means, for the reference.
    Optional(&'static str),
}

/// One field, its type erased.
#[derive(Clone, Copy)]
pub(super) struct Spec {
    pub(super) key: &'static str,
    /// Names the type in the reference.
    pub(super) kind: fn() -> String,
    /// The type as JSON Schema.
    pub(super) json_schema: fn() -> Value,
    /// It is a list of that type.
    pub(super) list: bool,
    pub(super) presence: Presence,
    pub(super) description: &'static str,
    /// What to do when it is missing, beyond "add it".
    pub(super) missing_help: Option<&'static str>,
}

/// One field whose value, or whose elements, are `T`.
pub(super) struct Field<T> {
    pub(super) spec: Spec,
    value: PhantomData<fn() -> T>,
}

impl<T: FieldType> Field<T> {
    pub(super) const fn required(key: &'static str, description: &'static str) -> Self {
        Self::new(key, Presence::Required, description)
    }

    pub(super) const fn default(key: &'static str, default: &'static str, description: &'static str) -> Self {
        Self::new(key, Presence::Default(default), description)
    }

    pub(super) const fn optional(key: &'static str, absent: &'static str, description: &'static str) -> Self {
        Self::new(key, Presence::Optional(absent), description)
    }

    pub(super) const fn list(mut self) -> Self {
        self.spec.list = true;
        self
    }

    pub(super) const fn missing_help(mut self, help: &'static str) -> Self {
        self.spec.missing_help = Some(help);
        self
    }

    const fn new(key: &'static str, presence: Presence, description: &'static str) -> Self {
        let spec = Spec {
            key,
            kind: T::kind,
            json_schema: T::json_schema,
            list: false,
            presence,
            description,
            missing_help: None,
        };
        Self { spec, value: PhantomData }
    }
}

/// Which roles a section belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Roles {
    Both,
    Pop,
    Gateway,
}

/// A table of the file, or a list of tables.
#[derive(Clone, Copy)]
pub(super) struct Section {
    /// Key in the section that holds it.
    pub(super) key: &'static str,
    /// As it is written in a file, `[host]` or `[[vip]]`.
    pub(super) header: &'static str,
    pub(super) roles: Roles,
    pub(super) required: bool,
    pub(super) description: &'static str,
    pub(super) fields: &'static [Spec],
    pub(super) sections: &'static [Section],
    /// Where there are several: the key that tells them apart.
    pub(super) name_key: &'static str,
}

impl Section {
    /// Every key that may stand in it.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.key).chain(self.sections.iter().map(|section| section.key))
    }

    /// The keys that it must have.
    pub(super) fn required_keys(&self) -> Vec<&'static str> {
        let fields = self.fields.iter().filter(|field| matches!(field.presence, Presence::Required));
        let sections = self.sections.iter().filter(|section| section.required);
        fields.map(|field| field.key).chain(sections.map(|section| section.key)).collect()
    }

    /// It is written `[[header]]`, once for each.
    pub(super) fn is_list(&self) -> bool {
        self.header.starts_with("[[")
    }
}
