//! `create pool`.

use serde_json::Value;

use super::{Common, Flags};
use crate::{cli::input::assign::value_of, documents::Document};

/// Create a pool: the weighted backends of one home region
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp create pool home --home-region guangzhou --backend 10.4.0.2,weight=100,encap=gue
  anycast-xdp create pool spare --home-region far --backend 10.6.0.2 --backend 10.6.0.3,state=drain
  anycast-xdp create pool home -f home.toml --set state=drain

Exit codes: 0 created, 1 failed, 2 refused as it is written, 3 no daemon, 7 it exists, or the newest revision is not \
that of --if-revision")]
pub(super) struct Args {
    /// Region that its backends are in
    #[arg(long, value_name = "REGION")]
    home_region: Option<String>,
    /// What it is there for: up, drain or down
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Share of its flows that it takes before other pools, from 0 to 100
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=100))]
    dial_percent: Option<u8>,
    /// A backend: its address, then its other keys, such as weight, encap and state. May be repeated
    #[arg(long = "backend", value_name = "ADDRESS[,KEY=VALUE...]", value_parser = backend)]
    backends: Vec<Backend>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// The keys of a backend.
#[derive(Clone, Debug, PartialEq)]
struct Backend(Document);

impl From<Backend> for Value {
    fn from(backend: Backend) -> Self {
        Self::Object(backend.0)
    }
}

impl Args {
    pub(super) fn flags(&self) -> Flags {
        Flags::default()
            .text("home_region", self.home_region.as_ref())
            .text("state", self.state.as_ref())
            .number("dial_percent", self.dial_percent)
            .list("backend", &self.backends)
    }
}

/// Reads `10.4.0.2,weight=100,encap=gue`.
fn backend(written: &str) -> Result<Backend, String> {
    let mut words = written.split(',');
    let address = words.next().unwrap_or_default();
    if address.is_empty() || address.contains('=') {
        return Err("begin with the address: 10.4.0.2,weight=100".to_owned());
    }
    let mut keys = Document::from_iter([("address".to_owned(), address.into())]);
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("write `{word}` as key=value"))?;
        if keys.insert(key.to_owned(), value_of(value)?).is_some() {
            return Err(format!("`{key}` is given twice"));
        }
    }
    Ok(Backend(keys))
}
