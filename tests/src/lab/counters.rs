//! The kernel's own counters of a namespace: what `nstat` shows.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};

use super::Namespace;

/// Counters by nstat's names (`TcpRetransSegs`, `UdpInCsumErrors`, `Udp6InErrors`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelCounters(BTreeMap<String, u64>);

impl KernelCounters {
    /// Reads all of them.
    pub fn read(namespace: &Namespace) -> Result<Self> {
        // `/proc/net` is that of the process; the calling thread is the one that is in the namespace.
        let read = |file: &str| {
            let path = format!("/proc/thread-self/net/{file}");
            fs::read_to_string(&path).with_context(|| format!("reading {path}"))
        };
        let (snmp, netstat, snmp6) =
            namespace.enter(|| anyhow::Ok((read("snmp")?, read("netstat")?, read("snmp6")?)))??;
        Ok(Self::parse(&snmp, &netstat, &snmp6))
    }

    fn parse(snmp: &str, netstat: &str, snmp6: &str) -> Self {
        let mut counters = BTreeMap::new();
        for text in [snmp, netstat] {
            // Pairs of lines: `Tcp: Name Name`, then `Tcp: 1 2`.
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.chunks_exact(2) {
                let [names, values] = [pair[0], pair[1]].map(|line| line.split_whitespace());
                let group = pair[0].split(':').next().unwrap_or_default();
                for (name, value) in names.zip(values).skip(1) {
                    // `Tcp: MaxConn -1` is no counter.
                    if let Ok(value) = value.parse() {
                        counters.insert(format!("{group}{name}"), value);
                    }
                }
            }
        }
        for line in snmp6.lines() {
            if let Some((name, value)) = line.split_once(char::is_whitespace)
                && let Ok(value) = value.trim().parse()
            {
                counters.insert(name.to_owned(), value);
            }
        }
        Self(counters)
    }

    /// One counter; panics if the kernel has none of this name, for a misspelt name must not read as zero.
    pub fn get(&self, name: &str) -> u64 {
        *self.0.get(name).unwrap_or_else(|| panic!("the kernel has no counter {name}"))
    }

    /// How much a counter has grown since `before`.
    pub fn since(&self, before: &Self, name: &str) -> u64 {
        self.get(name) - before.get(name)
    }

    /// IP packets that came to the stack since `before`, without those of neighbour discovery. The kernel counts them by
    /// their ECN bits, and what GRO has joined as the packets that it was.
    pub fn ip_packets_since(&self, before: &Self) -> u64 {
        let came = ["InNoECTPkts", "InECT0Pkts", "InECT1Pkts", "InCEPkts"]
            .iter()
            .flat_map(|ecn| [format!("IpExt{ecn}"), format!("Ip6{ecn}")])
            .map(|name| self.since(before, &name));
        let discovery =
            ["RouterSolicits", "RouterAdvertisements", "NeighborSolicits", "NeighborAdvertisements", "MLDv2Reports"]
                .map(|message| self.since(before, &format!("Icmp6In{message}")));
        came.sum::<u64>() - discovery.iter().sum::<u64>()
    }

    /// IP packets that the stack refused since `before`: for their header, their address or their length.
    pub fn refused_packets_since(&self, before: &Self) -> u64 {
        let names = ["IpInHdrErrors", "IpInAddrErrors", "Ip6InHdrErrors", "Ip6InAddrErrors", "Ip6InTruncatedPkts"];
        names.map(|name| self.since(before, name)).iter().sum()
    }

    /// Frames that the interfaces of a namespace dropped for want of room: a veth whose reader a busy machine does not
    /// let run overflows, whoever sent the frames.
    pub fn interface_drops(namespace: &Namespace) -> Result<u64> {
        let dev = namespace.enter(|| fs::read_to_string("/proc/thread-self/net/dev"))?.context("reading net/dev")?;
        Ok(Self::sum_of_drops(&dev))
    }

    /// Columns of `/proc/net/dev` after the name: bytes, packets, errors, drops of rx, and the same of tx from the ninth on.
    fn sum_of_drops(dev: &str) -> u64 {
        let lines = dev.lines().skip(2).filter_map(|line| line.split_once(':'));
        lines
            .map(|(_, columns)| columns.split_whitespace().map(|value| value.parse().unwrap_or(0)).collect())
            .map(|columns: Vec<u64>| columns.get(3).unwrap_or(&0) + columns.get(11).unwrap_or(&0))
            .sum()
    }

    /// Datagrams that arrived and did not fit into their socket.
    pub fn socket_overflows(&self) -> u64 {
        self.get("UdpRcvbufErrors") + self.get("Udp6RcvbufErrors")
    }

    /// Packets that the stack refused because a checksum of theirs was wrong.
    pub fn checksum_errors(&self) -> u64 {
        // An IPv6 TCP segment counts with the IPv4 ones; IPv4 header checksums count in `IpInHdrErrors`' subset.
        ["TcpInCsumErrors", "UdpInCsumErrors", "IcmpInCsumErrors", "Udp6InCsumErrors", "Icmp6InCsumErrors"]
            .into_iter()
            .chain(["IpExtInCsumErrors"])
            .map(|name| self.get(name))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_nstat() {
        let counters = KernelCounters::parse(
            "Tcp: MaxConn RetransSegs\nTcp: -1 3\nUdp: InDatagrams InErrors\nUdp: 5 6\n",
            "TcpExt: SyncookiesSent TCPLossProbes\nTcpExt: 0 9\n",
            "Ip6InReceives                   \t17\n",
        );
        let read = ["TcpRetransSegs", "UdpInErrors", "TcpExtTCPLossProbes", "Ip6InReceives"].map(|n| counters.get(n));
        assert_eq!(read, [3, 6, 9, 17]);
    }

    #[test]
    fn drops_of_both_directions_are_summed_over_all_interfaces() {
        let dev = "Inter-|   Receive                            |  Transmit\n \
            face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed\n \
            lo: 1 2 3 40 5 6 7 8 9 10 11 120 13 14 15 16\n eth0: 0 0 0 5 0 0 0 0 0 0 0 6 0 0 0 0\n";
        assert_eq!(KernelCounters::sum_of_drops(dev), 171);
    }

    #[test]
    #[should_panic(expected = "no counter TcpMaxConn")]
    fn a_name_without_counter_panics() {
        KernelCounters::parse("Tcp: MaxConn\nTcp: -1\n", "", "").get("TcpMaxConn");
    }
}
