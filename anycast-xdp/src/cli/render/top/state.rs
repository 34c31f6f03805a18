//! The lines at the head: who this is, what runs, and what is wrong.

use std::time::Duration;

use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};

use super::{model::Model, now::Now};
use crate::{
    api::types::{ReconcilerState, ReconcilerStatus},
    view::{Attachment, Status, TableFill},
};

/// From this share on a table is nearly full.
const FULL_PERCENT: u64 = 80;

/// Something is wrong.
pub(super) fn bad(model: &Model) -> Style {
    let style = Style::new().add_modifier(Modifier::BOLD);
    if model.has_colours { style.fg(Color::Red) } else { style }
}

/// Something may be wrong.
pub(super) fn doubtful(model: &Model) -> Style {
    if model.has_colours { Style::new().fg(Color::Yellow) } else { Style::new().add_modifier(Modifier::BOLD) }
}

/// Three lines, what is wrong first.
pub(super) fn lines<'a>(model: &'a Model, now: &'a Now) -> Vec<Line<'a>> {
    let Status { instance, role, pop, host, daemon_pid, .. } = &now.reading.status;
    let interval_secs = Duration::from_nanos(now.rates.interval_ns).as_secs_f64();
    let mut who = vec![Span::raw(format!("{instance}  {role} {pop}/{host}  over {interval_secs:.1} s  "))];
    who.push(match daemon_pid {
        Some(pid) => Span::raw(format!("daemon {pid}  ")),
        None => Span::styled("no daemon, forwarding goes on  ", bad(model)),
    });
    if model.is_paused {
        who.push(Span::styled("paused", doubtful(model)));
    }
    if let Some(trouble) = &model.trouble {
        who.push(Span::styled(trouble.as_str(), bad(model)));
    }
    let mut programs = vec![Span::raw("programs  ")];
    programs.extend(now.reading.status.attachments.iter().map(|attachment| program(model, attachment)));
    let mut services = vec![reconciler(model, now.reading.reconciler.as_ref())];
    services.extend(bindings(model, &now.reading.status));
    services.extend(tables(model, &now.reading.status.tables));
    vec![Line::from(who), Line::from(services), Line::from(programs)]
}

fn program<'a>(model: &Model, attachment: &'a Attachment) -> Span<'a> {
    let Attachment { interface, mode, program_id, frags, .. } = attachment;
    let frags = if *frags { "+frags" } else { "" };
    let style = match mode.as_str() {
        _ if *program_id == 0 => bad(model),
        "generic" => doubtful(model),
        _ => Style::new(),
    };
    Span::styled(format!("{interface} {mode}{frags}  "), style)
}

fn reconciler<'a>(model: &Model, status: Option<&ReconcilerStatus>) -> Span<'a> {
    let Some(ReconcilerStatus { revision, applied_revision, state, error, .. }) = status else {
        return Span::raw("revision -  ");
    };
    let applied = applied_revision.map_or_else(|| "none".to_owned(), |applied| applied.to_string());
    match state {
        ReconcilerState::Applied => Span::raw(format!("revision {revision} applied  ")),
        ReconcilerState::Applying => {
            Span::styled(format!("revision {revision}, maps have {applied}  "), doubtful(model))
        }
        ReconcilerState::Failed => {
            let why = error.as_deref().unwrap_or_default();
            Span::styled(format!("revision {revision} failed, maps have {applied}: {why}  "), bad(model))
        }
    }
}

/// The fullest one.
fn tables<'a>(model: &Model, tables: &[TableFill]) -> Option<Span<'a>> {
    let percent = |table: &TableFill| u64::from(table.used) * 100 / u64::from(table.capacity.max(1));
    let fullest = tables.iter().max_by_key(|table| percent(table))?;
    let style = if percent(fullest) >= FULL_PERCENT { bad(model) } else { Style::new() };
    Some(Span::styled(format!("fullest table {} {} %  ", fullest.name, percent(fullest)), style))
}

fn bindings<'a>(model: &Model, status: &Status) -> Vec<Span<'a>> {
    let span =
        |count: usize, text: &str, style: Style| (count > 0).then(|| Span::styled(format!("{count} {text}  "), style));
    let degraded = status.bindings.iter().filter(|binding| !binding.reason.is_empty()).count();
    let moving = status.bindings.iter().filter(|binding| binding.in_transition).count();
    let lost = status.backends.iter().filter(|backend| backend.next_hops.is_empty()).count();
    let spans = [
        span(lost, "without a way", bad(model)),
        span(degraded, "degraded", bad(model)),
        span(moving, "in transition", doubtful(model)),
    ];
    spans.into_iter().flatten().collect()
}
