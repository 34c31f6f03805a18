//! What the kernel says of interfaces: XDP mode and statistics, by netlink and ethtool.
//!
//! Not by `/sys/class/net`, which shows the namespace that sysfs was mounted in, and not the one this process is in.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use netlink_packet_route::link::{LinkAttribute, LinkMessage, LinkXdp, Stats64, XdpAttached};

use super::ethtool;

/// XDP on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpState {
    /// `native` or `generic` (`offloaded` programs are not ours).
    pub mode: &'static str,
    /// Id of the attached program.
    pub program_id: u32,
}

/// The kernel index of an interface.
pub fn interface_index(name: &str) -> Option<u32> {
    let name = std::ffi::CString::new(name).ok()?;
    // SAFETY: a terminated string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => None,
        index => Some(index),
    }
}

/// The name of an interface.
pub fn interface_name(index: u32) -> Option<String> {
    let mut name = [0u8; libc::IF_NAMESIZE];
    // SAFETY: room for the longest name.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return None;
    }
    std::ffi::CStr::from_bytes_until_nul(&name).ok().map(|name| name.to_string_lossy().into_owned())
}

/// XDP on the interface with this index; `None`: no program.
///
/// # Errors
///
/// The kernel does not tell.
pub fn xdp(index: u32) -> Result<Option<XdpState>> {
    link(index).map(|message| xdp_of(&message))
}

/// XDP on the link that a message tells of; `None`: no program.
pub fn xdp_of(message: &LinkMessage) -> Option<XdpState> {
    let mut mode = None;
    let mut program_id = 0;
    for attribute in message.attributes.iter().filter_map(xdp_attributes).flatten() {
        if let LinkXdp::Attached(attached) = attribute {
            mode = mode_of(*attached).or(mode);
        } else if let LinkXdp::ProgId(id) = attribute {
            program_id = *id;
        }
    }
    mode.map(|mode| XdpState { mode, program_id })
}

/// The longest IP packet of the interface with this index.
///
/// # Errors
///
/// The kernel does not tell.
pub fn mtu_bytes(index: u32) -> Result<u32> {
    let attributes = link(index)?.attributes;
    let mtu = attributes.iter().find_map(|found| if let LinkAttribute::Mtu(mtu) = found { Some(*mtu) } else { None });
    mtu.with_context(|| format!("the kernel tells no MTU of interface {index}"))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "kernels may add modes; those are none that we ask for")]
fn mode_of(attached: XdpAttached) -> Option<&'static str> {
    match attached {
        XdpAttached::Driver => Some("native"),
        XdpAttached::SocketBuffer => Some("generic"),
        XdpAttached::Hardware => Some("offloaded"),
        _ => None,
    }
}

fn xdp_attributes(attribute: &LinkAttribute) -> Option<&Vec<LinkXdp>> {
    if let LinkAttribute::Xdp(attributes) = attribute { Some(attributes) } else { None }
}

/// Counters of an interface that speak of loss: the kernel's own, and those of its driver. Zero ones are left out.
///
/// # Errors
///
/// The kernel does not tell.
pub fn losses(name: &str, index: u32) -> Result<BTreeMap<String, u64>> {
    let message = link(index)?;
    let stats = message
        .attributes
        .iter()
        .find_map(|attribute| if let LinkAttribute::Stats64(stats) = attribute { Some(*stats) } else { None });
    let mut counters = stats.map(kernel_losses).unwrap_or_default();
    // A driver's count of XDP drops is of our own verdicts.
    let speaks_of_loss = |name: &str| {
        !name.contains("xdp_drop")
            && ["drop", "err", "discard", "miss", "no_buf", "full"].iter().any(|word| name.contains(word))
    };
    // A driver without statistics of its own is no error.
    let own = ethtool::statistics(name).unwrap_or_default();
    counters.extend(own.into_iter().filter(|(name, _)| speaks_of_loss(name)));
    counters.retain(|_, value| *value != 0);
    Ok(counters)
}

fn kernel_losses(stats: Stats64) -> BTreeMap<String, u64> {
    [
        ("rx_errors", stats.rx_errors),
        ("rx_dropped", stats.rx_dropped),
        ("rx_missed_errors", stats.rx_missed_errors),
        ("tx_errors", stats.tx_errors),
        ("tx_dropped", stats.tx_dropped),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Asks for one link.
fn link(index: u32) -> Result<LinkMessage> {
    let question = move |handle: rtnetlink::Handle| async move {
        handle.link().get().match_index(index).execute().try_next().await?.context("no answer")
    };
    ask(question).with_context(|| format!("cannot ask for interface {index}"))
}

/// Asks the kernel something, on a thread of its own: callers may or may not be inside a runtime.
pub(super) fn ask<T, F>(question: impl FnOnce(rtnetlink::Handle) -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    let ask = move || -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection()?;
            let connection = tokio::spawn(connection);
            let answer = question(handle).await;
            connection.abort();
            answer
        })
    };
    // A new thread is in the network namespace of the one that makes it.
    std::thread::spawn(ask).join().map_err(|_| anyhow::anyhow!("the netlink thread panicked"))?
}
