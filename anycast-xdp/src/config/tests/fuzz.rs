//! No text makes the parser panic, and every refusal says where and what.

use std::path::Path;

use proptest::{prelude::*, sample::Index};

use super::{GATEWAY, POP, parse};

/// Parses; a refusal has errors that stand within the text.
fn survives(text: &str) {
    if let Err(errors) = parse(text, Path::new("test.toml")) {
        assert!(!errors.errors.is_empty());
        let lines = text.split('\n').count();
        for error in errors.errors {
            assert!(error.line.is_some_and(|line| (1..=lines).contains(&line)), "{error:?}");
            assert!(
                error.column.is_some_and(|column| column >= 1) && !error.problem.is_empty() && !error.help.is_empty(),
                "{error:?}"
            );
        }
    }
}

/// Pieces of files: their lines in another order hit rules that random text never does.
fn lines() -> Vec<&'static str> {
    POP.lines().chain(GATEWAY.lines()).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused_without_panic(text in "\\PC*") {
        survives(&text);
    }

    #[test]
    fn arbitrary_toml_like_text_is_refused_without_panic(text in "([a-z]{1,3}|vip|pool|host|[\\[\\]{}=\".,\n #0-9é]){0,40}") {
        survives(&text);
    }

    #[test]
    fn shuffled_lines_of_valid_files_are_survived(picks in prop::collection::vec(any::<Index>(), 0..60)) {
        let lines = lines();
        let text: Vec<_> = picks.iter().map(|pick| *pick.get(&lines)).collect();
        survives(&text.join("\n"));
    }

    #[test]
    fn mutated_valid_files_are_survived(
        gateway: bool,
        edits in prop::collection::vec((any::<Index>(), 0usize..12, "[\\[\\]{}=\".,\n a-z0-9:/é-]{0,8}"), 1..6),
    ) {
        let mut text: Vec<char> = if gateway { GATEWAY } else { POP }.chars().collect();
        for (at, removed, inserted) in edits {
            let start = at.index(text.len());
            let end = (start + removed).min(text.len());
            text.splice(start..end, inserted.chars());
        }
        survives(&text.into_iter().collect::<String>());
    }
}
