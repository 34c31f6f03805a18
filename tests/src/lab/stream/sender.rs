//! Sends at a steady rate.

use std::{
    net::UdpSocket,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    super::{batch, run_ahead_of_others},
    Shared, StreamSpec, message,
};

/// Time between two batches: 20 datagrams at 50,000 a second.
const TICK: Duration = Duration::from_micros(400);
/// Batches that are sent without a pause after the machine was busy elsewhere. Together they stay well below the 256
/// places of a veth ring; what is further behind is not made up for.
const CATCH_UP_TICKS: u32 = 4;

/// Sends until told to stop; how many datagrams went out in each flow.
pub(super) fn run(sockets: &[UdpSocket], stream_id: u64, spec: &StreamSpec, shared: &Shared) -> Result<Vec<u64>> {
    let per_tick = (u64::from(spec.rate_pps) * TICK.as_micros() as u64).div_ceil(1_000_000);
    let tick = Duration::from_nanos(per_tick * 1_000_000_000 / u64::from(spec.rate_pps));
    let mut payloads = vec![vec![0u8; spec.payload_bytes]; per_tick as usize];
    let mut sent_per_flow = vec![0u64; sockets.len()];
    run_ahead_of_others();
    let mut next = Instant::now();
    for flow in (0..sockets.len()).cycle() {
        if shared.stop_sending.load(Ordering::Relaxed) {
            break;
        }
        sleep_until(next);
        let behind = Instant::now().saturating_duration_since(next).saturating_sub(tick * CATCH_UP_TICKS);
        next += tick + behind;
        for (payload, number) in payloads.iter_mut().zip(sent_per_flow[flow]..) {
            message::write(payload, stream_id, flow as u64, number);
        }
        let sent = send_all(&sockets[flow], &payloads)?;
        sent_per_flow[flow] += sent;
        shared.sent.fetch_add(sent, Ordering::Relaxed);
    }
    Ok(sent_per_flow)
}

fn sleep_until(deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        std::thread::sleep(left);
    }
}

/// Sends the datagrams with one system call; how many the kernel took.
fn send_all(socket: &UdpSocket, payloads: &[Vec<u8>]) -> Result<u64> {
    let error = match batch::send(socket, payloads) {
        Ok(sent) => return Ok(sent as u64),
        Err(error) => error,
    };
    match error.raw_os_error() {
        // An ICMP error for an earlier datagram (a backend or route that is away for a moment) is reported once, on the
        // next send; a full queue takes nothing. Both are about what is being tested, so the stream goes on.
        Some(
            libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENOBUFS | libc::EAGAIN | libc::EINTR,
        ) => Ok(0),
        _ => Err(error).context("sending the numbered stream"),
    }
}
