//! The demo: two PoPs and one home region, a client at each PoP, and a web server that both reach at one address.

mod internet;
mod keep;
mod text;
mod world;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

use self::world::World;
use crate::lab;

/// Two PoPs and one home region on this machine, and real HTTP over one VIP from both
#[derive(Debug, Parser)]
#[command(name = "cargo xtask demo", bin_name = "cargo xtask demo")]
struct Options {
    /// Leave it up, to play with; `cargo xtask demo down` removes it
    #[arg(long)]
    keep: bool,
    /// A small Internet with real BGP in its place: what players see when carriers, hosts, PoPs and regions fail (3 minutes)
    #[arg(long, conflicts_with = "keep")]
    world: bool,
    #[command(subcommand)]
    command: Option<Action>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Action {
    /// Remove what `--keep` has left up
    Down,
    /// Show the demo, and hold it until a signal comes
    #[command(hide = true)]
    Hold,
}

/// Runs the demo for the arguments of the process.
pub fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // A signal has come: what failed did so because everything is being removed, and the process ends with that.
        Err(_) if lab::is_ending() => loop {
            std::thread::park();
        },
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if !lab::is_root() {
        bail!("the demo makes network namespaces and loads XDP programs: run it as root");
    }
    match options.command {
        Some(Action::Down) => keep::down(),
        Some(Action::Hold) => keep::hold(show),
        None if options.keep => keep::start(),
        None if options.world => {
            lab::clean_up_on_signals()?;
            internet::show()
        }
        None => {
            lab::clean_up_on_signals()?;
            show()?.finish()
        }
    }
}

/// Builds the world, fetches, and prints what happened.
fn show() -> Result<World> {
    let began = Instant::now();
    eprintln!("building two PoPs, a backbone and a home region in network namespaces, and starting the daemons");
    let world = World::build()?;
    eprintln!("ready after {:.1} s; fetching", began.elapsed().as_secs_f64());
    let fetches = world.fetch()?;
    let counters = world.counters()?;
    let mut out = io::stdout().lock();
    text::fetches(&mut out, &fetches)?;
    text::counters(&mut out, &counters)?;
    text::what_to_try(&mut out, &world)?;
    out.flush()?;
    Ok(world)
}
