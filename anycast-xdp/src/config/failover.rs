//! Reads what is done where the pools of a VIP fail.

use super::{
    findings::{Findings, Problem},
    schema::{Field, fields::vip},
    table::Table,
    types::{FieldType, RoleName},
};
use crate::desired::FailoverPolicy;

/// `failover`, `failback` and `all_down`. The first two move flows from pool to pool, and are refused where there is but one.
pub(super) fn read(
    table: &Table<'_>,
    role: Option<RoleName>,
    has_fallbacks: bool,
    findings: &mut Findings<'_>,
) -> Option<FailoverPolicy> {
    let failover = field(table, &vip::FAILOVER, role, Some(has_fallbacks), findings);
    let failback = field(table, &vip::FAILBACK, role, Some(has_fallbacks), findings);
    let all_down = field(table, &vip::ALL_DOWN, role, None, findings);
    Some(FailoverPolicy { failover: failover?, failback: failback?, all_down: all_down? })
}

/// `has_fallbacks`: none where that does not matter.
fn field<T: FieldType>(
    table: &Table<'_>,
    field: &Field<T>,
    role: Option<RoleName>,
    has_fallbacks: Option<bool>,
    findings: &mut Findings<'_>,
) -> Option<T> {
    let read = table.read(field, findings)?;
    if table.has(field) {
        let key = field.spec.key;
        if role == Some(RoleName::Gateway) {
            let what = "a gateway's VIP has no pools that could fail: the packets are for this host";
            findings.refuse(&read.place, Problem::new(what, format!("remove `{key}`, and write it on the PoPs")));
        } else if has_fallbacks == Some(false) {
            let what = "this VIP has no other pool to go to";
            findings.refuse(&read.place, Problem::new(what, format!("add `fallback_pools`, or remove `{key}`")));
        }
    }
    Some(read.value)
}
