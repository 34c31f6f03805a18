//! Values that are one of a few words.

use std::fmt;

use serde_json::{Value, json};
use toml::de::DeValue;

use super::{FieldType, text};
use crate::{
    config::{findings::Problem, schema::nearest},
    desired::{AllDown, AttachMode, Failover, HashOn, IcmpEcho, State},
};

/// A type whose values are words.
trait Choice: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

/// `role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoleName {
    Pop,
    Gateway,
}

/// `encap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncapName {
    Ipip,
    Gre,
    Gue,
}

/// `type` of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckName {
    Icmp,
    Tcp,
    Http,
    Https,
    Udp,
    Dns,
}

/// One of an interface's `roles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InterfaceRole {
    Access,
    Backbone,
    Egress,
}

/// `return`: the way that a VIP's answers take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReturnWay {
    Direct,
    Pop,
}

/// `return_without_pop`: what becomes of answers where no PoP is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WithoutPop {
    Direct,
    Drop,
}

/// `state` of a PoP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PopState {
    Up,
    Drain,
}

impl Choice for RoleName {
    const WORDS: &'static [(&'static str, Self)] = &[("pop", Self::Pop), ("gateway", Self::Gateway)];
}

impl Choice for EncapName {
    const WORDS: &'static [(&'static str, Self)] = &[("ipip", Self::Ipip), ("gre", Self::Gre), ("gue", Self::Gue)];
}

impl Choice for CheckName {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("icmp", Self::Icmp),
        ("tcp", Self::Tcp),
        ("http", Self::Http),
        ("https", Self::Https),
        ("udp", Self::Udp),
        ("dns", Self::Dns),
    ];
}

impl Choice for InterfaceRole {
    const WORDS: &'static [(&'static str, Self)] =
        &[("access", Self::Access), ("backbone", Self::Backbone), ("egress", Self::Egress)];
}

impl Choice for PopState {
    const WORDS: &'static [(&'static str, Self)] = &[("up", Self::Up), ("drain", Self::Drain)];
}

impl Choice for ReturnWay {
    const WORDS: &'static [(&'static str, Self)] = &[("direct", Self::Direct), ("pop", Self::Pop)];
}

impl Choice for WithoutPop {
    const WORDS: &'static [(&'static str, Self)] = &[("direct", Self::Direct), ("drop", Self::Drop)];
}

impl Choice for AttachMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("native", Self::Native), ("generic", Self::Generic)];
}

impl Choice for IcmpEcho {
    const WORDS: &'static [(&'static str, Self)] =
        &[("forward", Self::Forward), ("answer", Self::Answer), ("drop", Self::Drop)];
}

impl Choice for Failover {
    const WORDS: &'static [(&'static str, Self)] = &[("local", Self::Local), ("manual", Self::Manual)];
}

impl Choice for AllDown {
    const WORDS: &'static [(&'static str, Self)] = &[("withdraw", Self::Withdraw), ("fail-open", Self::FailOpen)];
}

impl Choice for HashOn {
    const WORDS: &'static [(&'static str, Self)] =
        &[("5-tuple", Self::Flow), ("source", Self::Source), ("addresses", Self::Addresses)];
}

impl Choice for State {
    const WORDS: &'static [(&'static str, Self)] = &[("up", Self::Up), ("drain", Self::Drain), ("down", Self::Down)];
}

impl<T: Choice> FieldType for T {
    fn kind() -> String {
        words::<T>()
    }

    fn json_schema() -> Value {
        json!({ "type": "string", "enum": T::WORDS.iter().map(|(word, _)| word).collect::<Vec<_>>() })
    }

    fn from_value(value: &DeValue<'_>) -> Result<Self, Problem> {
        let found = text::<Self>(value)?;
        if let Some((_, choice)) = T::WORDS.iter().find(|(word, _)| *word == found) {
            return Ok(*choice);
        }
        let help = match nearest(found, T::WORDS.iter().map(|(word, _)| *word)) {
            Some(word) => format!("did you mean `{word}`? write {}", words::<T>()),
            None => format!("write {}", words::<T>()),
        };
        Err(Problem::new(format!("`{found}` is none of the words that may stand here"), help))
    }
}

/// The word of a value.
macro_rules! displayed {
    ($($choice:ty),+) => {
        $(impl fmt::Display for $choice {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Self::WORDS.iter().find(|(_, choice)| choice == self).map_or("", |(word, _)| word))
            }
        })+
    };
}

displayed!(CheckName, InterfaceRole, AttachMode, IcmpEcho, HashOn, State);

/// `"a", "b" or "c"`.
fn words<T: Choice>() -> String {
    let mut quoted: Vec<String> = T::WORDS.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let last = quoted.pop().unwrap_or_default();
    format!("{} or {last}", quoted.join(", "))
}
