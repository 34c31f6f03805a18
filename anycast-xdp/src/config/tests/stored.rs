//! Services beside the host's file: what is accepted comes out as it went in, what is refused is told by line or by name.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    super::{Host, Source, to_toml},
    SMALL_GATEWAY, SMALL_POP,
};
use crate::documents::{Document, Documents, Key, Kind};

const SERVICES: &str = r#"
[[prefix]]
name = "anycast-v4"
prefix = "192.0.2.0/24"
publish = ["beijing", "shanghai"]

[[pool]]
name = "home"
home_region = "guangzhou"
labels = { team = "game", tier = "1" }

[[pool.backend]]
address = "10.4.0.2"
weight = 50

[[pool.backend]]
address = "10.4.0.3"
encap = "gue"

[pool.health]
type = "udp"
port = 7
send = 'ping\x00'

[[vip]]
name = "web"
address = "192.0.2.80"
listeners = ["tcp/80", "udp/5000-5100"]
pool = "home"
publish = ["beijing"]

[[vip]]
name = "parked"
address = "192.0.2.81"
"#;

/// A host's file without its services.
fn host(file: &str) -> Host {
    let services = file.find("[[pool]]").or_else(|| file.find("[[vip]]")).unwrap();
    let health = if file.contains("role = \"pop\"") { "[health]\nsource_ipv4 = \"10.3.0.9\"\n" } else { "" };
    Host { file: "host.toml".into(), text: file[..services].to_owned() + health }
}

fn documents_of(text: &str) -> Documents {
    host(SMALL_POP)
        .judge(Source::File { text, name: Path::new("services.toml") })
        .unwrap_or_else(|errors| panic!("{errors}"))
        .documents
}

fn refused(documents: &Documents) -> String {
    host(SMALL_POP).judge(Source::Documents(documents)).unwrap_err().to_string()
}

fn changed(kind: Kind, name: &str, key: &str, value: Value) -> Documents {
    let mut documents = documents_of(SERVICES);
    let at = Key::new(kind, name);
    let mut document = documents.get(&at).cloned().unwrap_or_default();
    document.insert(key.to_owned(), value);
    documents.put(at, document);
    documents
}

#[test]
fn exported_services_are_those_that_were_applied() {
    let host = host(SMALL_POP);
    let documents = documents_of(SERVICES);
    assert_eq!(documents.len(), 4);
    let again = to_toml(&documents);
    assert_eq!(documents_of(&again), documents, "{again}");
    let from_documents = host.judge(Source::Documents(&documents)).unwrap();
    let from_text = host.judge(Source::File { text: &again, name: Path::new("x") }).unwrap();
    assert_eq!(from_documents.config, from_text.config);
    let vips = &from_documents.config.services.vips;
    assert_eq!(
        vips.iter().map(|vip| (vip.name.as_str(), vip.pool.as_deref())).collect::<Vec<_>>(),
        [("parked", None), ("web", Some("home"))]
    );
}

#[test]
fn errors_of_a_file_have_lines_and_those_of_documents_have_names() {
    let text = SERVICES.replace("tcp/80", "tcp/0").replace("weight = 50", "weight = 0");
    let errors = host(SMALL_POP).judge(Source::File { text: &text, name: Path::new("services.toml") }).unwrap_err();
    insta::assert_snapshot!(errors.to_string());
    let mut documents = changed(Kind::Vip, "web", "listeners", json!(["tcp/0"]));
    documents.put(Key::new(Kind::Vip, "copy"), documents.get(&Key::new(Kind::Vip, "parked")).unwrap().clone());
    insta::assert_snapshot!(refused(&documents));
}

#[test]
fn services_that_do_not_fit_together_are_refused_with_the_way_out() {
    let mut without_pool = documents_of(SERVICES);
    without_pool.remove(&Key::new(Kind::Pool, "home"));
    let mut without_prefix = documents_of(SERVICES);
    without_prefix.remove(&Key::new(Kind::Prefix, "anycast-v4"));
    let told = [
        refused(&without_pool),
        refused(&without_prefix),
        refused(&changed(Kind::Vip, "web", "publish", json!(["guangzhou"]))),
        refused(&changed(Kind::Prefix, "more", "prefix", json!("192.0.2.128/25"))),
        refused(&changed(Kind::Vip, "parked", "fallback_pools", json!(["home"]))),
        refused(&changed(Kind::Vip, "web", "labels", json!({ "__name": "x" }))),
        refused(&changed(Kind::Vip, "web", "address", json!("10.3.0.2"))),
        refused(&changed(Kind::Vip, "web", "colour", json!("red"))),
    ];
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn fault_of_the_hosts_file_is_told_with_its_line() {
    let broken = Host { file: "host.toml".into(), text: host(SMALL_POP).text.replace("10.3.0.2", "10.4.0.2") };
    let errors = broken.judge(Source::Documents(&documents_of(SERVICES))).unwrap_err();
    insta::assert_snapshot!(errors.to_string());
}

#[test]
fn gateway_takes_vips_of_the_store() {
    let mut documents = Documents::default();
    let object = |value: Value| value.as_object().cloned().unwrap();
    documents.put(Key::new(Kind::Prefix, "anycast-v4"), object(json!({ "prefix": "192.0.2.0/24" })));
    documents.put(Key::new(Kind::Vip, "web"), object(json!({ "address": "192.0.2.80" })));
    assert_eq!(host(SMALL_GATEWAY).judge(Source::Documents(&documents)).unwrap().config.services.vips.len(), 1);
}

#[test]
fn host_file_with_services_has_documents_and_one_without_has_none() {
    assert_eq!(host(SMALL_POP).documents(), None);
    let whole = Host { file: "host.toml".into(), text: SMALL_POP.to_owned() };
    assert_eq!(whole.documents().unwrap().len(), 2);
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    /// Whatever somebody sends is told to be right or wrong, with its text intact.
    #[test]
    fn any_document_reads_back(
        objects in prop::collection::btree_map("[a-z]{2,9}", prop::collection::btree_map("\\PC{1,9}", values(), 0..4), 0..4)
    ) {
        let documents: Documents = objects
            .into_iter()
            .map(|(name, keys)| {
                let document: Document = keys.into_iter().filter(|(key, _)| key != "name").collect();
                (Key::new(Kind::Vip, name), document)
            })
            .collect();
        let text = to_toml(&documents);
        let (root, errors) = toml::de::DeTable::parse_recoverable(&text);
        prop_assert!(errors.is_empty(), "{errors:?}\n{text}");
        prop_assert_eq!(super::super::stored::documents(root.get_ref()), documents, "{}", text);
    }
}
