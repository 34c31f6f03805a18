//! DNS messages (RFC 1035): a question for an address, and whether an answer is one.

/// A question for the IPv4 address of a name, with recursion wanted.
pub fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    // Flags (RD), one question, no records.
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    // The root, type A, class IN.
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// Id of an answer without an error that has a record.
pub fn answered(message: &[u8]) -> Option<u16> {
    let (header, _) = message.split_first_chunk::<12>()?;
    let (is_response, code) = (header[2] >> 7 == 1, header[3] % 16);
    let is_answer = is_response && code == 0 && header[6..8] != [0, 0];
    is_answer.then(|| u16::from_be_bytes([header[0], header[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_no_answers_and_errors_neither() {
        let mut message = question(0x1234, "a.bc");
        assert_eq!(message[12..], *b"\x01a\x02bc\0\0\x01\0\x01");
        assert_eq!(answered(&message), None);
        message[2] |= 0x80;
        message[7] = 1;
        assert_eq!(answered(&message), Some(0x1234));
        message[3] = 3;
        assert_eq!(answered(&message), None);
    }
}
