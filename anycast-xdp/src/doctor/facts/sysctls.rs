//! Values under `/proc/sys/net`, which shows the network namespace of whoever reads it.

use std::collections::BTreeMap;

use super::Known;
use crate::config::host::sysctl;

/// What is read of every interface, and of `all`.
const OF_INTERFACE: [&str; 5] = [
    "ipv4/conf/{}/rp_filter",
    "ipv4/conf/{}/forwarding",
    "ipv4/conf/{}/arp_ignore",
    "ipv4/conf/{}/arp_announce",
    "ipv6/conf/{}/forwarding",
];

/// Values by their path below `/proc/sys/net`.
#[derive(Clone, Debug, Default)]
pub struct Sysctls(pub BTreeMap<String, Known<u32>>);

impl Sysctls {
    pub(super) fn read<'a>(interfaces: impl Iterator<Item = &'a String>) -> Self {
        let names = interfaces.map(String::as_str).chain(["all"]);
        let paths = names.flat_map(|name| OF_INTERFACE.map(|pattern| pattern.replace("{}", name)));
        Self(paths.map(|path| (path.clone(), sysctl::value(&path))).collect())
    }

    /// One value.
    pub fn get(&self, path: &str) -> Known<u32> {
        self.0.get(path).cloned().unwrap_or_else(|| Err(format!("net/{path} was not read")))
    }

    /// Of those whose effect is the larger of the interface's value and that of `all`.
    pub fn effective(&self, interface: &str, key: &str) -> Known<u32> {
        let of = |name: &str| self.get(&format!("ipv4/conf/{name}/{key}"));
        Ok(of(interface)?.max(of("all")?))
    }
}

/// The command that sets a value of IPv4.
pub(in crate::doctor) fn set(interface: &str, key: &str, value: u32) -> String {
    sysctl::command(&format!("ipv4/conf/{interface}/{key}"), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effective_value_is_the_larger_one() {
        let value = |name: &str, value| (format!("ipv4/conf/{name}/rp_filter"), Ok(value));
        let sysctls = Sysctls([value("all", 1), value("a", 2), value("b", 0)].into());
        assert_eq!(sysctls.effective("a", "rp_filter"), Ok(2));
        assert_eq!(sysctls.effective("b", "rp_filter"), Ok(1));
        assert!(sysctls.effective("c", "rp_filter").is_err());
    }
}
