//! The command as its users meet it: exit codes, what goes to stdout and what to stderr.
#![expect(clippy::unwrap_used, reason = "a test that panics says where; clippy.toml only exempts the test functions")]

mod asking;

use std::{
    fs::File,
    io::pipe,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anycast_common::outcome::Outcome;

/// An instance that no test starts.
const NO_INSTANCE: &str = "cli-test-nothing-here";

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anycast-xdp"));
    command
        .args(args)
        .env_remove("ANYCAST_XDP_INSTANCE")
        .env_remove("ANYCAST_XDP_SOCKET")
        .env_remove("ANYCAST_XDP_LOG");
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

fn docs(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(path)
}

fn broken_file() -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    let valid = std::fs::read_to_string(docs("examples/pop.toml")).unwrap();
    let broken = valid.replace("address = \"192.0.2.80\"", "adress = \"192.0.2.80\"");
    std::fs::write(file.path(), broken.replace("\"tcp/80\"", "\"tpc/80\"")).unwrap();
    file
}

#[test]
fn examples_are_valid_and_summed_up_on_stdout() {
    for (file, summary) in [
        ("examples/pop.toml", "valid: pop beijing/beijing-1, 3 VIPs, 2 pools, 3 backends\n"),
        ("examples/gateway.toml", "valid: gateway guangzhou/gateway-1, 3 VIPs\n"),
        ("examples/pop-return.toml", "valid: pop beijing/beijing-1, 2 VIPs, 1 pool, 1 backend\n"),
        ("examples/gateway-return.toml", "valid: gateway guangzhou/gateway-1, 2 VIPs\n"),
    ] {
        let output = run(&["check", "--offline", docs(file).to_str().unwrap()]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).ends_with(summary), "{}", stdout(&output));
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn check_of_a_broken_file_tells_all_errors_on_stderr_and_exits_2() {
    let file = broken_file();
    let output = run(&["check", "--offline", file.path().to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert_eq!(stdout(&output), "");
    insta::assert_snapshot!(stderr(&output).replace(file.path().to_str().unwrap(), "pop.toml"));
}

#[test]
fn check_in_json_has_the_errors_on_stdout() {
    let file = broken_file();
    let output = run(&["check", "--offline", "--output", "json", file.path().to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    insta::assert_snapshot!(stdout(&output).replace(file.path().to_str().unwrap(), "pop.toml"));
}

#[test]
fn check_of_this_host_refuses_a_file_for_another() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let example = std::fs::read_to_string(docs("examples/pop.toml")).unwrap();
    std::fs::write(file.path(), example.replace("\"in0\"", "\"cli-test-none\"")).unwrap();
    let path = file.path().to_str().unwrap();
    for args in [&["check", path][..], &["run", "--config", path]] {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(stderr(&output).contains("interface[0].name: this host has no interface `cli-test-none`"), "{args:?}");
    }
}

#[test]
fn run_refuses_what_check_refuses() {
    let file = broken_file();
    let path = file.path().to_str().unwrap();
    let output = run(&["run", "--config", path]);
    assert_eq!(code(&output), 2);
    assert_eq!(stderr(&output), stderr(&run(&["check", "--offline", path])));
}

#[test]
fn file_that_cannot_be_read_exits_2() {
    for args in [&["check", "/nonexistent/pop.toml"][..], &["run", "--config", "/nonexistent/pop.toml"]] {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert_eq!(stderr(&output), "cannot read /nonexistent/pop.toml: No such file or directory (os error 2)\n");
    }
}

#[test]
fn verbs_on_an_instance_that_is_not_there_exit_3() {
    let explain = ["explain", "tcp", "203.0.113.7:4321", "192.0.2.80:443"];
    for verb in [&["status"][..], &["vips"], &["stats"], &["stats", "--watch"], &["detach"], &explain] {
        let output = run(&[verb, &["--instance", NO_INSTANCE]].concat());
        assert_eq!(code(&output), 3, "{verb:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{verb:?}");
        assert!(stderr(&output).contains(NO_INSTANCE), "{verb:?}: {}", stderr(&output));
    }
}

#[test]
fn instance_comes_from_the_environment() {
    let output = command(&["status"]).env("ANYCAST_XDP_INSTANCE", NO_INSTANCE).output().unwrap();
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains(NO_INSTANCE), "{}", stderr(&output));
}

#[test]
fn wrong_usage_exits_2() {
    let wrong = [
        &[][..],
        &["bogus"],
        &["status", "--output", "xml"],
        &["status", "--instance", "../../etc"],
        &["stats", "--watch", "0"],
        &["run"],
        &["explain"],
        &["explain", "tcp", "203.0.113.7:4321"],
        &["explain", "tcp", "203.0.113.7", "192.0.2.80:443"],
        &["explain", "tcp", "203.0.113.7:1", "[2001:db8::80]:443"],
        &["explain", "udp", "203.0.113.7:1", "192.0.2.80:443", "--length", "27"],
        &["explain", "udp", "203.0.113.7:1", "192.0.2.80:443", "--packet", "1"],
        &["explain", "--hex", "zz"],
        &["explain", "--hex", "4500"],
        &["explain", "--ip", "udp", "203.0.113.7:1", "192.0.2.80:443"],
        &["explain", "--pcap", "/nonexistent/lost.pcap"],
        &["explain", "--pcap", "/dev/null"],
        &["explain", "--pcap", "/dev/null", "--packet", "0"],
        &["create"],
        &["create", "vip"],
        &["create", "route", "web"],
        &["create", "vip", "web", "--set", "address"],
        &["get", "route", "web"],
        &["list"],
        &["list", "vips", "--limit", "0"],
        &["update", "vip", "web"],
        &["update", "vip", "web", "--set", "listeners=[tcp/80]"],
        &["vip", "bind", "web"],
        &["backend", "weight", "home", "10.4.0.2", "0"],
        &["plan"],
        &["plan", "-f", "/nonexistent/services.toml"],
        &["apply", "-f", "/nonexistent/services.toml"],
        &["diff"],
        &["rollback", "newest"],
        &["completions", "csh"],
    ];
    for args in wrong {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert_eq!(stdout(&output), "", "{args:?}");
    }
}

#[test]
fn reader_that_has_gone_is_no_failure() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let output = command(&["docs", "config"]).stdout(writer).output().unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(stderr(&output), "");
}

#[test]
fn output_that_cannot_be_written_exits_1() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = command(&["docs", "config"]).stdout(full).output().unwrap();
    assert_eq!(code(&output), 1);
    assert_eq!(stderr(&output), "error: No space left on device (os error 28)\n");
}

#[test]
fn doctor_refuses_what_check_refuses() {
    let file = broken_file();
    let path = file.path().to_str().unwrap();
    let output = run(&["doctor", "--config", path]);
    assert_eq!(code(&output), 2);
    assert_eq!(stderr(&output), stderr(&run(&["check", "--offline", path])));
}

#[test]
fn doctor_of_a_file_for_another_host_exits_5_and_counts_every_check_in_json() {
    let file = docs("examples/pop.toml");
    let args = ["doctor", "--instance", NO_INSTANCE, "--output", "json", "--config", file.to_str().unwrap()];
    let output = run(&args);
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let report: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(report["instance"], NO_INSTANCE);
    let rows = |key: &str| report[key].as_array().unwrap().clone();
    let codes = rows("findings").into_iter().chain(rows("skipped")).map(|row| row["code"].as_str().unwrap().to_owned());
    let told: std::collections::BTreeSet<String> =
        codes.chain(rows("ok").iter().map(|code| code.as_str().unwrap().to_owned())).collect();
    let page = std::fs::read_to_string(docs("reference/doctor.md")).unwrap();
    for line in page.lines().filter(|line| line.starts_with("| `") && !line.contains("| gateways |")) {
        let code = line.split('`').nth(1).unwrap();
        assert!(told.contains(code), "{code} is left out");
    }
}

#[test]
fn doctor_tells_what_backends_need_that_do_not_run_this_program() {
    let file = docs("examples/pop.toml");
    let output = run(&["doctor", "--backends", "--config", file.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for wanted in ["type ipip local 10.4.0.2", "ip address add 192.0.2.80/32 dev lo", "arp_ignore=1", "rp_filter=2"] {
        assert!(stdout(&output).contains(wanted), "{wanted}: {}", stdout(&output));
    }
}

#[test]
fn reference_pages_are_fresh() {
    for page in ["cli", "config", "outcomes", "doctor", "metrics", "api"] {
        let output = run(&["docs", page]);
        assert_eq!(code(&output), 0, "{page}");
        let kept = std::fs::read_to_string(docs(&format!("reference/{page}.md"))).unwrap_or_default();
        assert!(stdout(&output) == kept, "stale: anycast-xdp docs {page} > docs/reference/{page}.md");
    }
}

#[test]
fn page_on_the_datapath_has_every_outcome() {
    let page = std::fs::read_to_string(docs("datapath.md")).unwrap();
    let labels = Outcome::ALL.iter().map(|outcome| outcome.label());
    let missing: Vec<_> = labels.filter(|label| !page.contains(&format!("`{label}`"))).collect();
    assert_eq!(missing, Vec::<&str>::new(), "outcomes that docs/datapath.md does not tell of");
}
