//! Where things are in the checkout.

use std::{
    env,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// Cargo tells the directory of the crate that it runs, one below the root. What was compiled in is the second choice:
/// with a target directory that several checkouts share, it can be another checkout's.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let crate_dirs = [env::var_os("CARGO_MANIFEST_DIR"), Some(env!("CARGO_MANIFEST_DIR").into())];
    let roots = crate_dirs.into_iter().flatten().filter_map(|dir| Some(Path::new(&dir).parent()?.to_owned()));
    roots.into_iter().find(|root| root.join("xtask/Cargo.toml").exists()).unwrap_or_else(|| ".".into())
});

/// The root of the workspace.
pub fn root() -> &'static Path {
    &ROOT
}

/// Tools that setup builds for this checkout; git ignores it.
pub fn tools_dir() -> PathBuf {
    root().join(".toolchain")
}
