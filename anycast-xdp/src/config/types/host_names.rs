//! Names of things of the host: files, groups, sockets.

use std::{net::SocketAddr, path::PathBuf};

use toml::de::DeValue;

use super::{FieldType, text};
use crate::config::findings::Problem;

/// A path that means the same wherever the daemon is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AbsolutePath(pub(crate) PathBuf);

impl FieldType for AbsolutePath {
    fn kind() -> String {
        "absolute path".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let path = PathBuf::from(text::<Self>(value)?);
        if !path.is_absolute() || path.file_name().is_none() {
            let what = format!("`{}` is not an absolute path of a file", path.display());
            return Err(Problem::new(what, "write it from the root on: \"/var/lib/anycast-xdp/default.db\""));
        }
        Ok(Self(path))
    }
}

/// The name of a group of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupName(pub(crate) String);

impl FieldType for GroupName {
    fn kind() -> String {
        "name of a group".to_owned()
    }

    /// Accepts what `groupadd` accepts (shadow-utils, lib/chkname.c).
    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let name = text::<Self>(value)?;
        let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !starts_well || name.len() > 32 || !name.chars().all(allowed) {
            let what = format!("`{name}` is not the name of a group");
            return Err(Problem::new(what, "write a name that `getent group` shows"));
        }
        Ok(Self(name.to_owned()))
    }
}

impl FieldType for SocketAddr {
    fn kind() -> String {
        "address and port".to_owned()
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let written = text::<Self>(value)?;
        written.parse().map_err(|_| {
            Problem::new(
                format!("`{written}` is not an address and port"),
                "write both, such as \"127.0.0.1:9642\" or \"[::1]:9642\"",
            )
        })
    }
}
