//! `cargo xtask docs`.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result};
use xtask::project;

use crate::{commands::setup, project_build, run, say};

/// The pages, as `anycast-xdp docs <kind>` knows them.
const KINDS: [&str; 7] = ["cli", "config", "outcomes", "doctor", "api", "maps", "metrics"];

/// Writes docs/reference from what the program itself knows.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Only compare; fails if a page is stale.
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    setup::ensure()?;
    let is_fresh = if args.check { check()? } else { write()? };
    Ok(if is_fresh { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows the difference between the pages and what they should be; false if there is one.
pub fn check() -> Result<bool> {
    let mut is_fresh = true;
    for (name, page) in pages()? {
        is_fresh &= is_same(&name, &page)?;
    }
    if !is_fresh {
        say::step("docs/reference is stale: `cargo xtask docs` writes it");
    }
    Ok(is_fresh)
}

fn write() -> Result<bool> {
    for (name, page) in pages()? {
        let path = project::root().join(&name);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(&path, page).with_context(|| format!("cannot write {name}"))?;
        say::note(name);
    }
    Ok(true)
}

/// Name and text of every page.
fn pages() -> Result<Vec<(String, String)>> {
    let daemon = project_build::daemon()?;
    let page = |kind: &str| {
        let text = run::stdout_of(Command::new(&daemon).args(["docs", kind]))?;
        Ok((format!("docs/reference/{kind}.md"), text))
    };
    KINDS.into_iter().map(page).collect()
}

/// Prints what `diff` prints.
fn is_same(name: &str, expected: &str) -> Result<bool> {
    let path = project::root().join(name);
    let stored = if path.exists() { path.as_path() } else { Path::new("/dev/null") };
    let mut child = Command::new("diff")
        .args(["--unified", "--label", name, "--label", "as it should be"])
        .arg(stored)
        .arg("-")
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start `diff`")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(expected.as_bytes())?;
    }
    Ok(child.wait()?.success())
}
