//! A host has the interfaces that its role needs.

use crate::config::{
    findings::{Findings, Problem},
    local::LocalDraft,
    place::Located,
    types::{InterfaceRole, RoleName},
};

pub(super) fn check(local: &LocalDraft, findings: &mut Findings<'_>) {
    // Without any interface the section itself is missing, and that was told.
    let (Some(role), Some(first)) = (local.role, local.interfaces.first()) else {
        return;
    };
    let needed: &[_] = match role {
        RoleName::Pop => &[InterfaceRole::Access, InterfaceRole::Backbone],
        RoleName::Gateway => &[InterfaceRole::Backbone],
    };
    for needed in needed {
        if !local.interfaces.iter().any(|interface| interface.may_be(*needed)) {
            let what = format!("no interface has the role `{needed}`");
            let help =
                format!("add \"{needed}\" to the `roles` of the [[interface]] that it is; one interface may have both");
            findings.refuse(&first.place, Problem::new(what, help));
        }
    }
    if role == RoleName::Gateway {
        for role in all_roles(local).filter(|role| role.value == InterfaceRole::Access) {
            let what = "a gateway has no access interfaces: clients enter at a PoP";
            findings.refuse(&role.place, Problem::new(what, "write \"backbone\", or remove the [[interface]]"));
        }
    } else {
        for role in all_roles(local).filter(|role| role.value == InterfaceRole::Egress) {
            let what = "a PoP has no egress interfaces: answers leave by its access interfaces";
            findings.refuse(&role.place, Problem::new(what, "write \"access\", or remove the [[interface]]"));
        }
    }
}

fn all_roles(local: &LocalDraft) -> impl Iterator<Item = &Located<InterfaceRole>> {
    local.interfaces.iter().flat_map(|interface| interface.roles.iter().flatten())
}
