//! Changes on a real store, judged by a real host file.

mod lab;

use std::fmt::Write as _;

use serde_json::{Value, json};

use self::lab::{HOST, Lab, author};
use super::{Control, Desired, Edit, Wanted};
use crate::{
    api::types::{
        Action, ApiError, BackendPatch, BindRequest, ChangeQuery, ErrorCode, ListQuery, NamedDocument, RevisionsQuery,
    },
    config::Host,
    desired::State,
    documents::{Document, Key, Kind},
    store::SqliteStore,
};

const SERVICES: &str = r#"
[[prefix]]
name = "anycast-v4"
prefix = "192.0.2.0/24"
[[pool]]
name = "home"
home_region = "guangzhou"
backend = [{ address = "10.4.0.2" }, { address = "10.4.0.3" }]
[[pool]]
name = "away"
home_region = "shanghai"
backend = [{ address = "10.5.0.2" }]
[[vip]]
name = "web"
address = "192.0.2.80"
pool = "home"
"#;

fn bind(vip: &str, pools: &[&str]) -> Edit {
    let pools = pools.iter().map(|pool| (*pool).to_owned()).collect();
    Edit::Bind(vip.to_owned(), BindRequest { pools, ..BindRequest::default() })
}

fn vip(name: &str, address: &str) -> Edit {
    Edit::Create(Kind::Vip, NamedDocument { name: name.to_owned(), document: object(&json!({ "address": address })) })
}

fn object(value: &Value) -> Document {
    value.as_object().cloned().unwrap()
}

fn key(name: &str) -> Key {
    Key::new(Kind::Vip, name)
}

#[tokio::test]
async fn changes_reach_the_reconciler_with_their_revision_and_outlive_the_process() {
    let mut lab = Lab::new().await;
    assert_eq!(lab.desired.borrow().revision, 0);
    assert_eq!(lab.apply(SERVICES, ChangeQuery::default()).await, Ok(1));
    assert_eq!(lab.edit(bind("web", &["away", "home"])).await, Ok(2));
    assert_eq!(lab.desired.borrow().revision, 2);
    assert_eq!(lab.pools_of_web(), ["away", "home"]);
    assert_eq!(lab.edit(Edit::Unbind("web".to_owned())).await, Ok(3));
    assert_eq!(lab.pools_of_web(), [""; 0]);
    let patch = BackendPatch { state: Some(State::Drain), weight: Some(7) };
    assert_eq!(lab.edit(Edit::Backend("home".to_owned(), "10.4.0.3".parse().unwrap(), patch)).await, Ok(4));

    let lab = lab.again().await;
    let config = lab.desired.borrow().config();
    assert_eq!(lab.desired.borrow().revision, 4);
    let home = config.services.pools.iter().find(|pool| pool.name == "home").unwrap();
    assert_eq!(
        home.backends.iter().map(|one| (one.state, one.weight)).collect::<Vec<_>>(),
        [(State::Up, 100), (State::Drain, 7)]
    );
}

#[tokio::test]
async fn refused_changes_leave_everything_as_it_was() {
    let mut lab = Lab::new().await;
    lab.apply(SERVICES, ChangeQuery::default()).await.unwrap();
    let refusals = [
        (vip("web", "192.0.2.81"), ErrorCode::Exists),
        (vip("other", "192.0.2.80"), ErrorCode::Invalid),
        (vip("outside", "198.51.100.1"), ErrorCode::Invalid),
        (Edit::Update(key("nobody"), Document::new()), ErrorCode::NotFound),
        (Edit::Update(key("web"), object(&json!({ "listeners": ["tcp/0"] }))), ErrorCode::Invalid),
        (Edit::Delete(key("web")), ErrorCode::NeedsForce),
        (Edit::Delete(Key::new(Kind::Pool, "home")), ErrorCode::Invalid),
        (Edit::Delete(Key::new(Kind::Prefix, "anycast-v4")), ErrorCode::Invalid),
        (bind("web", &["nowhere"]), ErrorCode::Invalid),
        (Edit::Backend("home".to_owned(), "10.9.9.9".parse().unwrap(), BackendPatch::default()), ErrorCode::NotFound),
    ];
    for (edit, code) in refusals {
        let action = edit.action();
        assert_eq!(lab.edit(edit).await.map_err(|error| error.code), Err(code), "{action}");
    }
    assert_eq!(lab.control.revision(), 1);
    assert_eq!(lab.desired.borrow().revision, 1);
    assert_eq!(lab.pools_of_web(), ["home"]);
}

