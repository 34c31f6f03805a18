//! A DNS query (RFC 1035 section 4); an answer to it without an error.

use std::net::IpAddr;

use super::{
    ProbeError, Subject,
    steps::Steps,
    udp::{received, sent},
};

const HEADER_BYTES: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
/// Flags of a query, and the bits of an answer's that are looked at.
const RECURSION_DESIRED: u16 = 0x0100;
const IS_ANSWER: u16 = 0x8000;
const CODE_MASK: u16 = 0x000f;

/// Answers over UDP are no longer without EDNS (section 4.2.1), which is not asked for.
const ANSWER_BYTES: usize = 512;

/// Asks, and waits for an answer to what was asked.
pub async fn ask(subject: &Subject, port: u16, name: &str, steps: &mut Steps) -> Result<(), ProbeError> {
    let kind = if matches!(subject.vip, IpAddr::V4(_)) { TYPE_A } else { TYPE_AAAA };
    let query = query(fastrand::u16(..), name, kind);
    let socket = sent(subject, port, &query, steps).await?;
    let mut buffer = [0; ANSWER_BYTES];
    loop {
        let answer = received(&socket, &mut buffer, steps).await?;
        match judge(&query, answer) {
            Some(0) => return Ok(()),
            Some(code) => return Err(ProbeError::Unexpected(format!("the answer has the error {}", code_name(code)))),
            None => steps.note(|| "it answers something else".to_owned()),
        }
    }
}

/// A query with one question. Names come from the configuration, which knows that they fit.
fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + name.len() + 6);
    for field in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        bytes.extend(field.to_be_bytes());
    }
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(CLASS_IN.to_be_bytes());
    bytes
}

/// The response code of an answer; `None`: it is no answer to this query.
fn judge(query: &[u8], answer: &[u8]) -> Option<u16> {
    let field = |bytes: &[u8], at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let flags = field(answer, 2)?;
    let question = query.get(HEADER_BYTES..)?;
    // A server may change the case of a name, and nothing else of the question.
    let is_same = answer.get(HEADER_BYTES..)?.get(..question.len())?.eq_ignore_ascii_case(question);
    let is_ours =
        field(answer, 0) == field(query, 0) && flags & IS_ANSWER != 0 && field(answer, 4) == Some(1) && is_same;
    is_ours.then_some(flags & CODE_MASK)
}

/// As `dig` writes it (RFC 1035 section 4.1.1).
fn code_name(code: u16) -> String {
    match code {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        code => code.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_is_the_one_of_the_standard() {
        let wanted = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06health\x07example\x00\x00\x01\x00\x01";
        assert_eq!(query(0x1234, "health.example", TYPE_A), wanted);
    }

    #[test]
    fn only_answers_to_the_query_are_taken() {
        let query = query(0x1234, "a.example", TYPE_AAAA);
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut answer = query.clone();
            answer[2] |= 0x80;
            change(&mut answer);
            judge(&query, &answer)
        };
        assert_eq!(changed(&|_| {}), Some(0));
        assert_eq!(changed(&|answer| answer.extend(b"records")), Some(0));
        assert_eq!(changed(&|answer| answer[13] = b'A'), Some(0));
        assert_eq!(changed(&|answer| answer[3] |= 3), Some(3));
        assert_eq!(changed(&|answer| answer[0] ^= 1), None, "another id");
        assert_eq!(changed(&|answer| answer[2] &= 0x7f), None, "a query");
        assert_eq!(changed(&|answer| answer[13] = b'b'), None, "another name");
        assert_eq!(changed(&|answer| *answer.last_mut().unwrap() = 3), None, "another class");
        assert_eq!(changed(&|answer| answer.truncate(20)), None, "cut off");
        assert_eq!(judge(&query, &[]), None);
    }
}
