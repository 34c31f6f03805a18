//! `man`: the pages of the manual.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::{Cli, exit::Outcome};

/// Write the man pages, one for each command
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp man /usr/local/share/man/man1

Exit codes: 0 written, 1 failed")]
pub(super) struct Args {
    /// Directory that they are written to; it is made if it is not there
    directory: PathBuf,
}

pub(super) fn execute(args: &Args) -> Outcome {
    let directory = &args.directory;
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    clap_mangen::generate_to(Cli::command(), directory)
        .with_context(|| format!("cannot write to {}", directory.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_hidden_ones_have_none() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("man1");
        execute(&Args { directory: inner.clone() }).unwrap();
        for page in ["anycast-xdp.1", "anycast-xdp-plan.1", "anycast-xdp-create-vip.1", "anycast-xdp-backend-drain.1"] {
            let text = fs::read_to_string(inner.join(page)).unwrap();
            assert!(text.contains(".SH SYNOPSIS"), "{page}");
        }
        assert!(!inner.join("anycast-xdp-docs.1").exists());
    }
}
