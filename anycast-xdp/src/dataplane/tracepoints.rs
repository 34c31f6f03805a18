//! Numbers of tracepoints.
//!
//! They stand in tracefs, which root alone may read. For a daemon of another user, root writes those that it needs into a
//! file; they are the same until the machine starts again, and so is the file.

use std::{
    ffi::CString,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::losses::TRACEPOINTS;

const TRACEFS: &str = "/sys/kernel/tracing";
/// In [`super::bpffs::RUN`]; a line a tracepoint, its name and its number.
pub const FILE: &str = "/run/anycast-xdp/.tracepoints";

/// The number of a tracepoint of the `xdp` category.
///
/// # Errors
///
/// Neither tracefs nor the file tells.
pub fn id(name: &str) -> Result<u64> {
    match of_tracefs(name) {
        Ok(id) => Ok(id),
        Err(error) => of_file(name).with_context(|| {
            format!("{error:#}; as root, `anycast-xdp prepare` writes what a user's daemon needs of it to {FILE}")
        }),
    }
}

/// What the file is to say.
///
/// # Errors
///
/// tracefs cannot be read.
pub fn lines() -> Result<String> {
    mount_tracefs();
    let mut lines = String::new();
    for (_, name, _, _) in TRACEPOINTS {
        let _ = writeln!(lines, "{name} {}", of_tracefs(name)?);
    }
    Ok(lines)
}

fn of_tracefs(name: &str) -> Result<u64> {
    let path: PathBuf = [TRACEFS, "events/xdp", name, "id"].iter().collect();
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    text.trim().parse().with_context(|| format!("{} is no number", path.display()))
}

fn of_file(name: &str) -> Result<u64> {
    let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
    in_lines(&text, name).with_context(|| format!("{FILE} does not tell of {name}"))
}

fn in_lines(text: &str, name: &str) -> Option<u64> {
    text.lines().filter_map(|line| line.split_once(' ')).find(|(of, _)| *of == name)?.1.parse().ok()
}

/// Where it cannot be mounted, reading says so.
pub fn mount_tracefs() {
    // Whoever may not look there may not mount it either.
    if Path::new(TRACEFS).join("events").try_exists().unwrap_or(true) {
        return;
    }
    let (Ok(kind), Ok(target)) = (CString::new("tracefs"), CString::new(TRACEFS)) else {
        return;
    };
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: terminated strings, no data.
    if unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, std::ptr::null()) } != 0 {
        tracing::debug!("cannot mount {TRACEFS}: {}", io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use super::in_lines;

    #[test]
    fn a_number_is_found_by_the_whole_name() {
        let text = "xdp_exception 412\nxdp_bulk_tx 411\nxdp_redirect_err x\n";
        assert_eq!(in_lines(text, "xdp_bulk_tx"), Some(411));
        assert_eq!(in_lines(text, "xdp_bulk"), None);
        assert_eq!(in_lines(text, "xdp_redirect_err"), None);
    }
}
