//! Removes what labs left that nobody drops any more.

use std::{fs, path::Path, process::Command, sync::Once};

use super::{PREFIX, command::run, daemon::daemon_binary};

/// Where daemons keep what belongs to an instance.
const INSTANCES: &str = "/run/anycast-xdp";

/// Removes the namespaces, their processes, what daemons pinned, and the files of labs whose process is gone. Runs once
/// a process, when the first namespace is made.
pub fn sweep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| remove(|owner| !Path::new(&format!("/proc/{owner}")).exists()));
}

/// Removes the labs of this process: for one that will end without dropping them.
pub(super) fn remove_own() {
    let own = std::process::id();
    remove(|owner| owner == own);
}

/// Removes everything of labs whose owner is `doomed`.
fn remove(doomed: impl Fn(u32) -> bool) {
    for name in left_over(Path::new("/run/netns"), &doomed) {
        // Errors mean that another run sweeps at the same time: it does the same.
        if let Ok(pids) = run(Command::new("ip").args(["netns", "pids", &name])) {
            pids.split_whitespace().filter_map(|pid| pid.parse().ok()).for_each(kill);
        }
        let _ = run(Command::new("ip").args(["netns", "del", &name]));
    }
    for instance in left_over(Path::new(INSTANCES), &doomed) {
        let _ = run(Command::new(daemon_binary()).args(["detach", "--instance", &instance]));
    }
    let scratch = std::env::temp_dir();
    for name in left_over(&scratch, &doomed) {
        let _ = fs::remove_dir_all(scratch.join(name));
    }
}

/// Entries of `directory` with the lab's prefix and the process id of a doomed owner.
fn left_over(directory: &Path, doomed: impl Fn(u32) -> bool) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| owner(name).is_some_and(&doomed))
        .collect()
}

/// The process id in a lab's name.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

fn kill(pid: libc::pid_t) {
    // SAFETY: kill touches no memory. The process lives in a namespace that a lab made, so it is the lab's.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_prefix_and_pid_have_an_owner() {
        assert_eq!(owner("anylab-123-4-client"), Some(123));
        assert_eq!(owner("anylab-x-4-client"), None);
        assert_eq!(owner("lab-123-4-client"), None);
    }

    #[test]
    fn only_what_a_doomed_owner_has_is_left_over() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["anylab-7-0-x", "anylab-77-0-x", "other-7-0-x"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        assert_eq!(left_over(directory.path(), |owner| owner == 7), ["anylab-7-0-x"]);
    }
}