#[tokio::test]
async fn change_for_another_revision_is_refused_and_one_that_changes_nothing_makes_none() {
    let mut lab = Lab::new().await;
    lab.apply(SERVICES, ChangeQuery::default()).await.unwrap();
    let for_revision = |revision| ChangeQuery { if_revision: Some(revision), ..ChangeQuery::default() };
    let refused = lab.apply(SERVICES, for_revision(7)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Conflict);
    assert_eq!(lab.apply(SERVICES, for_revision(1)).await, Ok(1));
}

#[tokio::test]
async fn another_writer_of_the_store_is_noticed() {
    let mut lab = Lab::new().await;
    lab.apply(SERVICES, ChangeQuery::default()).await.unwrap();
    let host = Host::read(&lab.directory.path().join("host.toml")).unwrap();
    let path = lab.directory.path().join("store.db");
    let (mut other, _desired) = Control::start(host, async |_| SqliteStore::open(&path).await).await.unwrap();
    other.looks_at_host = false;
    other.edit(vip("more", "192.0.2.90"), ChangeQuery::default(), author()).await.unwrap();
    assert_eq!(lab.edit(vip("mine", "192.0.2.91")).await.map_err(|error| error.code), Err(ErrorCode::Conflict));
    // What the other one made reaches the maps as well.
    assert_eq!(lab.desired.borrow().revision, 2);
    assert_eq!(lab.edit(vip("mine", "192.0.2.91")).await, Ok(3));
    let names: Vec<_> = lab.desired.borrow().config().services.vips.iter().map(|vip| vip.name.clone()).collect();
    assert_eq!(names, ["mine", "more", "web"]);
}

#[tokio::test]
async fn many_vips_go_only_by_force_and_come_back_by_a_rollback() {
    let mut lab = Lab::new().await;
    let mut all = SERVICES.to_owned();
    for number in 100..130 {
        write!(all, "[[vip]]\nname = \"vip-{number}\"\naddress = \"192.0.2.{number}\"\npool = \"home\"\n").unwrap();
    }
    lab.apply(&all, ChangeQuery::default()).await.unwrap();
    let refused = lab.apply(SERVICES, ChangeQuery::default()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NeedsForce);
    assert_eq!(refused.message, "it would remove 30 of 31 VIPs, more than a tenth");
    let force = ChangeQuery { force: true, ..ChangeQuery::default() };
    assert_eq!(lab.apply(SERVICES, force).await, Ok(2));
    let diff = lab.control.diff(1, None).await.unwrap();
    assert_eq!(diff.changes.len(), 30);
    assert!(diff.changes.iter().all(|change| change.action == Action::Delete));

    let old = lab.control.documents_of(Some(1)).await.unwrap();
    let made = lab.control.replace(Wanted::Documents(&old), ChangeQuery::default(), author(), "rollback 1").await;
    assert_eq!(made.unwrap().revision, 3);
    assert_eq!(lab.desired.borrow().config().services.vips.len(), 31);
    let history = lab.control.revisions(RevisionsQuery { limit: Some(2), before: None }).await.unwrap();
    let told: Vec<_> = history.items.iter().map(|item| (item.action.as_str(), item.created, item.deleted)).collect();
    assert_eq!(told, [("rollback 1", 30, 0), ("apply", 0, 30)]);
    assert_eq!(history.next, Some(2));
    assert_eq!(lab.control.documents_of(Some(9)).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn lists_come_in_pages_and_by_label_and_text() {
    let mut lab = Lab::new().await;
    lab.apply(SERVICES, ChangeQuery::default()).await.unwrap();
    for (name, team) in [("chat", "game"), ("dns", "infra"), ("login", "game")] {
        let number = 100 + name.len();
        let address = json!({ "address": format!("192.0.2.{number}"), "labels": { "team": team } });
        let object = NamedDocument { name: name.to_owned(), document: object(&address) };
        lab.edit(Edit::Create(Kind::Vip, object)).await.unwrap();
    }
    let names = |query: ListQuery| {
        let page = lab.control.list(Kind::Vip, &query).unwrap();
        (page.items.into_iter().map(|item| item.name).collect::<Vec<_>>(), page.total, page.next)
    };
    let of = |label: &str| ListQuery { label: Some(label.to_owned()), ..ListQuery::default() };
    assert_eq!(names(of("team=game")).0, ["chat", "login"]);
    assert_eq!(names(ListQuery { contains: Some("0.2.80".to_owned()), ..ListQuery::default() }).0, ["web"]);
    let first = names(ListQuery { limit: Some(3), ..ListQuery::default() });
    assert_eq!(first, (vec!["chat".to_owned(), "dns".to_owned(), "login".to_owned()], 4, Some("login".to_owned())));
    let rest = names(ListQuery { limit: Some(3), after: first.2, ..ListQuery::default() });
    assert_eq!(rest, (vec!["web".to_owned()], 4, None));
    assert!(lab.control.list(Kind::Vip, &of("team")).is_err());
}

#[tokio::test]
async fn host_file_with_services_is_shown_and_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("host.toml");
    std::fs::write(&file, format!("{HOST}{SERVICES}")).unwrap();
    let started =
        Control::start(Host::read(&file).unwrap(), async |_| -> Result<SqliteStore, _> { panic!("no store") }).await;
    let (mut control, desired) = started.unwrap();
    assert_eq!(desired.borrow().config().services.vips.len(), 1);
    assert_eq!(control.list(Kind::Vip, &ListQuery::default()).unwrap().total, 1);
    let refused = control.edit(vip("more", "192.0.2.90"), ChangeQuery::default(), author()).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::ReadOnly);
}

