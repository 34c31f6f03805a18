//! Filters of `clsact` qdiscs at the egress of interfaces, by netlink: aya gives them no names of ours.

use std::os::fd::{AsFd as _, AsRawFd as _};

use anyhow::{Context as _, Result, bail};
use aya::programs::{Link as _, SchedClassifier, TcAttachType, tc, tc::SchedClassifierLink};
use futures_util::{StreamExt as _, TryStreamExt as _};
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    tc::{TcAttribute, TcBpfFlags, TcFilterBpf, TcFilterBpfOption, TcHandle, TcMessage, TcOption},
};

use super::{
    super::interfaces::{self, interface_name},
    PROGRAMS,
};

/// The first: the others see what it leaves alone.
const PRIORITY: u16 = 1;
/// The letters `axdp`: whoever takes the first free handle has another.
const HANDLE: TcHandle = TcHandle { major: 0x6178, minor: 0x6470 };
/// The qdisc whose filters run at the egress. `ingress` has the same place, and filters at the ingress only.
const CLSACT: &str = "clsact";
/// Where filters at the egress are (`TC_H_CLSACT`, `TC_H_MIN_EGRESS`).
const EGRESS: TcHandle = TcHandle { major: TcHandle::CLSACT.major, minor: TcHandle::MIN_EGRESS };

/// A filter that runs a program at the egress of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Index of the interface.
    pub ifindex: u32,
    /// Its place among the others.
    pub priority: u16,
    /// Its number within the priority.
    pub handle: TcHandle,
    /// Its name.
    pub name: String,
    /// The program.
    pub program_id: u32,
}

impl Filter {
    /// Is it the one that an instance attaches?
    pub fn is_own(&self, instance: &str) -> bool {
        self.is_in_our_place() && PROGRAMS.iter().any(|program| self.name == own_name(program, instance))
    }

    fn is_in_our_place(&self) -> bool {
        (self.priority, self.handle) == (PRIORITY, HANDLE)
    }
}

/// What an instance calls its filter. Instances know their own by it.
fn own_name(program: &str, instance: &str) -> String {
    format!("{program}:{instance}")
}

/// Attaches the program of this name, or replaces the one that the instance's filter runs. `true`: there was none.
///
/// # Errors
///
/// Another qdisc or filter in the place of ours, or whatever else the kernel refuses.
pub fn attach(program: &SchedClassifier, name: &str, ifindex: u32, instance: &str) -> Result<bool> {
    make_clsact(ifindex)?;
    let there = filters(ifindex)?.into_iter().find(Filter::is_in_our_place);
    if let Some(other) = there.as_ref().filter(|filter| !filter.is_own(instance)) {
        bail!(
            "another filter ({}) has priority {PRIORITY} and the handle of ours at the egress; it is taken away by `tc \
             filter del dev ... egress pref {PRIORITY} handle 0x{:x} bpf`",
            other.name,
            u32::from(HANDLE)
        );
    }
    let is_new = there.is_none();
    let descriptor = program.fd()?.as_fd().as_raw_fd();
    let options = vec![
        TcOption::Bpf(TcFilterBpfOption::ProgFd(u32::try_from(descriptor)?)),
        TcOption::Bpf(TcFilterBpfOption::ProgName(own_name(name, instance))),
        TcOption::Bpf(TcFilterBpfOption::Flags(TcBpfFlags::DirectAction)),
    ];
    let mut message = TcMessage::with_index(ifindex.cast_signed());
    message.header.parent = EGRESS;
    message.header.handle = HANDLE;
    let protocol = (libc::ETH_P_ALL as u16).to_be();
    message.header.info = TcHandle { major: PRIORITY, minor: protocol }.into();
    message.attributes = vec![TcAttribute::Kind(TcFilterBpf::KIND.to_owned()), TcAttribute::Options(options)];
    // What is there is replaced under its handle (`list_replace_rcu`, net/sched/cls_bpf.c): no packet finds none.
    let flags = if is_new { NLM_F_CREATE | NLM_F_EXCL } else { 0 };
    interfaces::ask(move |handle| change(handle, message, flags)).context(
        "the kernel refuses the filter; a filter of another kind has priority 1, maybe: see `tc filter show dev ... egress`",
    )?;
    Ok(is_new)
}

async fn change(mut handle: rtnetlink::Handle, message: TcMessage, flags: u16) -> Result<()> {
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewTrafficFilter(message));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    let mut answers = handle.request(request)?;
    while let Some(answer) = answers.next().await {
        if let NetlinkPayload::Error(error) = answer.payload
            && error.code.is_some()
        {
            return Err(error.to_io().into());
        }
    }
    Ok(())
}

/// The filters of an instance, on all interfaces of this network namespace.
///
/// # Errors
///
/// The kernel does not tell.
pub fn own(instance: &str) -> Result<Vec<Filter>> {
    let mut own = Vec::new();
    for ifindex in with_clsact()? {
        own.extend(filters(ifindex)?.into_iter().filter(|filter| filter.is_own(instance)));
    }
    Ok(own)
}

