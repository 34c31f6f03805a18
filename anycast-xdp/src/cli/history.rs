//! `history`: the revisions.

use serde_json::Value;

use super::{exit::Outcome, remote::Asking, render};
use crate::{
    api::types::{Revisions, RevisionsQuery},
    client::Answer,
};

/// Revisions that are asked for at once.
const PAGE: usize = 500;

/// List the revisions of the services, newest first: who asked for what, and when
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp history
  anycast-xdp history --limit 1 --output json | jq '.items[0].author'

Exit codes: 0 shown, 1 failed, 3 no daemon")]
pub(super) struct Args {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    remote: Asking,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let limit = args.limit as usize;
    let page = |before, count: usize| RevisionsQuery { limit: Some(count.min(PAGE)), before };
    let answer = args.remote.ask(None, async |client| {
        let mut all = client.revisions(&page(None, limit)).await?;
        while let Some(before) = all.value.next {
            let wanted = limit.saturating_sub(all.value.items.len());
            if wanted == 0 {
                break;
            }
            append(&mut all, client.revisions(&page(Some(before), wanted)).await?);
        }
        Ok(all)
    })?;
    args.remote.write(&answer, |revisions, style| render::history(&revisions.items, style))
}

/// Puts a page behind those before it.
fn append(all: &mut Answer<Revisions>, more: Answer<Revisions>) {
    all.value.items.extend(more.value.items);
    all.value.next = more.value.next;
    let Value::Object(mut more) = more.json else {
        return;
    };
    if let (Some(Value::Array(items)), Some(Value::Array(later))) = (all.json.get_mut("items"), more.remove("items")) {
        items.extend(later);
    }
    if let Some(next) = all.json.get_mut("next") {
        *next = more.remove("next").unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(revisions: &[u64], next: Option<u64>) -> Answer<Revisions> {
        let item = |revision: &u64| {
            json!({ "revision": revision, "parent": null, "at_unix_ms": 0, "author": "root", "action": "apply",
                    "created": 0, "updated": 0, "deleted": 0 })
        };
        let json = json!({ "items": revisions.iter().map(item).collect::<Vec<_>>(), "next": next });
        Answer { value: serde_json::from_value(json.clone()).unwrap(), json }
    }

    #[test]
    fn pages_become_one_answer() {
        let mut all = page(&[3, 2], Some(2));
        append(&mut all, page(&[1], None));
        assert_eq!(all, page(&[3, 2, 1], None));
    }
}
