//! The first and only file system of a virtual machine: the test programs, what they call, and the kernel's modules.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{cpio::Archive, modules::Module};
use crate::{project_build::Executable, run};

/// What runs there first.
const INIT: &str = include_str!("init.sh");

/// Programs of the host that the lab calls.
const HOST_PROGRAMS: [&str; 8] = ["ip", "tc", "ethtool", "sysctl", "ping", "curl", "nginx", "iperf3"];

/// Where file systems are mounted.
const MOUNT_POINTS: [&str; 6] = ["/dev", "/proc", "/sys", "/tmp", "/run", "/var/log/nginx"];

/// nginx asks who its user is.
const USERS: [(&str, &str); 2] = [("/etc/passwd", "root:x:0:0::/:/bin/false\n"), ("/etc/group", "root:x:0:\n")];

/// The part that is the same for every kernel. `scratch` is a directory for files on the way.
pub fn common(
    busybox: &Path,
    daemon: &Path,
    tests: &[Executable],
    filter: Option<&str>,
    scratch: &Path,
) -> Result<Archive> {
    let mut archive = Archive::default();
    for directory in MOUNT_POINTS {
        archive.directory(Path::new(directory));
    }
    for (path, contents) in USERS {
        archive.file(Path::new(path), contents.as_bytes());
    }
    archive.file(Path::new("/init"), INIT.as_bytes());
    add_program(&mut archive, busybox, Path::new("/bin/busybox"))?;
    for name in HOST_PROGRAMS {
        let path = run::find(name).with_context(|| format!("{name} is not on this host"))?;
        add_program(&mut archive, &path, &path)?;
    }
    let tests_and_names = tests.iter().map(|test| (test.path.as_path(), test.name.as_str()));
    for (path, name) in tests_and_names.chain([(daemon, "anycast-xdp")]) {
        add_program(&mut archive, &stripped(path, &scratch.join(name))?, &Path::new("/tests").join(name))?;
    }
    archive.file(Path::new("/tests/list"), list(tests, filter).as_bytes());
    Ok(archive)
}

/// Adds the modules of a kernel and ends the archive.
pub fn with_modules(mut archive: Archive, modules: &[Module]) -> Vec<u8> {
    archive.directory(Path::new("/modules"));
    for (number, (name, bytes)) in modules.iter().enumerate() {
        // The shell gives them in this order.
        archive.file(Path::new(&format!("/modules/{number:03}-{name}.ko")), bytes);
    }
    archive.finish()
}

/// A line for each test program: its name and its arguments.
fn list(tests: &[Executable], filter: Option<&str>) -> String {
    let line = |test: &Executable| {
        // One at a time, as on this host; and shown as it comes: a test says there that it was skipped.
        format!("{} --nocapture --test-threads=1 {}", test.name, filter.unwrap_or_default()).trim_end().to_owned()
            + "\n"
    };
    tests.iter().map(line).collect()
}

/// Adds a program with the shared libraries that it needs.
fn add_program(archive: &mut Archive, path: &Path, place: &Path) -> Result<()> {
    let add = |archive: &mut Archive, path: &Path, place: &Path| -> Result<()> {
        archive.file(place, &fs::read(path).with_context(|| path.display().to_string())?);
        Ok(())
    };
    add(archive, path, place)?;
    // Fails for a program that needs none.
    let libraries = run::stdout_of(Command::new("ldd").arg(path)).unwrap_or_default();
    for library in paths(&libraries) {
        add(archive, &library, &library)?;
    }
    Ok(())
}

/// `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, and the dynamic linker without an arrow.
fn paths(ldd: &str) -> Vec<PathBuf> {
    ldd.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/'))).map(Into::into).collect()
}

/// A copy without debug information: all of it would be in the machine's memory.
fn stripped(path: &Path, copy: &Path) -> Result<PathBuf> {
    run::stdout_of(Command::new("strip").arg("--strip-debug").arg("-o").arg(copy).arg(path))?;
    Ok(copy.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_dynamic_linker_are_read_from_ldd() {
        let ldd = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                   \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(
            paths(ldd),
            [Path::new("/lib/x86_64-linux-gnu/libc.so.6"), Path::new("/lib64/ld-linux-x86-64.so.2")]
        );
    }

    #[test]
    fn list_has_a_line_for_each_program() {
        let test =
            Executable { name: "packets".to_owned(), path: "/p".into(), package_dir: "/t".into(), is_test: true };
        let list = |filter| list(std::slice::from_ref(&test), filter);
        assert_eq!(list(Some("v6")), "packets --nocapture --test-threads=1 v6\n");
        assert_eq!(list(None), "packets --nocapture --test-threads=1\n");
    }
}
