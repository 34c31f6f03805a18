//! Packets in hex, as people copy them: `4500…`, with blanks or colons, or the lines of `xxd` and `tcpdump -x`.

use anyhow::{Result, bail, ensure};

/// Is this hex and nothing else, and not the name of a file?
pub fn is_literal(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let all_hex = digits.chars().all(|char| char.is_ascii_hexdigit() || char.is_ascii_whitespace() || char == ':');
    all_hex && digits.chars().filter(char::is_ascii_hexdigit).count() >= 28
}

/// The bytes.
///
/// # Errors
///
/// What is no hex, with its line.
pub fn parse(text: &str) -> Result<Vec<u8>> {
    let mut digits = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in line_words(line) {
            for char in word.chars().filter(|char| *char != ':') {
                match char.to_digit(16) {
                    Some(digit) => digits.push(digit as u8),
                    None => bail!("line {number}: `{word}` is no hex"),
                }
            }
        }
    }
    ensure!(!digits.is_empty(), "there is no hex in it");
    ensure!(digits.len().is_multiple_of(2), "{} hex digits are no whole number of bytes", digits.len());
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The words of a line that are bytes: without the offset before them and the text behind them.
fn line_words(line: &str) -> impl Iterator<Item = &str> {
    let line = line.trim();
    let (is_dump, bytes) = match line.split_once(": ").or_else(|| line.split_once(":\t")) {
        Some((offset, bytes)) if is_offset(offset) => (true, bytes.trim_start()),
        _ => (false, line.strip_prefix("0x").unwrap_or(line)),
    };
    // Dumps set their text apart by two blanks.
    let bytes = if is_dump { bytes.split("  ").next().unwrap_or_default() } else { bytes };
    bytes.split_whitespace()
}

/// `0x0010` or `00000010`.
fn is_offset(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    digits.len() >= 4 && digits.chars().all(|char| char.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_is_read() {
        let wanted = [0x45, 0x00, 0x00, 0x28, 0xab, 0xcd];
        for text in [
            "45000028abcd",
            "0x45000028abcd",
            "45 00 00 28\nab cd\n",
            "45:00:00:28:ab:cd",
            "4500 0028 abcd",
            "\t0x0000:  4500 0028\n\t0x0004:  abcd",
            "00000000: 4500 0028 abcd                           E..(..",
        ] {
            assert_eq!(parse(text).expect(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_hex_is_told() {
        let told = |text: &str| parse(text).expect_err(text).to_string();
        assert_eq!(told("45 00\n00 zz"), "line 2: `zz` is no hex");
        assert_eq!(told("450"), "3 hex digits are no whole number of bytes");
        assert_eq!(told(" \n"), "there is no hex in it");
    }

    #[test]
    fn names_of_files_are_no_literals() {
        assert!(is_literal("4500002800004000400674d2cb007107c00002501"));
        assert!(!is_literal("packet.hex") && !is_literal("-") && !is_literal("abc") && !is_literal("face/cafe"));
    }
}
