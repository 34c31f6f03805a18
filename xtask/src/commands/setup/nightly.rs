//! rustup's nightlies.

use std::{process::Command, time::Duration};

use xtask::toolchain::{Compiler, Origin, installed_compilers};

use crate::{run, say};

/// rust-src has 6 MB; a machine that cannot reach rustup's server must not hang.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(2);

/// The installed nightlies that are new enough and have the sources of `core`, which are added where rustup can.
pub fn compilers() -> Vec<Compiler> {
    let nightlies = installed_compilers().into_iter().filter_map(|compiler| match compiler.origin.clone() {
        Origin::Rustup(name) => Some((name, compiler)),
        Origin::Distribution => None,
    });
    let usable: Vec<_> = nightlies.filter(|(name, compiler)| can_serve(name, compiler)).collect();
    if usable.is_empty() {
        say::note("no nightly of rustup serves");
    }
    usable.into_iter().map(|(_, compiler)| compiler).collect()
}

fn can_serve(name: &str, compiler: &Compiler) -> bool {
    if !compiler.is_new_enough() {
        say::note(format!("{} is too old", compiler.describe()));
        return false;
    }
    if compiler.has_sources() {
        return true;
    }
    say::note(format!("adding the sources of core to {}", compiler.describe()));
    let mut command = Command::new("rustup");
    command.args(["component", "add", "rust-src", "--toolchain", name]);
    command.env("RUSTUP_MAX_RETRIES", "0").env("RUST_BACKTRACE", "0");
    if let Err(error) = run::patiently(&mut command, DOWNLOAD_LIMIT) {
        say::note(format!("rustup cannot: {}", cause(&error.to_string())));
    }
    compiler.has_sources()
}

/// What rustup calls the error, among what it tells before and after.
fn cause(message: &str) -> &str {
    let mut lines = message.lines();
    let error = lines.find_map(|line| line.strip_prefix("error: "));
    error.or(message.lines().last()).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_line_is_the_cause() {
        let message = "`rustup component add rust-src` failed (exit status: 1)\ninfo: downloading component rust-src\n\
                       error: could not download file\nCaused by:\n  0: connection refused";
        assert_eq!(cause(message), "could not download file");
    }

    #[test]
    fn last_line_stands_in_where_no_line_is_an_error() {
        assert_eq!(cause("`rustup` was ended after 120 s"), "`rustup` was ended after 120 s");
    }
}
