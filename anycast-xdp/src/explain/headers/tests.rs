use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    super::super::hex::parse(hex).expect("hex")
}

/// Every byte in front of the inner packet is told once, in order.
fn told(frame: &[u8], udp_is_tunnel: bool) -> String {
    let headers = decode(frame, udp_is_tunnel);
    let mut at = 0;
    for field in &headers.fields {
        assert_eq!(field.offset, at, "{field:?}");
        at += field.bytes.len() / 2;
    }
    assert_eq!(headers.inner_at.unwrap_or(at), at);
    let line = |field: &HeaderField| format!("{} {} {}: {}", field.offset, field.header, field.field, field.value);
    headers.fields.iter().map(line).collect::<Vec<_>>().join("\n")
}

const ETHERNET: &str = "aabbccddeeff 020000000002";

#[test]
fn ipip_with_a_tag_is_taken_apart() {
    let frame = bytes(&format!("{ETHERNET} 8100 6064 0800 4502003c0000400040041234 0a030002 0a040002 45"));
    insta::assert_snapshot!(told(&frame, false));
}

#[test]
fn ipv6_outer_shows_its_flow_label() {
    let addresses = "fd000003000000000000000000000002 fd000004000000000000000000000002";
    let frame = bytes(&format!("{ETHERNET} 86dd 6b812345 0028 29 40 {addresses} 60"));
    insta::assert_snapshot!(told(&frame, false));
}

#[test]
fn gre_with_and_without_key_is_taken_apart() {
    let outer = format!("{ETHERNET} 0800 4500003c00004000402f1234 0a030002 0a040002");
    let plain = told(&bytes(&format!("{outer} 0000 86dd 60")), false);
    assert!(plain.ends_with("34 gre flags, version: none, 0\n36 gre protocol: IPv6"), "{plain}");
    let keyed = told(&bytes(&format!("{outer} 2000 0800 00000064 45")), false);
    assert!(keyed.ends_with("34 gre flags, version: key, 0\n36 gre protocol: IPv4\n38 gre key: 0x00000064"), "{keyed}");
}

#[test]
fn gue_of_both_variants_is_taken_apart() {
    let outer = format!("{ETHERNET} 0800 4500003c0000400040111234 0a030002 0a040002 c001 17c0 0030 0000");
    let direct = told(&bytes(&format!("{outer} 45")), true);
    assert!(direct.ends_with("38 udp length: 48 bytes\n40 udp checksum: none"), "{direct}");
    let with_header = told(&bytes(&format!("{outer} 0004 0000 45")), true);
    assert!(
        with_header.ends_with(
            "42 gue variant, control, header length: 0, 0, 4 bytes\n43 gue protocol: 4 (IPv4 inside)\n44 gue flags: 0x0000"
        ),
        "{with_header}"
    );
}

#[test]
fn udp_of_a_client_is_no_tunnel() {
    let frame = bytes(&format!("{ETHERNET} 0800 4500001c0000400040111234 cb007107 c0000250 c001 0035 0008 0000"));
    let headers = decode(&frame, false);
    assert_eq!((headers.ip_at, headers.inner_at), (14, None));
    assert_eq!(headers.fields.last().map(|field| field.offset), Some(30));
}

#[test]
fn frames_that_end_early_have_the_fields_that_are_there() {
    let frame = bytes(&format!("{ETHERNET} 0800 45000014"));
    for end in 0..=frame.len() {
        assert_eq!(decode(&frame[..end], true).inner_at, None);
    }
    assert_eq!(decode(&frame, true).fields.len(), 6);
}
