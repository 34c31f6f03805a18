//! ping.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result};

use super::super::{Namespace, command::output_within};

/// What ping counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingReport {
    /// Echo requests sent.
    pub sent: u32,
    /// Echo replies received.
    pub received: u32,
}

/// Sends `count` echo requests with `payload_bytes` behind the ICMP header, 20 ms apart, with DF set.
pub fn ping(client: &Namespace, address: IpAddr, count: u32, payload_bytes: u16) -> Result<PingReport> {
    let mut command = client.command("ping");
    command.args(["-n", "-q", "-M", "do", "-i", "0.02", "-W", "1"]);
    command.args(["-c", &count.to_string(), "-s", &payload_bytes.to_string(), &address.to_string()]);
    // Lost replies make ping fail; here they are a result.
    let output = output_within(&mut command, Duration::from_secs(10 + u64::from(count)))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).with_context(|| format!("what ping says: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// `5 packets transmitted, 4 received, 20% packet loss, time 81ms`
fn parse(text: &str) -> Option<PingReport> {
    let line = text.lines().find(|line| line.contains("packets transmitted"))?;
    let mut numbers = line.split(", ").filter_map(|part| part.split(' ').next()?.parse().ok());
    Some(PingReport { sent: numbers.next()?, received: numbers.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_line_is_read() {
        let text =
            "--- 192.0.2.80 ping statistics ---\n5 packets transmitted, 4 received, 20% packet loss, time 81ms\n";
        assert_eq!(parse(text), Some(PingReport { sent: 5, received: 4 }));
        let errors = "5 packets transmitted, 0 received, +5 errors, 100% packet loss, time 81ms";
        assert_eq!(parse(errors), Some(PingReport { sent: 5, received: 0 }));
        assert_eq!(parse("ping: connect: Network is unreachable"), None);
    }
}
