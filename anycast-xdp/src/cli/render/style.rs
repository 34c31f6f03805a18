//! What the terminal can do.

use std::io::{self, IsTerminal as _};

/// How text is to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal; `None`: no line is wrapped.
    pub width: Option<u16>,
    /// Are there colours?
    pub colours: bool,
}

/// What a colour tells, beside the sign that tells it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Green,
    Yellow,
    Red,
}

impl Style {
    /// Of what is written to stdout.
    pub fn of_stdout(width: Option<u16>) -> Self {
        let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { width, colours }
    }

    /// A line in a colour, if there are any.
    pub(super) fn paint(self, colour: Colour, line: &str) -> String {
        if !self.colours {
            return line.to_owned();
        }
        // ECMA-48, 8.3.117.
        let code = match colour {
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Red => 31,
        };
        format!("\x1b[{code}m{line}\x1b[0m")
    }
}
