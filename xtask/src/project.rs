//! Where things are in the checkout.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Tools that setup builds for this checkout; git ignores it.
pub fn tools_dir() -> PathBuf {
    root().join(".toolchain")
}
