//! From the command line to documents.

use clap::Parser;
use serde_json::json;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn made(line: &[&str]) -> Result<Value, Failure> {
    let args = Line::try_parse_from([&["create"], line].concat()).expect("arguments").args;
    let (common, flags) = match &args.kind {
        KindArgs::Pop(args) => (&args.common, args.flags()),
        KindArgs::Prefix(args) => (&args.common, args.flags()),
        KindArgs::Pool(args) => (&args.common, args.flags()),
        KindArgs::Vip(args) => (&args.common, args.flags()),
    };
    Ok(Value::Object(document(common, flags)?))
}

fn usage_error(line: &[&str]) -> String {
    Line::try_parse_from([&["create"], line].concat()).err().expect("an error").to_string()
}

#[test]
fn flags_of_a_vip_become_its_keys() {
    let line = [
        "vip",
        "web",
        "--address",
        "192.0.2.10",
        "--pool",
        "home",
        "--fallback-pool",
        "spare,last",
        "--listener",
        "tcp/80,tcp/443",
        "--listener",
        "icmp",
        "--hash",
        "source",
        "--icmp-echo",
        "answer",
        "--return",
        "pop",
        "--return-without-pop",
        "drop",
        "--publish",
        "beijing",
        "--label",
        "team=game",
        "--label",
        "tier=",
    ];
    let keys = json!({
        "address": "192.0.2.10",
        "pool": "home",
        "fallback_pools": ["spare", "last"],
        "listeners": ["tcp/80", "tcp/443", "icmp"],
        "hash": "source",
        "icmp_echo": "answer",
        "return": "pop",
        "return_without_pop": "drop",
        "publish": ["beijing"],
        "labels": { "team": "game", "tier": "" },
    });
    assert_eq!(made(&line).unwrap(), keys);
}

#[test]
fn flags_of_a_pool_become_its_keys() {
    let line = [
        "pool",
        "home",
        "--home-region",
        "guangzhou",
        "--state",
        "drain",
        "--backend",
        "10.4.0.2,weight=100,encap=gue,gue_port=6081",
        "--backend",
        "fd00:4::2",
    ];
    let backends = json!([
        { "address": "10.4.0.2", "weight": 100, "encap": "gue", "gue_port": 6081 },
        { "address": "fd00:4::2" },
    ]);
    assert_eq!(made(&line).unwrap(), json!({ "home_region": "guangzhou", "state": "drain", "backend": backends }));
}

#[test]
fn flags_of_a_pop_become_its_keys() {
    let line = ["pop", "beijing", "--state", "drain", "--label", "country=cn"];
    assert_eq!(made(&line).unwrap(), json!({ "state": "drain", "labels": { "country": "cn" } }));
}

#[test]
fn flags_of_a_prefix_become_its_keys() {
    let line = ["prefix", "anycast-v4", "--prefix", "192.0.2.0/24", "--publish", "beijing,shanghai"];
    assert_eq!(made(&line).unwrap(), json!({ "prefix": "192.0.2.0/24", "publish": ["beijing", "shanghai"] }));
}

#[test]
fn what_is_not_given_is_no_key() {
    assert_eq!(made(&["vip", "web"]).unwrap(), json!({}));
}

#[test]
fn flags_come_before_the_file_and_set_before_both() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "name = \"web\"\naddress = \"192.0.2.1\"\npool = \"a1\"\nhash = \"source\"\nlabels.x = \"1\"\n",
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    let line =
        ["vip", "web", "-f", path, "--pool", "b1", "--address", "192.0.2.2", "--set", "pool=c1", "--label", "y=2"];
    let keys = json!({ "address": "192.0.2.2", "pool": "c1", "hash": "source", "labels": { "x": "1", "y": "2" } });
    assert_eq!(made(&line).unwrap(), keys);
}

#[test]
fn file_of_another_object_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "name = \"game\"\n").unwrap();
    let told = made(&["vip", "web", "-f", file.path().to_str().unwrap()]);
    let Err(Failure::Refused(told)) = told else { panic!("{told:?}") };
    assert_eq!(told, "error: the file names the object \"game\", and the command `web`");
}

#[test]
fn wrong_flags_are_refused_with_what_to_write() {
    for (line, told) in [
        (&["pool", "home", "--backend", "weight=1"][..], "begin with the address"),
        (&["pool", "home", "--backend", "10.4.0.2,100"], "write `100` as key=value"),
        (&["pool", "home", "--backend", "10.4.0.2,weight=1,weight=2"], "`weight` is given twice"),
        (&["vip", "web", "--label", "game"], "write it as key=value"),
        (&["vip", "web", "--label", "=game"], "write a key before the `=`"),
        (&["vip", "web", "--set", "listeners=[tcp/80]"], "is no value of TOML"),
    ] {
        let error = usage_error(line);
        assert!(error.contains(told), "{line:?}: {error}");
    }
}
