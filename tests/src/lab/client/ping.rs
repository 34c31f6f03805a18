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

/// Sends five echo requests; the shortest time from one to its answer, if all were answered.
pub fn round_trip(client: &Namespace, address: IpAddr) -> Result<Option<Duration>> {
    let mut command = client.command("ping");
    command.args(["-n", "-q", "-i", "0.02", "-W", "1", "-c", "5", &address.to_string()]);
    let output = output_within(&mut command, Duration::from_secs(10))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let is_whole = parse(&text).is_some_and(|report| report.received == report.sent);
    Ok(shortest(&text).filter(|_| is_whole))
}

/// `rtt min/avg/max/mdev = 10.2/10.3/10.5/0.1 ms`
fn shortest(text: &str) -> Option<Duration> {
    let (_, values) = text.split_once("rtt min/avg/max/mdev = ")?;
    let millis: f64 = values.split('/').next()?.parse().ok()?;
    Some(Duration::from_secs_f64(millis / 1000.0))
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
        let rtt = "rtt min/avg/max/mdev = 10.250/10.3/10.5/0.1 ms";
        assert_eq!((shortest(rtt), shortest(text)), (Some(Duration::from_micros(10_250)), None));
        assert_eq!(parse("ping: connect: Network is unreachable"), None);
    }
}
