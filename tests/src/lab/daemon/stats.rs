//! `stats --output json`, as a test asks it.

use serde_json::Value;

/// The counters of an instance. Questions about a VIP, backend or interface that is not there panic: a misspelt name
/// must not read as zero.
#[derive(Clone, Debug)]
pub struct Stats(pub Value);

impl Stats {
    /// The row of a VIP.
    pub fn vip(&self, name: &str) -> &Value {
        self.row("vips", "name", name)
    }

    /// Packets of a VIP: `received`, `forwarded`, `answered`, `passed` or `dropped`.
    pub fn vip_packets(&self, name: &str, class: &str) -> u64 {
        packets(&self.vip(name)[class])
    }

    /// Answers of a VIP that went back.
    pub fn vip_returned_packets(&self, name: &str) -> u64 {
        packets(&self.vip(name)["return"]["returned"])
    }

    /// Their bytes.
    pub fn vip_returned_bytes(&self, name: &str) -> u64 {
        self.vip(name)["return"]["returned"]["bytes"].as_u64().expect("bytes of answers")
    }

    /// Answers of a VIP that did not, by outcome; zero rows are left out of the output, so unknown labels are 0.
    pub fn vip_return_outcome(&self, name: &str, label: &str) -> u64 {
        let outcomes = self.vip(name)["return"]["outcomes"].as_object().expect("outcomes of answers");
        outcomes.get(label).map_or(0, packets)
    }

    /// Packets of an outcome of the whole host; zero rows are left out of the output, so unknown labels are 0.
    pub fn outcome_packets(&self, label: &str) -> u64 {
        self.0["outcomes"].get(label).map_or(0, packets)
    }

    /// Packets forwarded to the backend with this tunnel address, over all pools.
    pub fn backend_packets(&self, address: std::net::IpAddr) -> u64 {
        let address = address.to_string();
        let rows = self.0["backends"].as_array().expect("backends");
        let of_backend = rows.iter().filter(|row| row["address"] == address.as_str());
        of_backend.map(|row| packets(&row["forwarded"])).sum()
    }

    /// Frames lost after the verdict on an interface, by the kernel's tracepoints.
    pub fn xdp_losses(&self, interface: &str) -> u64 {
        let losses = self.row("interfaces", "interface", interface)["xdp_losses"].as_object().expect("xdp_losses");
        losses.values().filter_map(Value::as_u64).sum()
    }

    /// Panics unless `received = forwarded + answered + passed + dropped` and `dropped = Σ reasons` for every VIP, in
    /// packets and bytes.
    pub fn assert_law(&self) {
        for vip in self.0["vips"].as_array().expect("vips") {
            for unit in ["packets", "bytes"] {
                let count = |class: &str| vip[class][unit].as_u64().expect("a count");
                let classes: u64 = ["forwarded", "answered", "passed", "dropped"].into_iter().map(count).sum();
                assert_eq!(count("received"), classes, "{unit} of {vip}");
                let reasons = vip["reasons"].as_object().expect("reasons").values();
                assert_eq!(
                    count("dropped"),
                    reasons.filter_map(|row| row[unit].as_u64()).sum::<u64>(),
                    "{unit} of {vip}"
                );
            }
        }
    }

    fn row(&self, table: &str, key: &str, name: &str) -> &Value {
        let rows = self.0[table].as_array().unwrap_or_else(|| panic!("stats has no {table}"));
        rows.iter().find(|row| row[key] == name).unwrap_or_else(|| panic!("{table} has no {name}: {rows:?}"))
    }
}

fn packets(count: &Value) -> u64 {
    count["packets"].as_u64().unwrap_or_else(|| panic!("{count} is no count"))
}
