//! What an outcome and an action are called, and what is said of them, for the program that gave them.

use anycast_common::outcome::Outcome;

use super::{super::super::egress, Explainer};
use crate::explain::advice;

/// XDP actions (include/uapi/linux/bpf.h).
const XDP_ACTIONS: &[(u32, &str)] =
    &[(0, "XDP_ABORTED"), (1, "XDP_DROP"), (2, "XDP_PASS"), (3, "XDP_TX"), (4, "XDP_REDIRECT")];

/// Those of classifiers (include/uapi/linux/pkt_cls.h).
const TC_ACTIONS: &[(u32, &str)] =
    &[(u32::MAX, "TC_ACT_UNSPEC"), (0, "TC_ACT_OK"), (2, "TC_ACT_SHOT"), (7, "TC_ACT_REDIRECT")];

impl Explainer<'_> {
    /// The name of an action.
    pub(super) fn action(&self, number: u32) -> &'static str {
        let names = if self.is_egress { TC_ACTIONS } else { XDP_ACTIONS };
        names.iter().find(|(known, _)| *known == number).map_or("unknown", |(_, name)| name)
    }

    /// What other programs than `pop` and `gateway` leave alone is none of theirs, and not wrong.
    fn untaken(&self, outcome: Outcome) -> Option<&'static str> {
        match self.program.as_str() {
            _ if outcome != Outcome::NotVip => None,
            "backbone" => Some("No answer of a VIP that goes back through here: left to the host's stack untouched."),
            egress::PROGRAM => Some("No answer of a VIP: left alone, and sent as the stack routes it."),
            _ => None,
        }
    }

    /// What it means.
    pub(super) fn reason(&self, outcome: Outcome) -> &'static str {
        self.untaken(outcome).unwrap_or_else(|| outcome.description())
    }

    /// What to do about it, if anything.
    pub(super) fn help(&self, outcome: Outcome) -> Option<&'static str> {
        if self.untaken(outcome).is_some() { None } else { advice::of(outcome) }
    }
}
