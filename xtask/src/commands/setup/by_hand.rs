//! What to do on a host without apt.

use std::fmt::Write as _;

use super::{linker, programs::Program};

/// Tells what to install, by hand.
pub fn instructions(missing: &[&Program], toolchain: bool) -> String {
    let mut text = "this host has no apt, so please install by hand:".to_owned();
    for Program { name, package, purpose } in missing {
        let _ = write!(text, "\n  {name} (in Debian: {package}): {purpose}");
    }
    if toolchain {
        let _ = write!(
            text,
            "\n  a nightly compiler with the sources of core:\
             \n      rustup toolchain install nightly --profile minimal --component rust-src\
             \n  LLVM's development files of the major version that `rustup run nightly rustc -vV` shows as N, and then\
             \n      LLVM_PREFIX=<where that LLVM is> cargo install bpf-linker --version {} --no-default-features \
             --features llvm-N",
            linker::LATEST,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_asked_for() {
        let ip = Program { name: "ip", package: "iproute2", purpose: "lab" };
        let text = instructions(&[&ip], false);
        assert!(text.contains("ip (in Debian: iproute2): lab"), "{text}");
        assert!(!text.contains("bpf-linker"), "{text}");
        assert!(instructions(&[], true).contains("cargo install bpf-linker"));
    }
}
