//! The distribution's own pair of compiler and sources.

use std::cmp::Reverse;

use anyhow::{Context as _, Result, bail};
use xtask::toolchain::{Compiler, OLDEST_RUSTC, Origin, installed_compilers};

use super::linker;
use crate::{
    apt::{self, Policy},
    say,
};

/// The packages of one compiler.
#[derive(Debug, PartialEq, Eq)]
struct Pair {
    /// Compiler, cargo, sources.
    packages: [String; 3],
    /// First two numbers of the version.
    major_minor: (u32, u32),
}

/// The newest compiler of the distribution that has sources and a linkable LLVM; installs it if need be.
pub fn compiler() -> Result<Compiler> {
    if let Some(compiler) = installed() {
        return Ok(compiler);
    }
    apt::update()?;
    let names: Vec<String> = apt::names("rustc")?.iter().filter_map(|name| packages(name)).flatten().collect();
    let pairs = pairs(&apt::policy(&names)?);
    for pair in pairs {
        let llvm_major = llvm_major_of(pair.major_minor);
        if !linker::can_have(llvm_major)? {
            say::note(format!("{} is of no use: LLVM {llvm_major} has no development package", pair.packages[0]));
            continue;
        }
        say::step(format!("installing the distribution's compiler and its sources: {}", pair.packages.join(" ")));
        apt::install(&pair.packages)?;
        return installed().context("the compiler that apt installed is not where it was expected");
    }
    let (major, minor) = OLDEST_RUSTC;
    bail!(
        "apt has no rustc {major}.{minor} or newer with sources and LLVM development files. Try a nightly: \
         `rustup toolchain install nightly --profile minimal --component rust-src`, then `cargo xtask setup`"
    )
}

fn installed() -> Option<Compiler> {
    installed_compilers().into_iter().find(|compiler| compiler.origin == Origin::Distribution && compiler.is_usable())
}

/// Compiler, cargo and sources for `rustc`, `rustc-web` (Debian's, for browsers) or `rustc-1.93` (Ubuntu's).
fn packages(rustc: &str) -> Option<[String; 3]> {
    let suffix = rustc.strip_prefix("rustc")?;
    Some([rustc.to_owned(), format!("cargo{suffix}"), format!("rust{suffix}-src")])
}

/// The compilers whose three packages apt has and that are new enough, newest first.
fn pairs(policies: &[Policy]) -> Vec<Pair> {
    let candidate = |package: &str| policies.iter().find(|policy| policy.package == package)?.candidate.as_deref();
    let pair = |policy: &Policy| {
        let packages = packages(&policy.package)?;
        let versions = [candidate(&packages[0])?, candidate(&packages[1])?, candidate(&packages[2])?];
        let numbers = versions.map(major_minor);
        // Sources of another version do not build.
        let is_matching = numbers[0] == numbers[1] && numbers[0] == numbers[2];
        let major_minor = numbers[0].filter(|version| is_matching && *version >= OLDEST_RUSTC)?;
        Some(Pair { packages, major_minor })
    };
    let mut pairs: Vec<_> = policies.iter().filter_map(pair).collect();
    pairs.sort_by_key(|pair| Reverse(pair.major_minor));
    pairs
}

/// The first two numbers of `1:1.96.0+dfsg1-1~deb12u2`.
fn major_minor(version: &str) -> Option<(u32, u32)> {
    let upstream = version.split_once(':').map_or(version, |(_epoch, upstream)| upstream);
    let mut numbers = upstream.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The LLVM of a Rust release, to plan by before the compiler is here to be asked. Rust's release notes.
fn llvm_major_of(rust: (u32, u32)) -> u32 {
    match rust {
        (1, ..91) => 20,
        (1, ..95) => 21,
        (1, ..98) => 22,
        _ => 23,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(package: &str, candidate: &str) -> Policy {
        Policy { package: package.to_owned(), candidate: Some(candidate.to_owned()) }
    }

    #[test]
    fn bookworm_gives_the_pair_for_browsers() {
        let policies = [
            policy("rustc", "1.63.0+dfsg1-2"),
            policy("cargo", "0.66.0+ds1-1"),
            policy("rust-src", "1.63.0+dfsg1-2"),
            policy("rustc-web", "1.96.0+dfsg1-1~deb12u2"),
            policy("cargo-web", "1.96.0+dfsg1-1~deb12u2"),
            policy("rust-web-src", "1.96.0+dfsg1-1~deb12u2"),
        ];
        let found = pairs(&policies);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].packages, ["rustc-web", "cargo-web", "rust-web-src"]);
        assert_eq!(llvm_major_of(found[0].major_minor), 22);
    }

    #[test]
    fn ubuntu_gives_the_newest_version_first() {
        let mut policies = Vec::new();
        for version in ["1.89", "1.97", "1.85"] {
            let full = format!("{version}.1+dfsg~24.04-0ubuntu1");
            policies.extend(packages(&format!("rustc-{version}")).unwrap().map(|package| policy(&package, &full)));
        }
        let found: Vec<_> = pairs(&policies).into_iter().map(|pair| pair.major_minor).collect();
        assert_eq!(found, [(1, 97), (1, 89)]);
    }

    #[test]
    fn compiler_without_sources_of_its_version_is_left_out() {
        let policies = [
            policy("rustc", "1.96.0"),
            policy("cargo", "1.96.0"),
            policy("rust-src", "1.95.0"),
            policy("rustc-web", "1.96.0"),
        ];
        assert_eq!(pairs(&policies), []);
    }

    #[test]
    fn epoch_is_no_part_of_the_version() {
        assert_eq!(major_minor("1:1.96.0+dfsg1-1"), Some((1, 96)));
        assert_eq!(major_minor("unknown"), None);
    }
}
