//! `bpf-linker`, and which LLVM it has.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::project;

/// Where setup installs a linker for this LLVM: apart from other projects' linkers, which may need another LLVM.
pub fn own_root(llvm_major: u32) -> PathBuf {
    project::tools_dir().join(format!("llvm-{llvm_major}"))
}

/// A linker that has this LLVM and starts: our own, or one on the `PATH`.
pub fn find(llvm_major: u32) -> Option<PathBuf> {
    let own = own_root(llvm_major).join("bin/bpf-linker");
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|directory| directory.join("bpf-linker"));
    [own].into_iter().chain(on_path).find(|linker| llvm_of(linker) == Some(llvm_major))
}

/// Asks the dynamic loader, because `bpf-linker --version` does not tell.
fn llvm_of(linker: &Path) -> Option<u32> {
    if !linker.exists() {
        return None;
    }
    let output = Command::new("ldd").arg(linker).env_remove("LD_LIBRARY_PATH").output().ok()?;
    llvm_in_ldd(&String::from_utf8_lossy(&output.stdout))
}

/// The major version of `libLLVM` in the output of `ldd`; `None` if it is linked statically, or if the library is gone.
fn llvm_in_ldd(output: &str) -> Option<u32> {
    let (library, resolved) =
        output.lines().find_map(|line| line.trim().strip_prefix("libLLVM")?.split_once(" => "))?;
    if resolved.starts_with("not found") {
        return None;
    }
    // libLLVM.so.22.1 since LLVM 18, libLLVM-17.so.1 before.
    let version = library.strip_prefix(".so.").or_else(|| library.strip_prefix('-'))?;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ldd(line: &str) -> String {
        format!(
            "\tlinux-vdso.so.1 (0x00007f1207988000)\n\t{line}\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f11fe41e000)\n"
        )
    }

    #[test]
    fn new_library_name_gives_the_major_version() {
        assert_eq!(llvm_in_ldd(&ldd("libLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1 (0x1)")), Some(22));
    }

    #[test]
    fn old_library_name_gives_the_major_version() {
        assert_eq!(llvm_in_ldd(&ldd("libLLVM-17.so.1 => /lib/x86_64-linux-gnu/libLLVM-17.so.1 (0x1)")), Some(17));
    }

    #[test]
    fn removed_library_means_unusable() {
        assert_eq!(llvm_in_ldd(&ldd("libLLVM.so.22.1 => not found")), None);
    }

    #[test]
    fn static_linker_does_not_tell() {
        assert_eq!(llvm_in_ldd("\tstatically linked\n"), None);
    }
}
