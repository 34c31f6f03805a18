//! Answers of the daemon about services.

use serde_json::{Value, json};

use super::super::{Style, api_error, change_result, diff, history, object, objects, plan};
use crate::{
    api::types::{ApiError, ChangeResult, Diff, NamedDocument, ObjectAnswer, Plan, RevisionItem},
    documents::Kind,
};

const PLAIN: Style = Style { width: Some(80), colours: false };
const COLOURED: Style = Style { width: Some(80), colours: true };

fn read<T: serde::de::DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn example_changes() -> Value {
    json!([
        { "action": "create", "kind": "vip", "name": "web", "fields": [
            { "field": "address", "before": null, "after": "192.0.2.10" },
            { "field": "listeners", "before": null, "after": ["tcp/80", "tcp/443"] },
            { "field": "labels", "before": null, "after": { "team": "game", "tier": "" } }
        ] },
        { "action": "create", "kind": "pool", "name": "spare", "fields": [
            { "field": "home_region", "before": null, "after": "shenzhen" },
            { "field": "backend", "before": null, "after": [
                { "address": "10.6.0.2", "weight": 50, "encap": "gue" }, { "address": "10.6.0.3" }
            ] }
        ] },
        { "action": "update", "kind": "pool", "name": "home", "fields": [
            { "field": "state", "before": null, "after": "drain" },
            { "field": "backend[1].weight", "before": 100, "after": 50 },
            { "field": "labels.tier", "before": "1", "after": null }
        ] },
        { "action": "update", "kind": "vip", "name": "game", "fields": [
            { "field": "listeners", "before": ["tcp/80", "icmp"], "after": ["tcp/80", "udp/53", "udp/54"] },
            { "field": "fallback_pools", "before": ["spare", "last"], "after": ["last", "spare"] }
        ] },
        { "action": "delete", "kind": "prefix", "name": "anycast-v4", "fields": [
            { "field": "prefix", "before": "192.0.2.0/24", "after": null }
        ] }
    ])
}

#[test]
fn plan_tells_what_comes_changes_and_goes() {
    let plan_of = |changes| read::<Plan>(json!({ "base_revision": 41, "changes": changes, "needs_force": true }));
    insta::assert_snapshot!(plan(&plan_of(example_changes()), "services.toml", PLAIN));
    let coloured = plan(&plan_of(example_changes()), "services.toml", COLOURED);
    let plain = ["\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"]
        .iter()
        .fold(coloured.clone(), |text, code| text.replace(code, ""));
    assert_eq!(plain, plan(&plan_of(example_changes()), "services.toml", PLAIN), "colours say nothing of their own");
    assert!(coloured.contains("\x1b[33m~ pool home\x1b[0m\n\x1b[32m    + state"), "{coloured}");
    assert_eq!(
        plan(&plan_of(json!([])), "services.toml", PLAIN),
        "nothing to do: revision 41 is what services.toml says\n"
    );
}

#[test]
fn diff_tells_what_became_of_a_revision() {
    let diff_of = |changes| read::<Diff>(json!({ "from": 40, "to": 41, "changes": changes }));
    let text = diff(&diff_of(example_changes()), PLAIN);
    assert!(text.ends_with("\n2 created, 2 updated, 1 deleted, from revision 40 to 41\n"), "{text}");
    assert_eq!(diff(&diff_of(json!([])), PLAIN), "nothing is different between revisions 40 and 41\n");
}

#[test]
fn change_is_told_with_its_revision_and_what_the_datapath_has() {
    let result = |applied: bool, changes| {
        change_result(&read::<ChangeResult>(json!({ "revision": 42, "applied": applied, "changes": changes })), PLAIN)
    };
    let weight = json!([{ "action": "update", "kind": "pool", "name": "home", "fields": [
        { "field": "backend[0].weight", "before": null, "after": 50 }
    ] }]);
    assert_eq!(
        result(true, weight),
        "~ pool home\n    + backend[0].weight  50\n\nrevision 42: 1 updated; the datapath has it\n"
    );
    assert_eq!(result(true, json!([])), "nothing changed: it is so in revision 42; the datapath has it\n");
    let many: Vec<_> = (0..51)
        .map(|at| json!({ "action": "create", "kind": "vip", "name": format!("v{at}"), "fields": [] }))
        .collect();
    assert_eq!(result(false, many.into()), "revision 42: 51 created; the datapath does not have it yet\n");
}

