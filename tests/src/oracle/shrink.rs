//! Makes a packet that shows a difference as small and plain as it goes.

use super::{compare::Difference, model::Input};

/// Cuts the frame from its end, then zeroes bytes, as long as `differs` still finds something. What it finds may be
/// another difference than the first: any is one too many.
pub(super) fn shrink(
    mut input: Input,
    mut difference: Difference,
    mut differs: impl FnMut(&Input) -> anyhow::Result<Option<Difference>>,
) -> anyhow::Result<(Input, Difference)> {
    let mut cut = input.frame.len() / 2;
    while cut > 0 {
        let mut shorter = input.clone();
        shorter.frame.truncate(shorter.frame.len() - cut);
        if shorter.frame.len() >= shorter.frame_bytes_min()
            && let Some(found) = differs(&shorter)?
        {
            (input, difference) = (shorter, found);
            cut = cut.min(input.frame.len() / 2);
        } else {
            cut /= 2;
        }
    }
    for at in (0..input.frame.len()).rev() {
        if input.frame[at] == 0 {
            continue;
        }
        let mut plainer = input.clone();
        plainer.frame[at] = 0;
        if let Some(found) = differs(&plainer)? {
            (input, difference) = (plainer, found);
        }
    }
    Ok((input, difference))
}
