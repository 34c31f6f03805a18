//! `--set key=value` and `--unset key`.

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::toml::json;

/// A key of an object, with the tables that it is in: `labels.team`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct KeyPath(Vec<String>);

/// What a key is to be.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Assignment {
    key: KeyPath,
    value: Value,
}

/// Reads `key`, as TOML writes keys: bare or in quotes, with dots between.
pub(in crate::cli) fn key_path(written: &str) -> Result<KeyPath, String> {
    let help =
        || format!("`{written}` is no key; write it like `weight`, `labels.team` or `labels.\"example.com/team\"`");
    if written.contains(['\n', '\r']) {
        return Err(help());
    }
    let line = format!("{written} = 0");
    let root = DeTable::parse(&line).map_err(|_| help())?;
    let (mut path, mut table) = (Vec::new(), root.get_ref());
    while let Some((key, value)) = table.iter().next() {
        path.push(key.get_ref().to_string());
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            // Something behind the key, such as `a = 1 #`, has hidden the value that belongs to it.
            None if value.span().end < line.len() => return Err(help()),
            None => break,
        }
    }
    if path.is_empty() { Err(help()) } else { Ok(KeyPath(path)) }
}

/// Reads `key=value`.
pub(in crate::cli) fn assignment(written: &str) -> Result<Assignment, String> {
    let (key, value) = written.split_once('=').ok_or("write it as key=value")?;
    Ok(Assignment { key: key_path(key)?, value: value_of(value)? })
}

/// Reads `key=text`: a label.
pub(in crate::cli) fn label(written: &str) -> Result<(String, String), String> {
    let (key, value) = written.split_once('=').ok_or("write it as key=value")?;
    if key.is_empty() {
        return Err("write a key before the `=`".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads a value as TOML does; a word that is no value of TOML is a string.
pub(in crate::cli) fn value_of(written: &str) -> Result<Value, String> {
    let is_quoted_or_nested = written.trim_start().starts_with(['"', '\'', '[', '{']);
    match DeValue::parse(written) {
        Ok(value) if is_quoted_or_nested => Ok(json(value.get_ref())),
        Err(error) if is_quoted_or_nested => Err(format!("`{written}` is no value of TOML: {}", error.message())),
        // A date is a word here, as are numbers that JSON has not.
        Ok(value) => Ok(Some(json(value.get_ref())).filter(|value| !value.is_string()).unwrap_or(written.into())),
        Err(_) => Ok(written.into()),
    }
}

impl Assignment {
    /// Puts the value into the object.
    pub(in crate::cli) fn put(&self, object: &mut Map<String, Value>) -> Result<(), String> {
        self.key.put(object, self.value.clone())
    }
}

impl KeyPath {
    /// The key with these names.
    pub(in crate::cli) fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).to_owned()).collect())
    }

    /// Puts a value at this key, in the tables that it is in, which are made.
    pub(in crate::cli) fn put(&self, object: &mut Map<String, Value>, value: Value) -> Result<(), String> {
        let Some((last, tables)) = self.0.split_last() else {
            return Ok(());
        };
        let mut table = object;
        for name in tables {
            let inner = table.entry(name).or_insert_with(|| Value::Object(Map::new()));
            table = inner.as_object_mut().ok_or_else(|| format!("`{name}` has a value, and no `{last}` in it"))?;
        }
        table.insert(last.clone(), value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(written: &[&str]) -> Value {
        let mut object = Map::new();
        for one in written {
            assignment(one).unwrap().put(&mut object).unwrap();
        }
        Value::Object(object)
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = (assignment(&text), key_path(&text));
            let quoted = Value::String(text).to_string();
            // JSON's escapes are TOML's, but for the solidus, which is not written so.
            proptest::prop_assert_eq!(value_of(&quoted).unwrap().to_string(), quoted);
        }
    }

    #[test]
    fn bare_words_are_strings_and_values_of_toml_are_values() {
        for (written, value) in [
            ("drain", json!("drain")),
            ("192.0.2.10", json!("192.0.2.10")),
            ("192.0.2.0/24", json!("192.0.2.0/24")),
            ("2001:db8::80", json!("2001:db8::80")),
            ("2026-11-28", json!("2026-11-28")),
            ("5-tuple", json!("5-tuple")),
            ("inf", json!("inf")),
            ("99999999999999999999", json!("99999999999999999999")),
            ("", json!("")),
            ("100", json!(100)),
            ("0x10", json!(16)),
            ("-1", json!(-1)),
            ("1.5", json!(1.5)),
            ("true", json!(true)),
            ("\"100\"", json!("100")),
            ("'true'", json!("true")),
            ("[\"tcp/80\", \"icmp\"]", json!(["tcp/80", "icmp"])),
            ("[{ address = \"10.4.0.2\", weight = 50 }]", json!([{ "address": "10.4.0.2", "weight": 50 }])),
        ] {
            assert_eq!(value_of(written), Ok(value), "{written}");
        }
    }

    #[test]
    fn what_begins_as_toml_must_be_toml() {
        for written in ["[\"tcp/80\"", "{a=1", "\"web", "[tcp/80]"] {
            let told = value_of(written).unwrap_err();
            assert!(told.starts_with(&format!("`{written}` is no value of TOML: ")), "{told}");
        }
    }

    #[test]
    fn keys_with_dots_are_in_tables() {
        assert_eq!(
            set(&["labels.team=game", "labels.\"example.com/tier\"=1", "pool=home"]),
            json!({ "labels": { "team": "game", "example.com/tier": 1 }, "pool": "home" })
        );
        assert_eq!(set(&["a=b=c"]), json!({ "a": "b=c" }));
    }

    #[test]
    fn what_is_no_assignment_is_refused() {
        for written in ["weight", "=1", "a b=1", "a..b=1", "a\n=1", "[a]=1"] {
            assert!(assignment(written).is_err(), "{written}");
        }
        for written in ["a=1", "a = 1 #", "a = 0 #", "a # b", ""] {
            assert!(key_path(written).is_err(), "{written}");
        }
        let mut object = Map::new();
        assignment("labels=x").unwrap().put(&mut object).unwrap();
        let inner = assignment("labels.team=game").unwrap().put(&mut object);
        assert_eq!(inner, Err("`labels` has a value, and no `team` in it".to_owned()));
    }
}
