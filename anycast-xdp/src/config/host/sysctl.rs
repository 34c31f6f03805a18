//! Values under `/proc/sys/net`, which shows the network namespace of whoever reads it.

use std::fs;

/// One value, by its path below `/proc/sys/net`; the error says why it is not known.
pub(crate) fn value(path: &str) -> Result<u32, String> {
    let path = format!("/proc/sys/net/{path}");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    text.trim().parse().map_err(|_| format!("{path} is `{}`", text.trim()))
}

/// The command that sets it. Names of interfaces may have dots, which `sysctl` reads as slashes.
pub(crate) fn command(path: &str, value: u32) -> String {
    let path = format!("net/{path}");
    let path = if path.contains('.') { path } else { path.replace('/', ".") };
    format!("sysctl -w {path}={value}")
}

/// Path of "packets that come in by this interface are forwarded", in the family of the VIPs that it is asked for.
pub(crate) fn forwarding(interface: &str, is_ipv4: bool) -> String {
    format!("{}/conf/{interface}/forwarding", if is_ipv4 { "ipv4" } else { "ipv6" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_for_a_name_with_a_dot_is_written_with_slashes() {
        assert_eq!(command("ipv4/conf/lb0/rp_filter", 2), "sysctl -w net.ipv4.conf.lb0.rp_filter=2");
        assert_eq!(command("ipv4/conf/eth0.7/rp_filter", 2), "sysctl -w net/ipv4/conf/eth0.7/rp_filter=2");
        assert_eq!(command(&forwarding("bb0", false), 1), "sysctl -w net.ipv6.conf.bb0.forwarding=1");
    }
}
