//! Values under `/proc/sys/net`, which shows the network namespace of whoever reads it.

use std::{collections::BTreeMap, fs};

use super::Known;

/// What is read of every interface, and of `all`.
const OF_INTERFACE: [&str; 4] =
    ["ipv4/conf/{}/rp_filter", "ipv4/conf/{}/forwarding", "ipv4/conf/{}/arp_ignore", "ipv4/conf/{}/arp_announce"];

/// Values by their path below `/proc/sys/net`.
#[derive(Clone, Debug, Default)]
pub struct Sysctls(pub BTreeMap<String, Known<u32>>);

impl Sysctls {
    pub(super) fn read<'a>(interfaces: impl Iterator<Item = &'a String>) -> Self {
        let names = interfaces.map(String::as_str).chain(["all"]);
        let of_interfaces = names.flat_map(|name| OF_INTERFACE.map(|pattern| pattern.replace("{}", name)));
        let paths = of_interfaces.chain(["ipv6/conf/all/forwarding".to_owned()]);
        Self(paths.map(|path| (path.clone(), value(&path))).collect())
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

fn value(path: &str) -> Known<u32> {
    let path = format!("/proc/sys/net/{path}");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    text.trim().parse().map_err(|_| format!("{path} is `{}`", text.trim()))
}

/// The command that sets a value. Names of interfaces may have dots, which `sysctl` reads as slashes.
pub(in crate::doctor) fn set(interface: &str, key: &str, value: u32) -> String {
    if interface.contains('.') {
        format!("sysctl -w net/ipv4/conf/{interface}/{key}={value}")
    } else {
        format!("sysctl -w net.ipv4.conf.{interface}.{key}={value}")
    }
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

    #[test]
    fn command_for_a_name_with_a_dot_is_written_with_slashes() {
        assert_eq!(set("lb0", "rp_filter", 2), "sysctl -w net.ipv4.conf.lb0.rp_filter=2");
        assert_eq!(set("eth0.7", "rp_filter", 2), "sysctl -w net/ipv4/conf/eth0.7/rp_filter=2");
    }
}
