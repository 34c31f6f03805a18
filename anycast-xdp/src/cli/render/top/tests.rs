//! The screen at 80 columns and 24 lines.

use std::time::{Duration, Instant};

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    style::Color,
};

use super::{Model, Now, Reading, Sort, Wish, draw, text};
use crate::{
    api::types::{ReconcilerState, ReconcilerStatus},
    cli::render::tests::examples::{example_stats, example_status},
    view::Count,
};

fn reading(at: Instant) -> Reading {
    let mut status = example_status();
    status.attachments[1].mode = "generic".to_owned();
    let reconciler = ReconcilerStatus {
        revision: 13,
        applied_revision: Some(12),
        state: ReconcilerState::Applying,
        error: None,
        drift: None,
    };
    Reading { at, stats: example_stats(), status, reconciler: Some(reconciler) }
}

fn grown(count: &mut Count, packets: u64, bytes: u64) {
    count.0.packets += packets;
    count.0.bytes += bytes;
}

/// Ten seconds of traffic.
fn model() -> Model {
    let began = Instant::now();
    let earlier = reading(began);
    let mut later = reading(began + Duration::from_secs(10));
    let web = &mut later.stats.vips[0];
    grown(&mut web.received, 12_000_100, 7_200_010_000);
    grown(&mut web.forwarded, 12_000_000, 7_200_000_000);
    grown(&mut web.dropped, 100, 10_000);
    grown(&mut web.returns.returned, 6_000_000, 60_000_000_000);
    grown(&mut later.stats.vips[1].received, 3, 300);
    grown(later.stats.outcomes.get_mut("no_listener").expect("a row"), 100, 10_000);
    grown(later.stats.outcomes.get_mut("not_vip").expect("a row"), 9, 900);
    grown(&mut later.stats.backends[0].forwarded, 12_000_000, 7_200_000_000);
    let mut model = Model::default();
    model.show(Now::between(&earlier, later));
    model
}

fn terminal(model: &Model, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal.draw(|frame| draw(model, frame.area(), frame.buffer_mut())).expect("a frame");
    terminal
}

fn press(model: &mut Model, keys: &str) {
    for key in keys.chars() {
        let code = if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) };
        assert_eq!(model.press(KeyEvent::from(code)), Wish::Stay, "{key}");
    }
}

#[test]
fn screen_of_a_terminal() {
    insta::assert_snapshot!(terminal(&model(), 80, 24).backend());
}

#[test]
fn screen_with_a_filter_and_without_a_daemon() {
    let mut model = model();
    press(&mut model, "/long\ns ");
    let now = model.now.as_mut().expect("readings");
    (now.reading.status.daemon_pid, now.reading.reconciler) = (None, None);
    now.drops.clear();
    insta::assert_snapshot!(terminal(&model, 80, 24).backend());
}

#[test]
fn table_of_a_pipe() {
    insta::assert_snapshot!(text(&model(), 120));
}

#[test]
fn small_screens_and_none_are_no_panic() {
    for (width, height) in [(1, 1), (10, 3), (80, 5), (500, 100)] {
        terminal(&model(), width, height);
        terminal(&Model::default(), width, height);
    }
    assert_eq!(text(&Model::default(), 80).lines().next(), Some("reading the counters twice…"));
}

#[test]
fn colours_are_used_only_where_they_may_be() {
    let mut model = model();
    let colours = |model: &Model| {
        let terminal = terminal(model, 80, 24);
        let cells = terminal.backend().buffer().content.clone();
        cells.iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
    };
    assert_eq!(colours(&model), 0);
    model.has_colours = true;
    assert!(colours(&model) > 0);
}

#[test]
fn keys_choose_order_and_filter_and_end_it() {
    let mut model = model();
    let names = |model: &Model| model.vips().iter().map(|vip| vip.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&model), ["web", "a-vip-with-a-long-name"]);
    press(&mut model, "n");
    assert_eq!((model.sort, names(&model).remove(0).as_str()), (Sort::Name, "a-vip-with-a-long-name"));
    for sort in Sort::ALL {
        press(&mut model, "s");
        assert_eq!(model.sort, sort);
    }
    // While a filter is typed `q` is a letter of it.
    press(&mut model, "/q");
    assert_eq!((model.filter.as_str(), names(&model).len()), ("q", 0));
    model.press(KeyEvent::from(KeyCode::Esc));
    press(&mut model, "/2001:db8");
    assert_eq!(names(&model), ["a-vip-with-a-long-name"]);
    assert_eq!(model.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Wish::Quit);
    press(&mut model, "\n");
    assert_eq!(model.press(KeyEvent::from(KeyCode::Char('q'))), Wish::Quit);
}

#[test]
fn what_is_paused_stays_and_scrolling_ends_at_the_last_vip() {
    let mut model = model();
    press(&mut model, " ");
    let began = Instant::now();
    model.show(Now::between(&reading(began), reading(began + Duration::from_secs(1))));
    assert_eq!(model.now.as_ref().expect("readings").rates.vips[0].received.packets, 12_000_100);
    press(&mut model, "jjjj");
    assert_eq!(model.scroll, 1);
    press(&mut model, "kkk");
    assert_eq!(model.scroll, 0);
}
