//! Whole files in, desired state or error report out.

mod broken;
mod fuzz;
mod publishing;
mod stored;
mod valid;

use std::{fmt::Write as _, path::Path};

use super::parse;

const POP: &str = include_str!("../../../../docs/examples/pop.toml");
const GATEWAY: &str = include_str!("../../../../docs/examples/gateway.toml");

/// The smallest PoP: broken files in the tests differ from it by what they are about.
const SMALL_POP: &str = r#"
role = "pop"
[host]
pop = "beijing"
name = "beijing-1"
[hash]
seed = "000102030405060708090a0b0c0d0e0f"
[tunnel]
source_ipv4 = "10.3.0.2"
[[interface]]
name = "eth0"
roles = ["access", "backbone"]
[[pool]]
name = "home"
home_region = "guangzhou"
[[pool.backend]]
address = "10.4.0.2"
[[vip]]
name = "web"
address = "192.0.2.80"
pool = "home"
"#;

/// The smallest gateway.
const SMALL_GATEWAY: &str = r#"
role = "gateway"
[host]
pop = "guangzhou"
name = "gateway-1"
[gateway]
tunnel_addresses = ["10.4.0.2"]
allowed_sources = ["10.3.0.0/16"]
[[interface]]
name = "eth0"
roles = ["backbone"]
[[vip]]
name = "web"
address = "192.0.2.80"
"#;

/// The file with line numbers, and what is told about it.
fn report(text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    let mut report = String::new();
    for (index, line) in text.lines().enumerate() {
        writeln!(report, "{:3} | {line}", index + 1).unwrap();
    }
    match parse(text, Path::new("test.toml")) {
        Ok(_) => report + "\naccepted",
        Err(errors) => format!("{report}\n{errors}"),
    }
}

/// The first occurrence of `old`, which must be there, replaced.
fn changed(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old}");
    text.replacen(old, new, 1)
}
