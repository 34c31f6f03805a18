//! `update`: other values for keys of an object.

use serde_json::Value;

use super::{
    exit::{Failure, Outcome},
    input::assign::{Assignment, KeyPath, assignment, key_path},
    remote::Changing,
};
use crate::documents::{Document, Key, Kind};

/// Change keys of a PoP, prefix, pool or VIP
///
/// Keys that are not named stay as they are. A list is replaced as a whole; `backend` and `vip bind` change single
/// backends and pools.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp update vip web --set 'listeners=[\"tcp/80\", \"tcp/443\"]' --unset hash
  anycast-xdp update pool home --set state=drain
  anycast-xdp update pool home --set dial_percent=10
  anycast-xdp update vip web --set labels.team=game --unset labels.tier --if-revision 41

Exit codes: 0 changed, or it was so before, 1 failed, 2 refused as it is written, 3 no daemon, 7 the newest revision is \
not that of --if-revision, 8 no such object")]
pub(super) struct Args {
    /// What it is
    kind: Kind,
    /// Its name
    name: String,
    /// A key and its value in TOML; a bare word is a string. May be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment, required_unless_present = "unset")]
    set: Vec<Assignment>,
    /// A key that is taken away. May be repeated
    #[arg(long, value_name = "KEY", value_parser = key_path)]
    unset: Vec<KeyPath>,
    #[command(flatten)]
    remote: Changing,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let patch = patch(&args.set, &args.unset).map_err(|problem| Failure::Refused(format!("error: {problem}")))?;
    let key = Key::new(args.kind, &args.name);
    args.remote.change(None, async |client, query| client.update(&key, patch, &query).await)
}

/// The merge patch (RFC 7396): `null` takes a key away.
fn patch(set: &[Assignment], unset: &[KeyPath]) -> Result<Value, String> {
    let mut patch = Document::new();
    for key in unset {
        key.put(&mut patch, Value::Null).map_err(|problem| format!("--unset: {problem}"))?;
    }
    for assignment in set {
        assignment.put(&mut patch).map_err(|problem| format!("--set: {problem}"))?;
    }
    Ok(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn set_and_unset_become_a_merge_patch() {
        let set = ["state=drain", "labels.team=game"].map(|written| assignment(written).unwrap());
        let unset = ["hash", "labels.tier"].map(|written| key_path(written).unwrap());
        let wanted = json!({ "state": "drain", "hash": null, "labels": { "team": "game", "tier": null } });
        assert_eq!(patch(&set, &unset), Ok(wanted));
    }

    #[test]
    fn key_in_what_is_taken_away_is_refused() {
        let set = [assignment("labels.team=game").unwrap()];
        let unset = [key_path("labels").unwrap()];
        assert_eq!(patch(&set, &unset), Err("--set: `labels` has a value, and no `team` in it".to_owned()));
    }
}
