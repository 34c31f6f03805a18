//! Removes what the labs of dead processes left.

use std::{fs, path::Path, process::Command, sync::Once};

use super::{PREFIX, command::run, daemon::daemon_binary};

/// Removes the namespaces, their processes, what daemons pinned, and the files of labs whose process is gone. Runs once a process, when the
/// first namespace is made.
pub fn sweep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for name in left_over(Path::new("/run/netns")) {
            // Errors mean that another run sweeps at the same time: it does the same.
            if let Ok(pids) = run(Command::new("ip").args(["netns", "pids", &name])) {
                pids.split_whitespace().filter_map(|pid| pid.parse().ok()).for_each(kill);
            }
            let _ = run(Command::new("ip").args(["netns", "del", &name]));
        }
        for instance in left_over(Path::new("/run/anycast-xdp")) {
            let _ = run(Command::new(daemon_binary()).args(["detach", "--instance", &instance]));
        }
        let scratch = std::env::temp_dir();
        for name in left_over(&scratch) {
            let _ = fs::remove_dir_all(scratch.join(name));
        }
    });
}

/// Entries of `directory` with the lab's prefix and the process id of a process that is no more.
fn left_over(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| owner(name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()))
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
    fn a_directory_of_a_living_process_is_not_left_over() {
        let directory = tempfile::tempdir().unwrap();
        let living = format!("{PREFIX}{}-0-x", std::process::id());
        // No process has this id: it is above the kernel's limit of 2^22.
        let dead = format!("{PREFIX}4194305-0-x");
        for name in [&living, &dead, &"other".to_owned()] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        assert_eq!(left_over(directory.path()), [dead]);
    }
}
