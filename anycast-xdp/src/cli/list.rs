//! `list`: the objects of a kind, page by page.

use serde_json::Value;

use super::{exit::Outcome, input::assign::label, remote::Asking, render, writer};
use crate::{
    api::types::{ListQuery, Page},
    client::{Answer, Client, ClientError},
    documents::Kind,
};

/// Objects that are asked for at once.
const PAGE: usize = 10_000;
/// How often a list is begun again that others change while it is read.
const BEGUN_AGAIN_MAX: u32 = 4;

/// List PoPs, prefixes, pools or VIPs
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp list vips
  anycast-xdp list vips --label team=game --contains 192.0.2.
  anycast-xdp list pools --output json | jq -r '.items[].name'

Exit codes: 0 shown, 1 failed, 2 wrong usage, 3 no daemon")]
pub(super) struct Args {
    /// What to list
    kind: Kind,
    /// Only those with this label
    #[arg(long, value_name = "KEY=TEXT", value_parser = label)]
    label: Option<(String, String)>,
    /// Only those with this text in their name or in a value
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,
    /// At most so many; without: all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    remote: Asking,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let limit = args.limit.map_or(usize::MAX, |limit| limit as usize);
    let label = args.label.as_ref().map(|(key, text)| format!("{key}={text}"));
    let query = ListQuery { contains: args.contains.clone(), label, ..ListQuery::default() };
    let answer = args.remote.ask(None, async |client| {
        let mut tries = 0;
        loop {
            tries += 1;
            if let Some(answer) = pages(&client, args.kind, &query, limit, tries > BEGUN_AGAIN_MAX).await? {
                return Ok(answer);
            }
        }
    })?;
    args.remote.write(&answer, |page, style| render::objects(args.kind, &page.items, style))?;
    let Page { total, items, .. } = &answer.value;
    if items.len() < *total {
        writer::tell(&format!("{} of {total} are shown; --limit says how many\n", items.len()));
    }
    Ok(())
}

/// As many pages as are wanted, as one. `None`: others changed the objects meanwhile, unless that `may_change`.
async fn pages(
    client: &Client,
    kind: Kind,
    query: &ListQuery,
    limit: usize,
    may_change: bool,
) -> Result<Option<Answer<Page>>, ClientError> {
    let page = |after, count: usize| ListQuery { limit: Some(count.min(PAGE)), after, ..query.clone() };
    let mut all = client.list(kind, &page(None, limit)).await?;
    while let Some(after) = all.value.next.clone() {
        let wanted = limit.saturating_sub(all.value.items.len());
        if wanted == 0 {
            break;
        }
        let more = client.list(kind, &page(Some(after), wanted)).await?;
        if more.value.revision != all.value.revision && !may_change {
            return Ok(None);
        }
        append(&mut all, more);
    }
    Ok(Some(all))
}

/// Puts a page behind those before it; all but the objects is that of the newer page.
fn append(all: &mut Answer<Page>, mut more: Answer<Page>) {
    std::mem::swap(all, &mut more);
    let earlier = more;
    all.value.items.splice(0..0, earlier.value.items);
    if let (Some(Value::Array(items)), Some(Value::Array(before))) =
        (all.json.get_mut("items"), earlier.json.get("items"))
    {
        items.splice(0..0, before.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(revision: u64, names: &[&str], next: Option<&str>) -> Answer<Page> {
        let items: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
        let json = json!({ "revision": revision, "total": 3, "items": items, "next": next });
        Answer { value: serde_json::from_value(json.clone()).unwrap(), json }
    }

    #[test]
    fn pages_become_one_answer() {
        let mut all = page(7, &["a", "b"], Some("b"));
        append(&mut all, page(8, &["c"], None));
        assert_eq!(all, page(8, &["a", "b", "c"], None));
    }
}
