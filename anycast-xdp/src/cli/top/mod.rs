//! `top`: rates, live.

mod reader;

use std::{
    io::{self, IsTerminal as _},
    sync::mpsc::TryRecvError,
    time::Duration,
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyEventKind},
};

use super::{
    exit::{Failure, Outcome},
    options::InstanceOption,
    render::top::{Model, Now, Reading, Sort, Wish, draw, text},
    writer,
};

/// How long a key may wait for what was read.
const PATIENCE: Duration = Duration::from_millis(100);
/// Columns of what is not written to a terminal.
const PIPE_COLUMNS: u16 = 120;

/// Show rates of VIPs live, with what is dropped and what is wrong
///
/// Per VIP what comes in, what is forwarded, what goes back (BACK) and what is dropped; drops by reason; backends, those
/// without a way first; and a head with programs, tables and how far the maps are. Reads the pinned state, daemon running
/// or not.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Keys:
  q, Ctrl-C          quit
  s                  the next order; b bits, p packets, r return, d dropped, n name
  /                  show only VIPs with this in their name or address; Esc shows all
  space              pause
  up, down, page up, page down, home

Examples:
  anycast-xdp top
  anycast-xdp top --sort dropped --interval 5
  anycast-xdp top --once | head                 # once, as a table

Exit codes: 0 shown, 1 failed, 3 nothing is pinned for the instance")]
pub(super) struct Args {
    /// Seconds between two readings
    #[arg(long, value_name = "SECS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3600))]
    interval: u32,
    /// Order of the VIPs
    #[arg(long, value_enum, default_value_t)]
    sort: Sort,
    /// Only VIPs with this in their name or address
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    /// Write one table and end; so it does where stdout is no terminal
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    instance: InstanceOption,
}

pub(super) fn execute(args: Args) -> Outcome {
    let interval = Duration::from_secs(args.interval.into());
    let has_colours = std::env::var_os("NO_COLOR").is_none();
    let model = Model { sort: args.sort, filter: args.filter, has_colours, ..Model::default() };
    if args.once || !io::stdout().is_terminal() {
        return once(&args.instance, interval, model);
    }
    // Whatever is wrong from the first is told on a terminal as it was.
    let first = reader::read(&args.instance)?;
    let mut terminal = ratatui::try_init()?;
    let ended = live(&mut terminal, args.instance, interval, model, first);
    ratatui::restore();
    ended
}

fn once(instance: &InstanceOption, interval: Duration, mut model: Model) -> Outcome {
    let earlier = reader::read(instance)?;
    std::thread::sleep(interval);
    model.show(Now::between(&earlier, reader::read(instance)?));
    writer::write_text(&text(&model, writer::terminal_width().unwrap_or(PIPE_COLUMNS)))
}

fn live(
    terminal: &mut DefaultTerminal,
    instance: InstanceOption,
    interval: Duration,
    mut model: Model,
    mut earlier: Reading,
) -> Outcome {
    let readings = reader::spawn(instance, interval)?;
    loop {
        match readings.try_recv() {
            Ok(Ok(later)) => {
                model.show(Now::between(&earlier, later.clone()));
                earlier = later;
            }
            // It may be detached and started again.
            Ok(Err(failure)) => model.trouble = Some(format!("{:#}", anyhow::Error::from(failure))),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Err(Failure::Failed(anyhow::anyhow!("the reader has ended"))),
        }
        terminal.draw(|frame| draw(&model, frame.area(), frame.buffer_mut()))?;
        if event::poll(PATIENCE)?
            && let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
            && model.press(key) == Wish::Quit
        {
            return Ok(());
        }
    }
}