#[tokio::test]
async fn services_that_a_changed_host_cannot_carry_are_told_when_it_is_reread() {
    let mut lab = Lab::new().await;
    lab.apply(SERVICES, ChangeQuery::default()).await.unwrap();
    let file = lab.directory.path().join("host.toml");
    std::fs::write(&file, HOST.replace("10.3.0.2", "10.4.0.2")).unwrap();
    let refused = lab.control.reread().unwrap_err().to_string();
    assert!(refused.contains("pool.home.backend.\"10.4.0.2\".address"), "{refused}");
    std::fs::write(&file, HOST).unwrap();
    let reread = lab.control.reread().unwrap();
    assert_eq!(reread.desired().revision, 1);
    lab.control.take_up(reread);
    assert_eq!(lab.desired.borrow().revision, 1);
}

#[tokio::test]
async fn vip_alone_is_judged_alone_and_everything_else_with_the_whole() {
    let mut lab = Lab::new().await;
    lab.apply(SERVICES, ChangeQuery::default()).await.unwrap();
    let is_narrow = |before: &Desired, after: &Desired| after.since(before).is_some();
    let create = |name: &str, address: &str, more: Value| {
        let mut document = object(&json!({ "address": address, "pool": "home" }));
        document.extend(object(&more));
        Edit::Create(Kind::Vip, NamedDocument { name: name.to_owned(), document })
    };
    let fallback = json!({ "fallback_pools": ["home"] });
    let cases = [
        (create("alike", "192.0.2.81", json!({})), true),
        (create("other", "192.0.2.82", json!({ "listeners": ["tcp/80"] })), false),
        (create("same", "192.0.2.83", json!({ "listeners": ["tcp/80"] })), true),
        (bind("alike", &["away"]), true),
        (Edit::Update(key("alike"), object(&fallback)), false),
        (create("backed", "192.0.2.84", json!({ "fallback_pools": ["away"] })), false),
        (create("like-it", "192.0.2.85", json!({ "pool": "away", "fallback_pools": ["home"] })), true),
        (Edit::Update(key("same"), object(&json!({ "return": "pop" }))), false),
        (Edit::Delete(key("other")), true),
        (Edit::Delete(key("same")), false),
    ];
    for (edit, narrow) in cases {
        let action = edit.action();
        let before = lab.desired.borrow().clone();
        let refused = |error: &ApiError| -> () { panic!("{action}: {error} {:?}", error.findings) };
        lab.edit(edit).await.map_err(|error| refused(&error)).ok();
        let after = lab.desired.borrow().clone();
        assert_eq!(is_narrow(&before, &after), narrow, "{action}");
        // Either way it is what the whole says of the same documents.
        let documents = lab.control.documents();
        let whole = lab.control.host.judge(crate::config::Source::Documents(&documents)).unwrap().config;
        assert_eq!(*after.config(), whole, "{action}");
    }
}
