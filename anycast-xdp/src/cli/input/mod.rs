//! What people write for objects: `--set key=value`, `key=value` lists, and files.

pub(super) mod assign;
pub(super) mod file;
pub(super) mod toml;
