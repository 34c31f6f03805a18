//! Reads `[publish]` and `[[pop]]`.

use super::{
    findings::Findings,
    local::belongs_to,
    place::Located,
    schema::fields,
    table::Table,
    types::{Name, PopState, RoleName},
};
use crate::desired::{Pop, PublishFacts};

/// `[publish]`; `None`: nothing is published, or something of it was refused.
pub(super) fn read(root: &Table<'_>, role: Option<RoleName>, findings: &mut Findings<'_>) -> Option<PublishFacts> {
    use fields::publish as f;

    if !belongs_to(root, role, &f::SECTION, findings) || root.place_of(&f::SECTION).is_none() {
        return None;
    }
    let section = root.section(&f::SECTION, findings)?;
    let interface = section.read(&f::INTERFACE, findings);
    let generic = section.read(&f::GENERIC, findings);
    let hold_down = section.read(&f::HOLD_DOWN, findings);
    let drain_signal = section.read(&f::DRAIN_SIGNAL, findings);
    let withdraw_without_daemon = section.read(&f::WITHDRAW_WITHOUT_DAEMON, findings);
    Some(PublishFacts {
        interface: interface?.value.0,
        generic: generic?.value,
        hold_down: hold_down?.value.0,
        drain_signal: drain_signal?.value.0,
        withdraw_without_daemon: withdraw_without_daemon.map(|span| span.value.0),
    })
}

/// `[[pop]]`
pub(super) struct PopDraft {
    pub(super) name: Option<Located<Name>>,
    state: Option<PopState>,
}

pub(super) fn read_pop(pop: &Table<'_>, findings: &mut Findings<'_>) -> PopDraft {
    pop.read(&fields::pop::LABELS, findings);
    PopDraft {
        name: pop.read(&fields::pop::NAME, findings),
        state: pop.read(&fields::pop::STATE, findings).map(|state| state.value),
    }
}

impl PopDraft {
    /// The desired form; `None` only if something was refused.
    pub(super) fn finish(self) -> Option<Pop> {
        Some(Pop { name: self.name?.value.0, is_draining: self.state? == PopState::Drain })
    }
}
