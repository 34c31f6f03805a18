//! Where the daemon's executable is.

use std::{env, path::PathBuf};

/// What `ANYCAST_XDP_BIN` names, else `anycast-xdp` of the same build: beside the running program, or beside the
/// directory `deps` that tests run from.
pub fn daemon_binary() -> PathBuf {
    if let Some(path) = env::var_os("ANYCAST_XDP_BIN") {
        return path.into();
    }
    let program = env::current_exe().unwrap_or_default();
    let directories = program.ancestors().skip(1).take(2);
    let candidates: Vec<PathBuf> = directories.map(|directory| directory.join("anycast-xdp")).collect();
    let built = candidates.iter().find(|path| path.is_file());
    built.or(candidates.first()).cloned().unwrap_or_else(|| "anycast-xdp".into())
}

/// The daemon of another ABI version: what `ANYCAST_XDP_OTHER_ABI_BIN` names, else `anycast-xdp-other-abi` beside
/// [`daemon_binary`].
///
/// # Panics
///
/// It is not built: `cargo build --package anycast-xdp --features other-abi --bin anycast-xdp-other-abi`.
pub fn other_abi_binary() -> PathBuf {
    let named = env::var_os("ANYCAST_XDP_OTHER_ABI_BIN").map(PathBuf::from);
    let path = named.unwrap_or_else(|| daemon_binary().with_file_name("anycast-xdp-other-abi"));
    assert!(
        path.is_file(),
        "{} is not there: cargo build --package anycast-xdp --features other-abi --bin anycast-xdp-other-abi",
        path.display()
    );
    path
}
