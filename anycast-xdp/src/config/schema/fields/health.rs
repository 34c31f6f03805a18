//! Sections about health: what this host probes from, and the check of a pool.

/// `[health]`
pub(crate) mod host {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use crate::config::{
        schema::{Field, Roles, Section},
        types::Span,
    };

    pub(crate) const SOURCE_IPV4: Field<Ipv4Addr> = Field::optional(
        "source_ipv4",
        "no checks by IPv4 VIPs",
        "The health address: probes of IPv4 VIPs come from it, and backends answer to it. An address of this host, of no VIP, that the home regions have a route to.",
    );
    pub(crate) const SOURCE_IPV6: Field<Ipv6Addr> =
        Field::optional("source_ipv6", "no checks by IPv6 VIPs", "The same for IPv6 VIPs.");
    pub(crate) const DAMPING_HALF_LIFE: Field<Span<1000, 3_600_000>> = Field::default(
        "damping_half_life",
        "\"1m\"",
        "In which the penalty of a backend that flaps is halved: it gets 1000 each time that it goes down, and above 3000 it stays down until 1500 is reached.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "health",
        header: "[health]",
        roles: Roles::Pop,
        required: false,
        description: "What the checks of pools are made from, see [health.md](../health.md).",
        fields: &[SOURCE_IPV4.spec, SOURCE_IPV6.spec, DAMPING_HALF_LIFE.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[pool.health]`
pub(crate) mod pool {
    use crate::config::{
        schema::{Field, Roles, Section},
        types::{CheckName, DomainName, Integer, Name, Payload, RequestPath, Span, Statuses},
    };

    pub(crate) const TYPE: Field<CheckName> = Field::default(
        "type",
        "\"icmp\"",
        "What a probe is, and what makes it a success. `icmp`: an echo request, a reply; `tcp`: a SYN, a SYN-ACK; `http`, `https`: a GET by HTTP/1.1, its status (certificates are not judged); `udp`: a datagram, an answer; `dns`: a query, an answer without an error.",
    );
    pub(crate) const PORT: Field<Integer<1, 65_535>> = Field::optional(
        "port",
        "80 for `http`, 443 for `https`, 53 for `dns`; must be given for `tcp` and `udp`",
        "Port of the VIP. Not for `icmp`.",
    );
    pub(crate) const HOST: Field<DomainName> = Field::optional(
        "host",
        "the VIP's address",
        "`Host` of the request, and the name that TLS asks for. Only for `http` and `https`.",
    );
    pub(crate) const PATH: Field<RequestPath> =
        Field::default("path", "\"/\"", "Path and query of the request. Only for `http` and `https`.");
    pub(crate) const STATUS: Field<Statuses> = Field::default(
        "status",
        "\"200-399\"",
        "Statuses of a backend that is up, one or a range. Redirects are not followed. Only for `http` and `https`.",
    );
    pub(crate) const SEND: Field<Payload> = Field::optional(
        "send",
        "must be given for `udp`",
        "What the datagram carries: `'ping\\x00'` or `\"hex:70696e6700\"`. Only for `udp`.",
    );
    pub(crate) const EXPECT: Field<Payload> =
        Field::optional("expect", "any answer will do", "What the answer begins with. Only for `udp`.");
    pub(crate) const NAME: Field<DomainName> = Field::optional(
        "name",
        "must be given for `dns`",
        "Name whose address is asked for: A by an IPv4 VIP, AAAA by an IPv6 one. Only for `dns`.",
    );
    pub(crate) const VIP: Field<Name> = Field::optional(
        "vip",
        "the first one, by name, that is bound to the pool",
        "Name of the VIP that probes are sent to, one that is bound to the pool.",
    );
    pub(crate) const INTERVAL: Field<Span<50, 3_600_000>> =
        Field::default("interval", "\"1s\"", "Longest time between two probes of a backend.");
    pub(crate) const TIMEOUT: Field<Span<10, 3_600_000>> = Field::optional(
        "timeout",
        "80 % of the interval",
        "After it a probe without an answer has failed. At most the interval.",
    );
    pub(crate) const RISE: Field<Integer<1, 100>> =
        Field::default("rise", "2", "Successes in a row after which a backend is up.");
    pub(crate) const FALL: Field<Integer<1, 100>> =
        Field::default("fall", "3", "Failures in a row after which a backend is down.");
    pub(crate) const JITTER_PERCENT: Field<Integer<0, 50>> = Field::default(
        "jitter_percent",
        "10",
        "By how much of it the interval is shortened at random, so that probes of many do not go in step.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "health",
        header: "[pool.health]",
        roles: Roles::Pop,
        required: false,
        description: "How it is found out which backends of the `[[pool]]` above it are down: by probes through the datapath, to a VIP that is bound to the pool, once for each backend. See [health.md](../health.md).",
        fields: &[
            TYPE.spec,
            PORT.spec,
            HOST.spec,
            PATH.spec,
            STATUS.spec,
            SEND.spec,
            EXPECT.spec,
            NAME.spec,
            VIP.spec,
            INTERVAL.spec,
            TIMEOUT.spec,
            RISE.spec,
            FALL.spec,
            JITTER_PERCENT.spec,
        ],
        sections: &[],
        name_key: "name",
    };
}
