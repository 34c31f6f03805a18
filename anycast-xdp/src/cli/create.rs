//! `create`: a new object, from flags, `--set` and a file.

mod pool;
mod pop;
mod prefix;
#[cfg(test)]
mod tests;
mod vip;

use clap::Subcommand;
use serde_json::Value;

use super::{
    exit::{Failure, Outcome},
    input::{
        assign::{Assignment, KeyPath, assignment, label},
        file,
    },
    remote::Changing,
};
use crate::{
    api::types::NamedDocument,
    documents::{Document, Kind},
};

/// Create a PoP, prefix, pool or VIP
///
/// Its keys are those of `[[pop]]`, `[[prefix]]`, `[[pool]]` and `[[vip]]` in a file of services. They come from a file, from flags
/// and from --set, and what comes later takes the place of what came before. The result is checked as a whole: what is
/// not valid changes nothing.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp create prefix anycast-v4 --prefix 192.0.2.0/24 --publish beijing,shanghai
  anycast-xdp create pool home --home-region guangzhou --backend 10.4.0.2,weight=100,encap=gue
  anycast-xdp create vip web --address 192.0.2.10 --pool home --listener tcp/80 --label team=game

Exit codes: 0 created, 1 failed, 2 refused as it is written, 3 no daemon, 7 it exists, or the newest revision is not \
that of --if-revision")]
pub(super) struct Args {
    #[command(subcommand)]
    kind: KindArgs,
}

#[derive(Debug, Subcommand)]
enum KindArgs {
    #[command(alias = "pops")]
    Pop(pop::Args),
    #[command(alias = "prefixes")]
    Prefix(prefix::Args),
    #[command(alias = "pools")]
    Pool(pool::Args),
    #[command(alias = "vips")]
    Vip(Box<vip::Args>),
}

/// What all kinds have.
#[derive(clap::Args, Debug)]
struct Common {
    /// Its name, unique within its kind
    name: String,
    /// A label: a key and a text of your own. May be repeated
    #[arg(long = "label", value_name = "KEY=TEXT", value_parser = label)]
    labels: Vec<(String, String)>,
    /// A key and its value in TOML; a bare word is a string. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<Assignment>,
    /// A file with the keys of the object in TOML or JSON; - is stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    #[command(flatten)]
    remote: Changing,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let (kind, common, flags) = match &args.kind {
        KindArgs::Pop(args) => (Kind::Pop, &args.common, args.flags()),
        KindArgs::Prefix(args) => (Kind::Prefix, &args.common, args.flags()),
        KindArgs::Pool(args) => (Kind::Pool, &args.common, args.flags()),
        KindArgs::Vip(args) => (Kind::Vip, &args.common, args.flags()),
    };
    let object = NamedDocument { name: common.name.clone(), document: document(common, flags)? };
    common.remote.change(None, async |client, query| client.create(kind, &object, &query).await)
}

/// The keys from the file, then those from flags, then those from `--set`.
fn document(common: &Common, flags: Flags) -> Result<Document, Failure> {
    let mut document = match &common.file {
        Some(file) => file::read(file)?.document()?,
        None => Document::new(),
    };
    if let Some(name) = document.remove("name").filter(|name| *name != *common.name) {
        let message = format!("error: the file names the object {name}, and the command `{}`", common.name);
        return Err(Failure::Refused(message));
    }
    document.extend(flags.0);
    for (key, text) in &common.labels {
        let put = KeyPath::of(&["labels", key]).put(&mut document, text.clone().into());
        put.map_err(|problem| Failure::Refused(format!("error: --label: {problem}")))?;
    }
    for assignment in &common.set {
        assignment.put(&mut document).map_err(|problem| Failure::Refused(format!("error: --set: {problem}")))?;
    }
    Ok(document)
}

/// The keys that flags stand for: those that were given.
#[derive(Default)]
struct Flags(Document);

impl Flags {
    fn text(mut self, key: &str, value: Option<&String>) -> Self {
        self.0.extend(value.map(|value| (key.to_owned(), value.clone().into())));
        self
    }

    fn number(mut self, key: &str, value: Option<u8>) -> Self {
        self.0.extend(value.map(|value| (key.to_owned(), value.into())));
        self
    }

    fn list(mut self, key: &str, values: &[impl Clone + Into<Value>]) -> Self {
        if !values.is_empty() {
            self.0.insert(key.to_owned(), values.iter().cloned().map(Into::into).collect());
        }
        self
    }
}
