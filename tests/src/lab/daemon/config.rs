//! Configuration files for the hosts of a lab.

use std::{fmt::Write as _, net::IpAddr};

use ipnet::IpNet;

use super::super::{
    Lab, Namespace,
    topology::{FAMILIES, Family, Site},
};

/// The configuration of a PoP host of a lab.
#[derive(Clone, Debug)]
#[must_use]
pub struct PopConfig {
    instance: String,
    text: String,
    vip_lines: &'static str,
}

impl PopConfig {
    /// The host's own facts, without services.
    pub fn new(lab: &Lab, site: &Site, name: &str) -> Self {
        let instance = instance(&site.pop);
        let mut text = format!(
            "role = \"pop\"
instance = \"{instance}\"

[host]
pop = \"{name}\"
name = \"{name}-1\"

[hash]
seed = \"000102030405060708090a0b0c0d0e0f\"

[tunnel]
source_ipv4 = \"{}\"
source_ipv6 = \"{}\"
",
            site.tunnel_source(Family::V4),
            site.tunnel_source(Family::V6),
        );
        // The one NIC has room for tunnels, so nothing that a client sends is too big; but its access MTU is the
        // backbone's, which the check must be told to accept.
        if lab.is_one_armed() {
            text.push_str("allow_small_mtu = true\n");
            lab.access_interfaces().iter().for_each(|name| interface(&mut text, name, "\"access\", \"backbone\""));
        } else {
            lab.access_interfaces().iter().for_each(|name| interface(&mut text, name, "\"access\""));
            lab.backbone_interfaces().iter().for_each(|name| interface(&mut text, name, "\"backbone\""));
        }
        Self { instance, text, vip_lines: "" }
    }

    /// Every VIP that is added from now on has these lines, too.
    pub fn every_vip(mut self, lines: &'static str) -> Self {
        self.vip_lines = lines;
        self
    }

    /// Adds an interface that the lab's topology does not have.
    pub fn interface(mut self, name: &str, roles: &[&str], attach: &str) -> Self {
        let _ = write!(self.text, "\n[[interface]]\nname = \"{name}\"\nroles = {roles:?}\nattach = \"{attach}\"\n");
        self
    }

    /// Adds a pool of backends of equal weight.
    pub fn pool(self, name: &str, backends: &[IpAddr]) -> Self {
        self.pool_with(name, backends, "")
    }

    /// Adds a pool of backends of equal weight, each with these lines besides.
    pub fn pool_with(mut self, name: &str, backends: &[IpAddr], lines: &str) -> Self {
        let _ = write!(self.text, "\n[[pool]]\nname = \"{name}\"\nhome_region = \"guangzhou\"\n");
        for address in backends {
            let _ = write!(self.text, "\n[[pool.backend]]\naddress = \"{address}\"\nweight = 100\n{lines}");
        }
        self
    }

    /// Tunnels begin in these prefixes, in the place of one address each.
    pub fn sources(mut self, prefixes: [IpNet; 2]) -> Self {
        for (key, prefix) in ["source_ipv4", "source_ipv6"].into_iter().zip(prefixes) {
            let begin = self.text.find(key).unwrap_or(self.text.len());
            let end = self.text[begin..].find('\n').map_or(self.text.len(), |len| begin + len);
            self.text.replace_range(begin..end, &format!("{key} = \"{prefix}\""));
        }
        self
    }

    /// Adds a pool of backends of equal weight, each with the longest outer packet toward it.
    pub fn pool_with_mtus(mut self, name: &str, backends: &[(IpAddr, u16)]) -> Self {
        let _ = write!(self.text, "\n[[pool]]\nname = \"{name}\"\nhome_region = \"guangzhou\"\n");
        for (address, mtu_bytes) in backends {
            let _ = write!(self.text, "\n[[pool.backend]]\naddress = \"{address}\"\nmtu_bytes = {mtu_bytes}\n");
        }
        self
    }

    /// Adds a pool of backends of equal weight, each in a state.
    pub fn pool_in_states(self, name: &str, backends: &[(IpAddr, &str)]) -> Self {
        let mut config = self.pool(name, &[]);
        for (address, state) in backends {
            let _ = write!(config.text, "\n[[pool.backend]]\naddress = \"{address}\"\nstate = \"{state}\"\n");
        }
        config
    }

