//! Kernels, unpacked in the checkout.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use xtask::project;

use super::{packages, sources};
use crate::{
    apt::{self, Unpacker},
    say,
};

/// In the directory of a kernel: the version of its package.
const VERSION_FILE: &str = "package-version";

/// A kernel that can be booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// What was asked for: `6.1`.
    pub series: String,
    /// What it calls itself: `6.1.0-56-cloud-amd64`.
    pub release: String,
    /// The version of its package: `6.1.192-2`.
    pub package_version: String,
    directory: PathBuf,
}

impl Kernel {
    /// The image.
    pub fn image(&self) -> Result<PathBuf> {
        let inside = [
            format!("boot/vmlinuz-{}", self.release),
            format!("usr/lib/modules/{}/vmlinuz", self.release),
            format!("lib/modules/{}/vmlinuz", self.release),
        ];
        let mut paths = inside.iter().map(|path| self.directory.join(path));
        paths.find(|path| path.exists()).with_context(|| format!("the package of {} has no kernel", self.release))
    }

    /// Where its modules are.
    pub fn modules(&self) -> Result<PathBuf> {
        let mut paths =
            ["lib", "usr/lib"].iter().map(|lib| self.directory.join(lib).join("modules").join(&self.release));
        paths.find(|path| path.join("kernel").exists()).with_context(|| format!("{} has no modules", self.release))
    }
}

/// Kernels by series: those that are unpacked, and those that apt can get.
#[derive(Debug)]
pub struct Kernels {
    directory: PathBuf,
    /// Asks apt although a kernel of the series is here.
    latest: bool,
    /// Set when it is first needed.
    source: Option<Source>,
}

#[derive(Debug)]
struct Source {
    apt: Unpacker,
    names: Vec<String>,
}

impl Kernels {
    /// Those of this checkout.
    pub fn new(latest: bool) -> Self {
        Self { directory: project::tools_dir().join("kernels"), latest, source: None }
    }

    /// The newest kernel of the series, one that is already here unless the latest is asked for. The error says why
    /// there is none.
    pub fn get(&mut self, series: &str) -> Result<Kernel> {
        if !self.latest
            && let Some(kernel) = self.unpacked(series)
        {
            return Ok(kernel);
        }
        self.fetch(series)
    }

    /// The newest of the series that was unpacked before.
    fn unpacked(&self, series: &str) -> Option<Kernel> {
        let entries = fs::read_dir(&self.directory).ok()?;
        // What was unpacked has the names of the packages.
        let images = entries.filter_map(|entry| Some(format!("linux-image-{}", entry.ok()?.file_name().to_str()?)));
        let images: Vec<String> = images.collect();
        packages::releases(series, &images).into_iter().find_map(|release| self.kernel(series, release))
    }

    fn kernel(&self, series: &str, release: &str) -> Option<Kernel> {
        let directory = self.directory.join(release);
        let package_version = fs::read_to_string(directory.join(VERSION_FILE)).ok()?.trim().to_owned();
        Some(Kernel { series: series.to_owned(), release: release.to_owned(), package_version, directory })
    }

    fn fetch(&mut self, series: &str) -> Result<Kernel> {
        let Source { apt, names } = self.source()?;
        for release in packages::releases(series, names) {
            // A name alone may be one that another package only mentions.
            let parts = packages::of_release(release, names);
            let Some(package_version) = apt.policy(&parts)?.into_iter().next().and_then(|policy| policy.candidate)
            else {
                continue;
            };
            let (apt, release) = (apt.clone(), release.to_owned());
            if let Some(kernel) =
                self.kernel(series, &release).filter(|kernel| kernel.package_version == package_version)
            {
                return Ok(kernel);
            }
            say::step(format!("unpacking Linux {release}, package version {package_version}"));
            let directory = self.directory.join(&release);
            apt.unpack(&parts, &directory)?;
            fs::write(directory.join(VERSION_FILE), &package_version)?;
            return self.kernel(series, &release).context("the kernel is not where it was unpacked");
        }
        bail!("the Debian mirror of this host has no linux-image-{series}.* for the cloud");
    }

    fn source(&mut self) -> Result<&Source> {
        if self.source.is_none() {
            self.source = Some(Source::open(&self.directory.join("apt"))?);
        }
        self.source.as_ref().context("the source was just set")
    }
}

impl Source {
    fn open(directory: &Path) -> Result<Self> {
        if !apt::is_here() {
            bail!("this host has no apt to get kernels with");
        }
        apt::update()?;
        let apt = Unpacker::with_sources(directory, &sources::lines()?)?;
        apt.update();
        let names = apt.names("linux-")?;
        Ok(Self { apt, names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_complete_kernel_of_the_series_is_taken_from_the_checkout() {
        let directory = std::env::temp_dir().join(format!("xtask-kernels-{}", std::process::id()));
        let kernels = Kernels { directory: directory.clone(), latest: false, source: None };
        assert_eq!(kernels.unpacked("6.1"), None);
        for (release, version) in [("6.1.0-9", Some("6.1.9-1")), ("6.1.0-56", Some("6.1.192-2\n")), ("6.1.0-57", None)]
        {
            let path = directory.join(format!("{release}-cloud-amd64"));
            fs::create_dir_all(&path).unwrap();
            if let Some(version) = version {
                fs::write(path.join(VERSION_FILE), version).unwrap();
            }
        }
        let kernel = kernels.unpacked("6.1").unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!((kernel.release.as_str(), kernel.package_version.as_str()), ("6.1.0-56-cloud-amd64", "6.1.192-2"));
    }
}