/// Removes the filters of an instance from all interfaces of this network namespace but those that are to have one; the
/// names of the interfaces that had one.
///
/// # Errors
///
/// Whatever the kernel refuses.
pub fn remove_own(instance: &str, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for ifindex in with_clsact()? {
        let Some(interface) = interface_name(ifindex).filter(|name| !is_wanted(name)) else { continue };
        for filter in filters(ifindex)?.iter().filter(|filter| filter.is_own(instance)) {
            remove(filter, &interface).with_context(|| format!("cannot detach from the egress of {interface}"))?;
            removed.push(interface.clone());
        }
    }
    Ok(removed)
}

fn remove(filter: &Filter, interface: &str) -> Result<()> {
    let handle = tc::TcHandle::new(filter.handle.major, filter.handle.minor);
    let link = SchedClassifierLink::attached(interface, TcAttachType::Egress, filter.priority, handle, None)?;
    Ok(link.detach()?)
}

/// The filters that run programs at the egress of an interface, in the order in which they run.
pub(super) fn filters(ifindex: u32) -> Result<Vec<Filter>> {
    if kind_of_clsact(ifindex)?.as_deref() != Some(CLSACT) {
        return Ok(Vec::new());
    }
    let ask = move |handle: rtnetlink::Handle| async move {
        let answers = handle.traffic_filter(ifindex.cast_signed()).get().egress().execute();
        Ok(answers.try_collect::<Vec<_>>().await?)
    };
    let messages =
        interfaces::ask(ask).with_context(|| format!("cannot ask for the filters of interface {ifindex}"))?;
    Ok(messages.iter().filter_map(filter).collect())
}

/// None: it runs no program, or is only the head of those of one priority.
fn filter(message: &TcMessage) -> Option<Filter> {
    let kind = message.attributes.iter().find_map(kind)?;
    if kind != TcFilterBpf::KIND {
        return None;
    }
    let (mut name, mut program_id) = (String::new(), None);
    for attribute in &message.attributes {
        let TcAttribute::Options(options) = attribute else { continue };
        for option in options {
            if let TcOption::Bpf(TcFilterBpfOption::ProgName(found)) = option {
                name.clone_from(found);
            } else if let TcOption::Bpf(TcFilterBpfOption::ProgId(found)) = option {
                program_id = Some(*found);
            }
        }
    }
    Some(Filter {
        ifindex: message.header.index.cast_unsigned(),
        priority: TcHandle::from(message.header.info).major,
        handle: message.header.handle,
        name,
        program_id: program_id?,
    })
}

fn kind(attribute: &TcAttribute) -> Option<&str> {
    if let TcAttribute::Kind(kind) = attribute { Some(kind) } else { None }
}

/// Makes the qdisc, where the interface has none.
fn make_clsact(ifindex: u32) -> Result<()> {
    match kind_of_clsact(ifindex)?.as_deref() {
        Some(CLSACT) => Ok(()),
        Some(other) => bail!(
            "the interface has the qdisc `{other}` in the place of `{CLSACT}`; replace it: tc qdisc del dev ... {other}; tc \
             qdisc add dev ... {CLSACT}"
        ),
        None => {
            let name = interface_name(ifindex).context("the interface went away")?;
            tc::qdisc_add_clsact(&name).context("cannot add a clsact qdisc")
        }
    }
}

/// The kind of the qdisc in the place of `clsact`, if there is one.
fn kind_of_clsact(ifindex: u32) -> Result<Option<String>> {
    Ok(qdiscs()?.into_iter().find(|(index, _)| *index == ifindex).map(|(_, kind)| kind))
}

/// The interfaces with that qdisc.
fn with_clsact() -> Result<Vec<u32>> {
    Ok(qdiscs()?.into_iter().filter(|(_, kind)| kind == CLSACT).map(|(ifindex, _)| ifindex).collect())
}

/// Interface and kind of every qdisc in the place of `clsact`.
fn qdiscs() -> Result<Vec<(u32, String)>> {
    let ask = |handle: rtnetlink::Handle| async move {
        match handle.qdisc().get().execute().try_collect::<Vec<_>>().await {
            // A kernel without traffic control has none.
            Err(rtnetlink::Error::NetlinkError(error)) if error.raw_code() == -libc::EOPNOTSUPP => Ok(Vec::new()),
            answers => Ok(answers?),
        }
    };
    let messages = interfaces::ask(ask).context("cannot ask for the qdiscs")?;
    let in_place = messages.iter().filter(|message| message.header.parent == TcHandle::CLSACT);
    let rows = in_place.filter_map(|message| {
        let kind = message.attributes.iter().find_map(kind)?;
        Some((message.header.index.cast_unsigned(), kind.to_owned()))
    });
    Ok(rows.collect())
}
