//! Reads the tables of a parsed file by the schema. Whatever is wrong goes to the findings, and reading goes on.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    findings::{Findings, Problem},
    place::{Located, Place},
    schema::{Field, Presence, Section, nearest},
    types::{FieldType, article, type_name},
};

/// One table of the file and the section of the schema that describes it.
pub(super) struct Table<'a> {
    entries: &'a DeTable<'a>,
    section: &'static Section,
    pub(super) place: Place,
}

impl<'a> Table<'a> {
    /// Takes a table and refuses the keys in it that its section does not know.
    pub(super) fn new(
        entries: &'a DeTable<'a>,
        section: &'static Section,
        place: Place,
        findings: &mut Findings<'_>,
    ) -> Self {
        for key in entries.keys() {
            let word: &str = key.get_ref();
            if !section.keys().any(|known| known == word) {
                let help = match nearest(word, section.keys()) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!("remove it; known here: {}", section.keys().collect::<Vec<_>>().join(", ")),
                };
                let home = if section.header.is_empty() {
                    "at the top of the file".to_owned()
                } else {
                    format!("in {}", section.header)
                };
                let problem = Problem::new(format!("no such key {home}"), help);
                findings.refuse(&place.key(&quoted_if_odd(word), &key.span()), problem);
            }
        }
        Self { entries, section, place }
    }

    /// The value of a field, or its default. `None`: it is not there, or was refused.
    pub(super) fn read<T: FieldType>(&self, field: &Field<T>, findings: &mut Findings<'_>) -> Option<Located<T>> {
        let key = field.spec.key;
        let Some(value) = self.entries.get(key) else {
            return self.absent(field, findings);
        };
        located(value, self.place.key(key, &value.span()), findings)
    }

    /// The elements of a list field that were not refused. `None`: the list is not there, or is none.
    pub(super) fn read_list<T: FieldType>(
        &self,
        field: &Field<T>,
        findings: &mut Findings<'_>,
    ) -> Option<Located<Vec<Located<T>>>> {
        let key = field.spec.key;
        let Some(value) = self.entries.get(key) else {
            self.absent(field, findings);
            return None;
        };
        let place = self.place.key(key, &value.span());
        let Some(list) = value.get_ref().as_array() else {
            let what =
                format!("expected a list, each {}, found {}", article(&T::kind()), article(type_name(value.get_ref())));
            findings.refuse(&place, Problem::new(what, "write it in square brackets: [...]"));
            return None;
        };
        if list.is_empty() {
            let help = match field.spec.presence {
                Presence::Optional(absent) => format!("remove `{key}` to mean: {absent}"),
                Presence::Required | Presence::Default(_) => format!("add at least one {}", T::kind()),
            };
            findings.refuse(&place, Problem::new("the list is empty", help));
        }
        let elements = list.iter().enumerate();
        let value =
            elements.filter_map(|(at, value)| located(value, place.item(at, &value.span()), findings)).collect();
        Some(Located { value, place })
    }

    /// The section `[key]` within this table.
    pub(super) fn section(&self, section: &'static Section, findings: &mut Findings<'_>) -> Option<Table<'a>> {
        let Some((key, value)) = self.entries.get_key_value(section.key) else {
            self.refuse_absent_section(section, findings);
            return None;
        };
        // A table without header of its own (`host.pop = ...`) has no span; its first key stands in for it.
        let span = if value.span().is_empty() { key.span() } else { value.span() };
        open(value, section, self.place.key(section.key, &span), findings)
    }

    /// The sections `[[key]]` within this table.
    pub(super) fn sections(&self, section: &'static Section, findings: &mut Findings<'_>) -> Vec<Table<'a>> {
        let Some(value) = self.entries.get(section.key) else {
            self.refuse_absent_section(section, findings);
            return Vec::new();
        };
        let place = self.place.key(section.key, &value.span());
        let Some(list) = value.get_ref().as_array() else {
            let found = article(type_name(value.get_ref()));
            let help = format!("write `{}` above each of them", section.header);
            findings.refuse(&place, Problem::new(format!("expected a list of tables, found {found}"), help));
            return Vec::new();
        };
        if list.is_empty() && section.required {
            self.refuse_absent_section(section, findings);
        }
        let tables = list.iter().enumerate();
        tables
            .filter_map(|(at, value)| {
                let name = value.get_ref().get(section.name_key).and_then(|name| name.get_ref().as_str());
                let place = match name.filter(|_| findings.goes_by_names(place.text())) {
                    Some(name) => place.key(&quoted_if_odd(name), &value.span()),
                    None => place.item(at, &value.span()),
                };
                open(value, section, place, findings)
            })
            .collect()
    }

    /// Whether the file has the field, right or wrong.
    pub(super) fn has<T>(&self, field: &Field<T>) -> bool {
        self.entries.contains_key(field.spec.key)
    }

    /// The place of the value of a field, if the file has it.
    pub(super) fn place_of_key<T>(&self, field: &Field<T>) -> Option<Place> {
        let key = field.spec.key;
        self.entries.get(key).map(|value| self.place.key(key, &value.span()))
    }

    /// The place of a section of this table, if the file has it.
    pub(super) fn place_of(&self, section: &Section) -> Option<Place> {
        self.entries.get_key_value(section.key).map(|(key, _)| self.place.key(section.key, &key.span()))
    }

    fn absent<T: FieldType>(&self, field: &Field<T>, findings: &mut Findings<'_>) -> Option<Located<T>> {
        let spec = &field.spec;
        let place = self.place.missing(spec.key);
        match spec.presence {
            Presence::Optional(_) => None,
            Presence::Default(text) => {
                // A default is a value of the schema; a test reads them all.
                let (value, _) = DeValue::parse_recoverable(text);
                located(&value, place, findings)
            }
            Presence::Required => {
                let home = match self.section.header {
                    "" => "at the top of the file".to_owned(),
                    header => format!("to {header}"),
                };
                let kind =
                    if spec.list { format!("a list, each {}", article(&T::kind())) } else { article(&T::kind()) };
                let help = match spec.missing_help {
                    Some(help) => help.to_owned(),
                    None => format!("add `{}`, {kind}, {home}", spec.key),
                };
                findings.refuse(&place, Problem::new("missing", help));
                None
            }
        }
    }

    fn refuse_absent_section(&self, section: &Section, findings: &mut Findings<'_>) {
        if section.required {
            let help = format!("add `{}` with {}", section.header, section.required_keys().join(", "));
            findings.refuse(&self.place.missing(section.key), Problem::new("missing", help));
        }
    }
}

fn open<'a>(
    value: &'a Spanned<DeValue<'a>>,
    section: &'static Section,
    place: Place,
    findings: &mut Findings<'_>,
) -> Option<Table<'a>> {
    let Some(entries) = value.get_ref().as_table() else {
        let found = article(type_name(value.get_ref()));
        let help = format!("write `{}` above its keys", section.header);
        findings.refuse(&place, Problem::new(format!("expected a table, found {found}"), help));
        return None;
    };
    Some(Table::new(entries, section, place, findings))
}

fn located<T: FieldType>(
    value: &Spanned<DeValue<'_>>,
    place: Place,
    findings: &mut Findings<'_>,
) -> Option<Located<T>> {
    match T::from_value(value.get_ref()) {
        Ok(value) => Some(Located { value, place }),
        Err(problem) => {
            findings.refuse(&place, problem);
            None
        }
    }
}

/// A key as a path shows it: bare if TOML could write it so.
fn quoted_if_odd(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { format!("{key:?}") }
}
