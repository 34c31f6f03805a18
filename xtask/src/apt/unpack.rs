//! Packages that are used from where they are unpacked: the host does not change, and nobody need be root.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{LIMIT, Policy, parse_policy};
use crate::{run, say};

/// Settings for lists of our own, below the directory that apt is given as its own.
const PRIVATE_DIRECTORIES: [&str; 3] = ["lists/partial", "archives/partial", "empty"];

/// An apt with its own sources, or the host's.
#[derive(Clone, Debug, Default)]
pub struct Unpacker {
    options: Vec<String>,
}

impl Unpacker {
    /// An apt that knows the packages of these lines of `sources.list` only; it keeps its lists in `directory`.
    pub fn with_sources(directory: &Path, lines: &[String]) -> Result<Self> {
        for name in PRIVATE_DIRECTORIES {
            fs::create_dir_all(directory.join(name))?;
        }
        let sources = directory.join("sources.list");
        fs::write(&sources, lines.join("\n") + "\n").with_context(|| sources.display().to_string())?;
        let path = |name: &str| directory.join(name).display().to_string();
        let settings = [
            format!("Dir::Etc::SourceList={}", sources.display()),
            format!("Dir::Etc::SourceParts={}", path("empty")),
            format!("Dir::Etc::PreferencesParts={}", path("empty")),
            format!("Dir::State::Lists={}", path("lists")),
            format!("Dir::Cache={}", path("")),
            // Names and versions are all that is asked for.
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false".to_owned(),
        ];
        Ok(Self { options: settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]).collect() })
    }

    /// Fetches the package lists. A suite that is not to be had is no error: the others are.
    pub fn update(&self) {
        say::step("fetching the package lists of other releases");
        if let Err(error) = run::patiently(self.command("apt-get").args(["update", "-qq"]), LIMIT) {
            say::note(format!("{error:#}"));
        }
    }

    /// Names of the packages that begin so.
    pub fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let names = run::stdout_of(self.command("apt-cache").args(["pkgnames", prefix]))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Asks about packages; unknown ones are left out.
    pub fn policy(&self, packages: &[String]) -> Result<Vec<Policy>> {
        Ok(parse_policy(&run::stdout_of(self.command("apt-cache").arg("policy").args(packages))?))
    }

    /// Downloads packages (`name` or `name=version`) and unpacks all of them into `directory`, which is there only
    /// when it is complete.
    pub fn unpack(&self, packages: &[String], directory: &Path) -> Result<()> {
        let unfinished = beside(directory, "unfinished");
        let downloads = beside(directory, "downloads");
        for path in [&unfinished, &downloads] {
            remove(path)?;
            fs::create_dir_all(path).with_context(|| path.display().to_string())?;
        }
        let mut download = self.command("apt-get");
        // Root's apt would download as another user, who may not write here.
        download.current_dir(&downloads).args(["-o", "APT::Sandbox::User=root", "-q", "download"]).args(packages);
        run::patiently(&mut download, LIMIT).context("apt cannot download")?;
        for entry in fs::read_dir(&downloads)? {
            run::stdout_of(Command::new("dpkg-deb").arg("--extract").arg(entry?.path()).arg(&unfinished))?;
        }
        remove(directory)?;
        fs::rename(&unfinished, directory)?;
        remove(&downloads)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(&self.options).env("LC_ALL", "C");
        command
    }
}

/// What an installation of this package would bring, with everything that it needs and this host has not: each as
/// `name=version`.
pub fn with_dependencies(package: &str) -> Result<Vec<String>> {
    let mut command = Command::new("apt-get");
    command.args(["install", "--simulate", "-q", "--no-install-recommends", package]).env("LC_ALL", "C");
    let packages = parse_simulation(&run::stdout_of(&mut command)?);
    if packages.is_empty() {
        bail!("apt would install nothing for {package}");
    }
    Ok(packages)
}

/// `Inst seabios (1.16.2-1 Debian:12.15/oldstable [all])`, with `[1.15-1]` before the parenthesis for an upgrade.
fn parse_simulation(output: &str) -> Vec<String> {
    let installed = output.lines().filter_map(|line| line.strip_prefix("Inst "));
    let parts = installed.filter_map(|line| {
        let (name, version) = line.split_once(" (").or(line.split_once('('))?;
        Some((name.split(' ').next()?, version.split(' ').next()?))
    });
    parts.map(|(name, version)| format!("{name}={version}")).collect()
}

/// A directory beside this one, on the same file system.
fn beside(directory: &Path, what: &str) -> PathBuf {
    let mut name = directory.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    directory.with_file_name(name)
}

fn remove(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulation_tells_names_and_versions_of_new_and_newer_packages() {
        let output = "Reading package lists...\nRemv qemu-utils [1:10.0]\n\
                      Inst seabios (1.16.2-1 Debian:12.15/oldstable [all])\n\
                      Inst libslirp0 [4.6.0-1] (4.7.0-1 Debian:12.15/oldstable [amd64])\n\
                      Conf seabios (1.16.2-1 Debian:12.15/oldstable [all])\n";
        assert_eq!(parse_simulation(output), ["seabios=1.16.2-1", "libslirp0=4.7.0-1"]);
    }

    #[test]
    fn unfinished_directory_lies_beside_the_finished_one() {
        assert_eq!(beside(Path::new("/a/6.1.0-56"), "unfinished"), Path::new("/a/6.1.0-56.unfinished"));
    }
}
