//! "Did you mean".

/// Letters of a word for each one that may be wrong, left out, too many or swapped with the next.
const LETTERS_PER_SLIP: usize = 3;
/// Nothing this long is a slip of the finger, and the comparison is quadratic in the length.
const LETTERS_MAX: usize = 128;

/// The candidate that `word` was meant to be, if it is close to one.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LETTERS_MAX {
        return None;
    }
    let slips_max = word.chars().count() / LETTERS_PER_SLIP;
    let slips = |candidate: &'a str| (strsim::osa_distance(word, candidate), candidate);
    let near = candidates.into_iter().map(slips).filter(|(slips, _)| *slips <= slips_max);
    near.min_by_key(|(slips, _)| *slips).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slip_of_the_finger_finds_its_word() {
        assert_eq!(nearest("weigth", ["address", "weight"]), Some("weight"));
        assert_eq!(nearest("tpc", ["udp", "tcp"]), Some("tcp"));
        assert_eq!(nearest("adress", ["address", "weight"]), Some("address"));
    }

    #[test]
    fn unlike_word_finds_nothing() {
        assert_eq!(nearest("colour", ["address", "weight"]), None);
        assert_eq!(nearest("a", ["ah"]), None);
        assert_eq!(nearest("", ["ah"]), None);
    }
}
