//! What `rustc -vV` says.

/// The oldest compiler that builds the eBPF programs: 1.88 brought the let chains of edition 2024, and aya-ebpf 0.2 asks
/// for 1.87.
pub const OLDEST_RUSTC: (u32, u32) = (1, 88);

/// Versions of a compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RustcVersion {
    /// As printed: `1.97.0-nightly`.
    pub release: String,
    /// First two numbers of `release`.
    pub major_minor: (u32, u32),
    /// Major version of the LLVM inside.
    pub llvm_major: u32,
}

impl RustcVersion {
    /// Reads the output of `rustc -vV`; `None` if a line that we need is not there.
    pub fn parse(verbose: &str) -> Option<Self> {
        let field = |name: &str| verbose.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let release = field("release:")?;
        let mut numbers = release.split('.');
        let major_minor = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        let llvm_major = field("LLVM version:")?.split('.').next()?.parse().ok()?;
        Some(Self { release: release.to_owned(), major_minor, llvm_major })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NIGHTLY: &str = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nbinary: rustc\n\
        commit-hash: e50aa6fba4e63ab34c72bf9acfd2c307c1155d1a\ncommit-date: 2026-05-19\n\
        host: x86_64-unknown-linux-gnu\nrelease: 1.97.0-nightly\nLLVM version: 22.1.4\n";

    #[test]
    fn nightly_gives_release_and_llvm() {
        let version = RustcVersion::parse(NIGHTLY).unwrap();
        assert_eq!(version.release, "1.97.0-nightly");
        assert_eq!(version.major_minor, (1, 97));
        assert_eq!(version.llvm_major, 22);
    }

    #[test]
    fn compiler_without_llvm_is_refused() {
        assert_eq!(RustcVersion::parse(&NIGHTLY.replace("LLVM version", "Cranelift version")), None);
    }

    #[test]
    fn noise_is_refused() {
        assert_eq!(RustcVersion::parse("error: toolchain 'nightly' is not installed\n"), None);
    }
}