    /// Adds text, in the section that was added last.
    pub fn and(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds a VIP that takes everything.
    pub fn vip(mut self, name: &str, address: IpAddr, pool: &str) -> Self {
        let _ = write!(self.text, "\n[[vip]]\nname = \"{name}\"\naddress = \"{address}\"\npool = \"{pool}\"\n");
        self.text.push_str(self.vip_lines);
        self
    }

    /// Adds a VIP that takes these listeners.
    pub fn vip_with_listeners(self, name: &str, address: IpAddr, listeners: &[&str], pool: &str) -> Self {
        let mut config = self.vip(name, address, pool);
        let _ = writeln!(config.text, "listeners = {listeners:?}");
        config
    }

    /// The last VIP's `icmp_echo`.
    pub fn icmp_echo(mut self, policy: &str) -> Self {
        let _ = writeln!(self.text, "icmp_echo = \"{policy}\"");
        self
    }

    /// Adds `[icmp]` with this many echo replies per second.
    pub fn echo_rate_pps(mut self, rate_pps: u32) -> Self {
        let _ = write!(self.text, "\n[icmp]\necho_rate_pps = {rate_pps}\n");
        self
    }

    /// Adds `[icmp]` with no ICMP errors: what they would tell is dropped silently, every packet of it.
    pub fn no_icmp_errors(mut self) -> Self {
        self.text.push_str("\n[icmp]\nerror_rate_pps = 0\n");
        self
    }

    /// Accepts a backbone that does not carry all that clients send.
    pub fn allow_small_mtu(mut self) -> Self {
        self.text = self.text.replacen("[tunnel]\n", "[tunnel]\nallow_small_mtu = true\n", 1);
        self
    }

    /// Name of the instance, unique on this machine.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The file.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The configuration of the home host of a lab as a gateway.
#[derive(Clone, Debug)]
#[must_use]
pub struct GatewayConfig {
    instance: String,
    text: String,
    vip_lines: &'static str,
}

impl GatewayConfig {
    /// The host's own facts: it believes all PoPs of the lab.
    pub fn new(lab: &Lab) -> Self {
        Self::of_home(lab, 0, &lab.home)
    }

    /// The same for this home host, counted from 0.
    pub fn of_home(lab: &Lab, number: u8, home: &Namespace) -> Self {
        let instance = instance(home);
        let sources = lab.sites.iter().flat_map(|site| FAMILIES.map(|family| site.tunnel_source(family)));
        let allowed: Vec<String> = sources.map(|address| IpNet::from(address).to_string()).collect();
        let mut text = format!(
            "role = \"gateway\"
instance = \"{instance}\"

[host]
pop = \"guangzhou\"
name = \"guangzhou-1\"

[gateway]
tunnel_addresses = {:?}
allowed_sources = {:?}
",
            FAMILIES.map(|family| lab.address_of_home(number, family).to_string()),
            allowed,
        );
        lab.home_interfaces().iter().for_each(|name| interface(&mut text, name, "\"backbone\""));
        Self { instance, text, vip_lines: "" }
    }

    /// Every VIP that is added from now on has these lines, too.
    pub fn every_vip(mut self, lines: &'static str) -> Self {
        self.vip_lines = lines;
        self
    }

    /// Adds lines to `[gateway]`.
    pub fn gateway_lines(mut self, lines: &str) -> Self {
        self.text = self.text.replacen("[gateway]\n", &format!("[gateway]\n{lines}"), 1);
        self
    }

    /// Believes these sources in the place of the PoPs' own addresses, and asks for one of these keys of GRE.
    pub fn tunnels(mut self, sources: &[IpNet], gre_keys: &[u32]) -> Self {
        let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
        let begin = self.text.find("allowed_sources").unwrap_or(self.text.len());
        let end = self.text[begin..].find('\n').map_or(self.text.len(), |len| begin + len);
        let keys = if gre_keys.is_empty() { String::new() } else { format!("\ngre_keys = {gre_keys:?}") };
        self.text.replace_range(begin..end, &format!("allowed_sources = {sources:?}{keys}"));
        self
    }

    /// Adds a VIP.
    pub fn vip(mut self, name: &str, address: IpAddr) -> Self {
        let _ = write!(self.text, "\n[[vip]]\nname = \"{name}\"\naddress = \"{address}\"\n");
        self.text.push_str(self.vip_lines);
        self
    }

    /// Adds text, in the section that was added last.
    pub fn and(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Name of the instance, unique on this machine.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The file.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn interface(text: &mut String, name: &str, roles: &str) {
    let _ = write!(text, "\n[[interface]]\nname = \"{name}\"\nroles = [{roles}]\nattach = \"native\"\n");
}

/// Named after the namespace, whose name no other lab has and tells whose it is.
fn instance(namespace: &Namespace) -> String {
    namespace.name().to_owned()
}
