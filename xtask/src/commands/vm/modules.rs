//! The modules that a kernel needs for the lab, in the order in which they can be loaded.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use object::{Object as _, ObjectSection as _, read::elf::ElfFile64};

/// What the tests use: links, the kernel's own tunnels, traffic control.
const WANTED: [&str; 13] = [
    "veth",
    "bridge",
    "8021q",
    "bonding",
    "ipip",
    "sit",
    "ip6_tunnel",
    "ip_gre",
    "ip6_gre",
    "fou",
    "fou6",
    "sch_ingress",
    "cls_bpf",
];

/// A module: its name and its bytes, not compressed.
pub type Module = (String, Vec<u8>);

/// The modules below this directory that the lab wants and what they need. What is not there is built into the kernel,
/// or the kernel has it not, which the test that needs it will tell.
pub fn in_order(directory: &Path) -> Result<Vec<Module>> {
    let mut files = BTreeMap::new();
    find(&directory.join("kernel"), &mut files)?;
    let mut modules = Vec::new();
    for name in WANTED {
        add(name, &files, &mut modules)?;
    }
    Ok(modules)
}

/// Files of modules, by name.
fn find(directory: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find(&entry.path(), files)?;
        } else if let Some((name, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
            files.insert(canonical(name), entry.path());
        }
    }
    Ok(())
}

/// The kernel takes `-` and `_` in the name of a module for the same.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

fn add(name: &str, files: &BTreeMap<String, PathBuf>, modules: &mut Vec<Module>) -> Result<()> {
    let name = canonical(name);
    let Some(path) = files.get(&name).filter(|_| modules.iter().all(|(other, _)| *other != name)) else {
        return Ok(());
    };
    let bytes = read(path)?;
    for needed in needed_by(&bytes).with_context(|| path.display().to_string())? {
        add(&needed, files, modules)?;
    }
    modules.push((name, bytes));
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(path).with_context(|| path.display().to_string()),
    };
    let mut command = Command::new(program);
    let output = command.args(["--decompress", "--stdout"]).arg(path).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} cannot decompress {}", path.display());
    }
    Ok(output.stdout)
}

/// What `depmod` reads: `depends=a,b` among the strings of the section `.modinfo`.
fn needed_by(module: &[u8]) -> Result<Vec<String>> {
    let elf = ElfFile64::<object::Endianness>::parse(module)?;
    let section = elf.section_by_name(".modinfo").context("no section .modinfo")?;
    Ok(dependencies(section.data()?))
}

fn dependencies(modinfo: &[u8]) -> Vec<String> {
    let strings = modinfo.split(|&byte| byte == 0).map(String::from_utf8_lossy);
    let lists: Vec<String> = strings.filter_map(|string| Some(string.strip_prefix("depends=")?.to_owned())).collect();
    lists.iter().flat_map(|list| list.split(',')).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_among_other_strings() {
        let modinfo = b"license=GPL\0depends=gre,ip_tunnel\0name=ip_gre\0";
        assert_eq!(dependencies(modinfo), ["gre", "ip_tunnel"]);
        assert_eq!(dependencies(b"depends=\0intree=Y\0"), Vec::<String>::new());
    }

    #[test]
    fn module_that_is_built_in_is_left_out() {
        let mut modules = Vec::new();
        add("veth", &BTreeMap::new(), &mut modules).unwrap();
        assert_eq!(modules, Vec::<Module>::new());
    }
}
