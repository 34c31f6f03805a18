//! Outer headers against a checksum written from RFC 1071 in wire order, which shares no line with the product's.

use std::{string::ToString as _, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::map::ENCAP_IPIP;
use crate::outer_patch::{ipv4_checksum, ipv6_first_word, source_bits};

/// Does a header sum to all ones, as RFC 1071 section 1 (3) has receivers check it?
fn is_valid(header: &[u8]) -> bool {
    let mut sum: u64 = header.chunks(2).map(|word| u64::from(word[0]) << 8 | u64::from(word[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff
}

fn ipip(source: &str, destination: &str) -> Result<Template, OuterError> {
    template(Source::one(address(source)), address(destination), Encap::Ipip)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Any unicast host address of 20 to 223.*.*.*.
fn host() -> impl Strategy<Value = [u8; 4]> {
    (20..224_u8, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| [a, b, c, d])
}

proptest! {
    #[test]
    fn finished_ipv4_header_has_a_valid_checksum(
        source in host(), varying_bits in 0..=16_u8, destination in host(), total_length in 20..=u16::MAX, tos: u8,
        protocol in proptest::sample::select(std::vec![4_u8, 17, 41, 47]), flow_hash: u64,
    ) {
        let varying = (1_u32 << varying_bits) - 1;
        let first = (u32::from_be_bytes(source) & !varying).to_be_bytes().into();
        let template = template(Source { first, varying_bits }, destination.into(), Encap::Ipip).unwrap();
        let bits = source_bits(flow_hash, u16::from_ne_bytes(template.source_mask));
        let mut header: Vec<u8> = template.outer[..20].to_vec();
        header[14] |= bits.to_ne_bytes()[0];
        header[15] |= bits.to_ne_bytes()[1];
        header[1] = tos;
        header[2..4].copy_from_slice(&total_length.to_be_bytes());
        header[9] = protocol;
        let checksum = ipv4_checksum(template.checksum_base + u32::from(bits), total_length, tos, protocol);
        header[10..12].copy_from_slice(&checksum.to_ne_bytes());
        prop_assert!(is_valid(&header), "{header:02x?}");
    }

    #[test]
    fn ipv6_first_word_is_version_class_and_label_in_order(class: u8, label in 0..1_u32 << 20) {
        let expected = std::format!("6{class:02x}{label:05x}");
        let got = u32::from_be_bytes(ipv6_first_word(class, label));
        prop_assert_eq!(std::format!("{got:08x}"), expected);
    }
}

#[test]
fn ipv4_template_holds_every_constant_field_and_zeros_the_others() {
    let template = ipip("192.0.2.1", "198.51.100.7").unwrap();
    #[rustfmt::skip]
    let header = [
        0x45, 0, 0, 0,
        0, 0, 0x40, 0,
        64, 0, 0, 0,
        192, 0, 2, 1,
        198, 51, 100, 7,
    ];
    assert_eq!(template.outer[..20], header);
    assert_eq!(template.outer[20..], [0; OUTER_MAX_BYTES - 20]);
    assert_eq!((template.encap, template.family, template.source_mask), (ENCAP_IPIP, 4, [0; 2]));
}

#[test]
fn ipv6_template_holds_every_constant_field_and_zeros_the_others() {
    let (source, destination) = ("2001:db8::1", "2001:db8:ffff::2");
    let template = ipip(source, destination).unwrap();
    assert_eq!(template.outer[..8], [0x60, 0, 0, 0, 0, 0, 0, 64]);
    assert_eq!(template.outer[8..24], source.parse::<core::net::Ipv6Addr>().unwrap().octets());
    assert_eq!(template.outer[24..40], destination.parse::<core::net::Ipv6Addr>().unwrap().octets());
    assert_eq!(template.outer[40..], [0; OUTER_MAX_BYTES - 40]);
    assert_eq!((template.encap, template.family, template.checksum_base), (ENCAP_IPIP, 6, 0));
}

#[test]
fn ends_of_different_families_are_refused() {
    let (source, destination) = ("192.0.2.1", "2001:db8::1");
    let error = OuterError::FamiliesDiffer { source: address(source), destination: address(destination) };
    assert_eq!(ipip(source, destination), Err(error));
    let error = ipip(destination, source).unwrap_err();
    assert_eq!(error.to_string(), "tunnel source 2001:db8::1 and backend 192.0.2.1 are of different families");
}

#[test]
fn addresses_of_no_single_host_are_refused_at_either_end() {
    let families = [
        ("192.0.2.1", ["0.0.0.0", "224.0.0.1", "255.255.255.255"]),
        ("2001:db8::1", ["::", "ff02::1", "::ffff:192.0.2.1"]),
    ];
    for (good, bad) in families {
        for bad in bad {
            assert_eq!(ipip(good, bad), Err(OuterError::NotAHost(address(bad))));
            assert_eq!(ipip(bad, good), Err(OuterError::NotAHost(address(bad))));
        }
    }
}

#[test]
fn headers_behind_the_outer_ip_header_hold_their_constant_fields() {
    let behind_ip = |encap| {
        ["192.0.2.1", "2001:db8::1"].map(|end| {
            let template = template(Source::one(address(end)), address(end), encap).unwrap();
            let ip_bytes = if template.family == 4 { 20 } else { 40 };
            <[u8; 8]>::try_from(&template.outer[ip_bytes..ip_bytes + 8]).unwrap()
        })
    };
    assert_eq!(behind_ip(Encap::Gre { key: None }), [[0; 8]; 2]);
    assert_eq!(behind_ip(Encap::Gre { key: Some(0x0102_0304) }), [[0x20, 0, 0, 0, 1, 2, 3, 4]; 2]);
    assert_eq!(behind_ip(Encap::Gue { port: 6080 }), [[0, 0, 0x17, 0xc0, 0, 0, 0, 0]; 2]);
}

#[test]
fn more_varying_bits_than_two_bytes_are_refused() {
    let source = Source { first: address("10.0.0.0"), varying_bits: 17 };
    let error = template(source, address("192.0.2.1"), Encap::Ipip).unwrap_err();
    assert_eq!(error, OuterError::TooManySources { varying_bits: 17 });
}
