//! `demo --world`: a game company on a small Internet, and what its players see when parts of it fail.

mod story;
mod text;

use std::{
    io::{self, Write as _},
    time::Instant,
};

use anyhow::Result;

use self::story::STEPS;
use crate::lab::world::World;

/// Builds the world, goes through the story, and takes everything away again.
pub(super) fn show() -> Result<()> {
    let began = Instant::now();
    eprintln!("building a small Internet: players, carriers, PoPs, a backbone and home regions, with FRR and BIRD");
    let mut world = World::build()?;
    eprintln!("every BGP and BFD session is up after {:.1} s", began.elapsed().as_secs_f64());
    let mut out = io::stdout().lock();
    text::cast(&mut out)?;
    text::entries(&mut out, &story::entries(&world)?)?;
    for (step, number) in STEPS.iter().zip(1..) {
        text::headline(&mut out, number, step)?;
        out.flush()?;
        let told = step.play(&mut world)?;
        text::told(&mut out, step, &told)?;
        out.flush()?;
    }
    drop(world);
    eprintln!("everything is removed again, after {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}
