//! `completions`: for the shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, exit::Outcome, writer};

/// Print what makes a shell complete the commands and options
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  anycast-xdp completions bash > /usr/share/bash-completion/completions/anycast-xdp
  anycast-xdp completions fish > ~/.config/fish/completions/anycast-xdp.fish

Exit codes: 0 printed, 1 failed")]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn execute(args: &Args) -> Outcome {
    writer::write_text(&completions(args.shell))
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "anycast-xdp", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_gets_every_verb() {
        for shell in Shell::value_variants() {
            let script = completions(*shell);
            for verb in ["doctor", "create", "undrain", "--if-revision"] {
                let bare = verb.trim_start_matches('-');
                assert!(script.contains(bare), "{shell}: {verb}");
            }
        }
    }
}