fn example_vips() -> Vec<NamedDocument> {
    read(json!([
        { "name": "game", "address": "2001:db8:80::1234:5678:9abc:def0", "pool": "home", "fallback_pools": ["spare"],
          "labels": { "team": "game", "tier": "1" } },
        { "name": "a-vip-with-a-rather-long-name", "address": "192.0.2.80", "pool": "home",
          "listeners": ["tcp/80", "tcp/443", "udp/5000-5100", "sctp", "icmp"] },
        { "name": "unbound", "address": "192.0.2.81", "labels": { "odd": "\u{1b}[2J" } }
    ]))
}

#[test]
fn list_fits_eighty_columns() {
    let pools: Vec<NamedDocument> = read(json!([
        { "name": "home", "home_region": "guangzhou", "backend": [{ "address": "10.4.0.2" }, { "address": "10.4.0.3" }] },
        { "name": "spare", "home_region": "shenzhen", "state": "drain", "labels": { "team": "game" } }
    ]));
    let prefixes: Vec<NamedDocument> = read(json!([
        { "name": "anycast-v4", "prefix": "192.0.2.0/24", "publish": ["beijing", "shanghai"] }
    ]));
    let text = [
        objects(Kind::Vip, &example_vips(), PLAIN),
        objects(Kind::Pool, &pools, PLAIN),
        objects(Kind::Prefix, &prefixes, PLAIN),
    ]
    .join("\n");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains('\u{1b}'), "what a terminal obeys is shown, not sent");
    insta::assert_snapshot!(text);
}

#[test]
fn object_is_told_key_by_key_and_its_backends_as_a_table() {
    let answer: ObjectAnswer = read(json!({ "revision": 41, "object": {
        "name": "home", "home_region": "guangzhou", "labels": { "team": "game" },
        "backend": [
            { "address": "10.4.0.2", "weight": 100, "encap": "gue" },
            { "address": "fd00:4::2", "state": "drain" }
        ]
    } }));
    insta::assert_snapshot!(object(Kind::Pool, &answer, PLAIN));
}

#[test]
fn history_is_told_newest_first() {
    let item = |revision: u64, author: &str, action: &str, counts: [usize; 3]| RevisionItem {
        revision,
        parent: revision.checked_sub(1).filter(|parent| *parent > 0),
        at_unix_ms: 1_795_861_986_123 + revision,
        author: author.to_owned(),
        action: action.to_owned(),
        created: counts[0],
        updated: counts[1],
        deleted: counts[2],
    };
    let revisions =
        [item(2, "operator (uid 1000)", "update pool home", [0, 1, 0]), item(1, "root", "apply", [100_003, 0, 0])];
    insta::assert_snapshot!(history(&revisions, PLAIN));
}

#[test]
fn refusal_of_a_file_is_in_the_grammar_of_configuration_errors() {
    let error: ApiError = read(json!({
        "code": "invalid", "message": "the services would not be valid",
        "findings": [
            { "field": "vip[2].listeners[0]", "line": 12, "column": 15, "problem": "`tpc` is no protocol known here",
              "help": "did you mean `tcp`?" },
            { "field": "", "line": 1, "column": 1, "problem": "not TOML: expected `=`", "help": "write it as TOML" }
        ]
    }));
    insta::assert_snapshot!(api_error(&error, Some("services.toml")));
}

#[test]
fn refusal_of_an_object_has_its_fields_and_the_message() {
    let error: ApiError = read(json!({
        "code": "invalid", "message": "the services would not be valid; nothing was changed",
        "findings": [{ "field": "vip.web.listeners[0]", "problem": "`tpc` is no protocol known here",
                       "help": "did you mean `tcp`?" }]
    }));
    insta::assert_snapshot!(api_error(&error, None));
    let misfit: ApiError = read(json!({
        "code": "invalid", "message": "this host cannot carry these services",
        "findings": [{ "field": "vip[0].return", "problem": "no forwarding", "help": "sysctl -w it" }]
    }));
    assert_eq!(
        api_error(&misfit, Some("services.toml")),
        "services.toml: vip[0].return: no forwarding\n  help: sysctl -w it\nerror: this host cannot carry these services"
    );
    let conflict: ApiError = read(json!({
        "code": "conflict", "message": "the newest revision is 42, not 41", "hint": "look at `anycast-xdp diff 41`"
    }));
    assert_eq!(
        api_error(&conflict, Some("services.toml")),
        "error: the newest revision is 42, not 41\n  help: look at `anycast-xdp diff 41`"
    );
}
