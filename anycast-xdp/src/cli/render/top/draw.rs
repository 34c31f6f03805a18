//! The screen.

use ratatui::{
    buffer::Buffer,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::{Line, Span, Text},
    widgets::{Cell, Paragraph, Row, Table, Widget as _, Wrap},
};

use super::{
    super::{
        rates::{Rate, VipRates},
        units,
    },
    model::Model,
    now::Now,
    state::{self, bad},
};
use crate::view::BackendStatus;

/// Lines of the head, where two may wrap, and the one below it.
const HEAD_LINES: u16 = 5;
/// Most lines of reasons, and most backends.
const DROP_LINES: u16 = 2;
const BACKENDS: usize = 6;
/// Columns of a number.
const NUMBER: u16 = 8;
/// Fewest lines of VIPs with their head.
const VIP_LINES: u16 = 3;

/// Draws all of it.
pub fn draw(model: &Model, area: Rect, buffer: &mut Buffer) {
    let Some(now) = &model.now else {
        let text = model.trouble.as_deref().unwrap_or("reading the counters twice…");
        Paragraph::new(text).wrap(Wrap { trim: true }).render(area, buffer);
        return;
    };
    let backends = 1 + now.backends.len().min(BACKENDS) as u16;
    let [head, vips, _, drops, backends, keys] = Layout::vertical([
        Constraint::Length(HEAD_LINES),
        Constraint::Min(VIP_LINES),
        Constraint::Length(1),
        Constraint::Length(DROP_LINES),
        Constraint::Length(backends),
        Constraint::Length(1),
    ])
    .areas(area);
    Paragraph::new(Text::from(state::lines(model, now))).wrap(Wrap { trim: true }).render(head, buffer);
    vip_table(model).render(vips, buffer);
    Paragraph::new(drop_line(model, now)).wrap(Wrap { trim: true }).render(drops, buffer);
    backend_table(model, now).render(backends, buffer);
    Paragraph::new(key_line(model)).render(keys, buffer);
}

/// All of it as text, with as many lines as it needs and without keys.
pub fn text(model: &Model, width: u16) -> String {
    let backends = model.now.as_ref().map_or(0, |now| now.backends.len().min(BACKENDS));
    let vips = (1 + model.vips().len()).max(usize::from(VIP_LINES));
    // Heads of VIPs and backends, the space between, and the keys.
    let lines = usize::from(HEAD_LINES + DROP_LINES) + vips + 1 + 1 + backends + 1;
    let area = Rect::new(0, 0, width, u16::try_from(lines).unwrap_or(u16::MAX));
    let mut buffer = Buffer::empty(area);
    draw(model, area, &mut buffer);
    let line = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    let last = area.height.saturating_sub(1);
    (0..last).fold(String::new(), |text, y| text + line(y).trim_end() + "\n")
}

fn vip_table(model: &Model) -> Table<'_> {
    let heads = ["IN pps", "bit/s", "FWD pps", "BACK pps", "bit/s", "DROP pps"];
    let head = Row::new([Cell::new("VIP")].into_iter().chain(heads.map(number))).style(head_style());
    let rows = model.vips().into_iter().skip(model.scroll).map(|vip| {
        let VipRates { name, received, forwarded, dropped, returns, .. } = vip;
        let dropped_cell = number(units::rate(dropped.rate_pps));
        let cells = [
            Cell::new(name.as_str()),
            number(units::rate(received.rate_pps)),
            number(units::rate(received.rate_bits_per_sec)),
            number(units::rate(forwarded.rate_pps)),
            number(units::rate(returns.returned.rate_pps)),
            number(units::rate(returns.returned.rate_bits_per_sec)),
            if dropped.packets > 0 { dropped_cell.style(bad(model)) } else { dropped_cell },
        ];
        Row::new(cells)
    });
    Table::new(rows, widths(heads.len())).header(head)
}

fn drop_line<'a>(model: &Model, now: &'a Now) -> Line<'a> {
    if now.drops.is_empty() {
        return Line::from("drops    none");
    }
    let reasons = now.drops.iter().map(|(reason, Rate { rate_pps, .. })| {
        Span::styled(format!("{reason} {}/s  ", units::rate(*rate_pps)), bad(model))
    });
    [Span::raw("drops    ")].into_iter().chain(reasons).collect()
}

fn backend_table<'a>(model: &Model, now: &'a Now) -> Table<'a> {
    let head = [Cell::new("BACKEND"), number("pps"), number("bit/s"), number("MTU"), Cell::new("WAY")];
    // Those that something is wrong with first, then the busiest.
    let mut backends: Vec<_> = now.backends.iter().collect();
    backends.sort_by_key(|(backend, rate)| (!backend.next_hops.is_empty(), std::cmp::Reverse(rate.bytes)));
    let rows = backends.into_iter().take(BACKENDS).map(|(backend, rate)| {
        let way = way(backend);
        let way = if backend.next_hops.is_empty() { Cell::new(way).style(bad(model)) } else { Cell::new(way) };
        Row::new([
            Cell::new(format!("{} {}", backend.pool, backend.address)),
            number(units::rate(rate.rate_pps)),
            number(units::rate(rate.rate_bits_per_sec)),
            number(backend.mtu_bytes.to_string()),
            way,
        ])
    });
    let widths = [
        Constraint::Min(20),
        Constraint::Length(NUMBER),
        Constraint::Length(NUMBER),
        Constraint::Length(6),
        Constraint::Length(16),
    ];
    Table::new(rows, widths).header(Row::new(head).style(head_style()))
}

fn way(backend: &BackendStatus) -> String {
    match backend.next_hops.as_slice() {
        [] if backend.mtu_bytes == 0 => "no route".to_owned(),
        [] => "unresolved".to_owned(),
        [one] => one.interface.clone(),
        [first, rest @ ..] => format!("{} and {} more", first.interface, rest.len()),
    }
}

fn key_line(model: &Model) -> Line<'_> {
    if model.is_typing {
        return Line::from(format!("filter: {}_   Enter keeps it, Esc clears it", model.filter));
    }
    let filter = if model.filter.is_empty() { String::new() } else { format!(" `{}`", model.filter) };
    Line::from(format!("q quit  s sort ({})  / filter{filter}  space pause  ↑↓ scroll", model.sort.label()))
        .style(head_style())
}

fn widths(numbers: usize) -> impl Iterator<Item = Constraint> {
    [Constraint::Min(12)].into_iter().chain(std::iter::repeat_n(Constraint::Length(NUMBER), numbers))
}

fn number<'a>(text: impl Into<Text<'a>>) -> Cell<'a> {
    Cell::new(text.into().alignment(Alignment::Right))
}

fn head_style() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}
