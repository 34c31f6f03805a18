//! What the user wants to see.

use std::cmp::Reverse;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{super::rates::VipRates, now::Now};

/// What VIPs are in the order of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// Bits per second that come in
    #[default]
    Bits,
    /// Packets per second that come in
    Packets,
    /// Bits per second of answers
    Return,
    /// Dropped packets per second
    Dropped,
    /// Name
    Name,
}

impl Sort {
    /// All of them, in the order in which `s` goes through them.
    pub const ALL: [Self; 5] = [Self::Bits, Self::Packets, Self::Return, Self::Dropped, Self::Name];

    /// As the last line says it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bits => "bits",
            Self::Packets => "packets",
            Self::Return => "return",
            Self::Dropped => "dropped",
            Self::Name => "name",
        }
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// What a key asks of the program beyond another view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    Stay,
    /// The end.
    Quit,
}

/// What the user wants to see, and what there is.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// What there is; none: nothing was read twice yet.
    pub now: Option<Now>,
    /// Why there is nothing newer.
    pub trouble: Option<String>,
    /// The order of VIPs.
    pub sort: Sort,
    /// Only VIPs with this in their name or address.
    pub filter: String,
    /// Keys are letters of the filter.
    pub is_typing: bool,
    /// VIPs above the first line.
    pub scroll: usize,
    /// What is shown stays.
    pub is_paused: bool,
    /// Colours may be used.
    pub has_colours: bool,
}

impl Model {
    /// Takes up what was read.
    pub fn show(&mut self, now: Now) {
        if !self.is_paused {
            (self.now, self.trouble) = (Some(now), None);
        }
    }

    /// The VIPs that are wanted, in their order.
    pub fn vips(&self) -> Vec<&VipRates> {
        let all = self.now.iter().flat_map(|now| &now.rates.vips);
        let wanted = |vip: &&VipRates| {
            self.filter.is_empty() || vip.name.contains(&self.filter) || vip.address.to_string().contains(&self.filter)
        };
        let mut vips: Vec<_> = all.filter(wanted).collect();
        let rank = |vip: &VipRates| match self.sort {
            Sort::Bits => vip.received.bytes,
            Sort::Packets => vip.received.packets,
            Sort::Return => vip.returns.returned.bytes,
            Sort::Dropped => vip.dropped.packets,
            Sort::Name => 0,
        };
        vips.sort_by(|one, other| (Reverse(rank(one)), &one.name).cmp(&(Reverse(rank(other)), &other.name)));
        vips
    }

    /// Does what a key asks for.
    pub fn press(&mut self, key: KeyEvent) -> Wish {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Wish::Quit;
        }
        if self.is_typing {
            self.type_filter(key.code);
            return Wish::Stay;
        }
        self.command(key.code)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all other keys do nothing")]
    fn type_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(letter) => self.filter.push(letter),
            _ => {}
        }
        self.scroll = 0;
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all other keys do nothing")]
    fn command(&mut self, key: KeyCode) -> Wish {
        /// Lines of a page.
        const PAGE: usize = 10;
        match key {
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('b') => self.sort = Sort::Bits,
            KeyCode::Char('p') => self.sort = Sort::Packets,
            KeyCode::Char('r') => self.sort = Sort::Return,
            KeyCode::Char('d') => self.sort = Sort::Dropped,
            KeyCode::Char('n') => self.sort = Sort::Name,
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char(' ') => self.is_paused = !self.is_paused,
            KeyCode::Down | KeyCode::Char('j') => self.move_by(1),
            KeyCode::PageDown => self.move_by(PAGE),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(PAGE),
            KeyCode::Home => self.scroll = 0,
            _ => {}
        }
        Wish::Stay
    }

    fn move_by(&mut self, lines: usize) {
        self.scroll = (self.scroll + lines).min(self.vips().len().saturating_sub(1));
    }
}
