//! Sections about services.

/// `[[prefix]]`
pub(crate) mod prefix {
    use ipnet::IpNet;

    use crate::config::{
        schema::{Field, Roles, Section},
        types::{Labels, Name},
    };

    pub(crate) const NAME: Field<Name> = Field::required("name", "Unique name of the prefix.");
    pub(crate) const PREFIX: Field<IpNet> = Field::required(
        "prefix",
        "What BGP announces to the world: IPv4 of at most 24 bits, IPv6 of at most 48, because longer ones are not taken by everyone. Prefixes do not overlap.",
    );
    pub(crate) const PUBLISH: Field<Name> =
        Field::optional("publish", "every PoP", "Names of the PoPs that announce it.").list();
    pub(crate) const LABELS: Field<Labels> =
        Field::optional("labels", "none", "`key = \"value\"` pairs to choose objects by.");
    pub(crate) const SECTION: Section = Section {
        key: "prefix",
        header: "[[prefix]]",
        roles: Roles::Both,
        required: false,
        description: "What BGP announces. Where there is any, and always in the store, every VIP is in one.",
        fields: &[NAME.spec, PREFIX.spec, PUBLISH.spec, LABELS.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[[pool]]`
pub(crate) mod pool {
    use super::{super::health, backend};
    use crate::{
        config::{
            schema::{Field, Roles, Section},
            types::{Integer, Labels, Name},
        },
        desired::State,
    };

    pub(crate) const LABELS: Field<Labels> =
        Field::optional("labels", "none", "`key = \"value\"` pairs to choose objects by.");
    pub(crate) const NAME: Field<Name> = Field::required("name", "Unique name of the pool.");
    pub(crate) const HOME_REGION: Field<Name> = Field::required("home_region", "Region that its backends are in.");
    pub(crate) const STATE: Field<State> = Field::default(
        "state",
        "\"up\"",
        "`drain`: new flows go to the fall-backs of the VIPs that are bound to it, the TCP flows that it has stay; `down`: all of them go to the fall-backs at once. A VIP without a fall-back that is usable stays on it.",
    );
    pub(crate) const DIAL_PERCENT: Field<Integer<0, 100>> = Field::default(
        "dial_percent",
        "100",
        "Share of its flows that it takes of every VIP that has usable pools behind it; the others go to those. The last usable pool takes all that is left, whatever its dial. A change moves the share that is added or taken and nothing else, and TCP flows that run stay where they are.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "pool",
        header: "[[pool]]",
        roles: Roles::Pop,
        required: false,
        description: "The weighted backends of one home region.",
        fields: &[NAME.spec, HOME_REGION.spec, STATE.spec, DIAL_PERCENT.spec, LABELS.spec],
        sections: &[backend::SECTION, health::pool::SECTION],
        name_key: "name",
    };
}

/// `[[pool.backend]]`
pub(crate) mod backend {
    use std::net::IpAddr;

    use crate::{
        config::{
            schema::{Field, Roles, Section},
            types::{EncapName, Integer},
        },
        desired::State,
    };

    pub(crate) const ADDRESS: Field<IpAddr> =
        Field::required("address", "Tunnel address of the home-region node, unique within the pool.");
    pub(crate) const WEIGHT: Field<Integer<1, 65_535>> =
        Field::default("weight", "100", "Share of the flows, relative to the other backends of the pool.");
    pub(crate) const ENCAP: Field<EncapName> = Field::default(
        "encap",
        "\"ipip\"",
        "What packets are wrapped in: `ipip` (nothing but the outer IP header), `gre` (4 bytes more, 8 with a key), `gue` (IP in UDP, 8 bytes more, a source port for each flow).",
    );
    pub(crate) const GRE_KEY: Field<Integer<0, { u32::MAX }>> =
        Field::optional("gre_key", "GRE without a key", "Key of GRE packets; only with `encap = \"gre\"`.");
    pub(crate) const GUE_PORT: Field<Integer<1, 65_535>> =
        Field::optional("gue_port", "6080", "UDP port that the backend takes GUE at; only with `encap = \"gue\"`.");
    pub(crate) const MTU_BYTES: Field<Integer<576, 65_535>> = Field::optional(
        "mtu_bytes",
        "that of the route, and what backbone routers tell",
        "Longest outer packet toward it, for a path that takes less than its route says and whose routers do not tell. At least 1280 over IPv6, and for IPv6 VIPs 1280 and the outer header.",
    );
    pub(crate) const STATE: Field<State> = Field::default(
        "state",
        "\"up\"",
        "`drain`: it gets no new flows and keeps the TCP flows that it has; `down`: its flows go to the others of the pool at once. Flows of the others stay where they are.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "backend",
        header: "[[pool.backend]]",
        roles: Roles::Pop,
        required: true,
        description: "A home-region node that decapsulates. It belongs to the `[[pool]]` above it.",
        fields: &[ADDRESS.spec, WEIGHT.spec, ENCAP.spec, GRE_KEY.spec, GUE_PORT.spec, MTU_BYTES.spec, STATE.spec],
        sections: &[],
        name_key: "address",
    };
}

/// `[[vip]]`
pub(crate) mod vip {
    use std::net::IpAddr;

    use crate::{
        config::{
            schema::{Field, Roles, Section},
            types::{Labels, Name, ReturnWay, WithoutPop},
        },
        desired::{AllDown, Failback, Failover, HashOn, IcmpEcho, Listener},
    };

    pub(crate) const NAME: Field<Name> = Field::required("name", "Unique name of the VIP.");
    pub(crate) const ADDRESS: Field<IpAddr> =
        Field::required("address", "The anycast service address, unique and never an address of a PoP.");
    pub(crate) const LISTENERS: Field<Listener> = Field::optional(
        "listeners",
        "every protocol and port",
        "What the VIP takes: `tcp/80`, `udp/5000-5100`, `sctp`, `icmp`, `esp`, or a protocol number such as `47`. `icmp` on an IPv6 VIP is ICMPv6. Fragments and ICMP errors of these flows are taken too.",
    )
    .list();
    pub(crate) const POOL: Field<Name> = Field::optional(
        "pool",
        "must be given in the file of a PoP, must not on a gateway; in the store: bound to none, packets are dropped",
        "Name of the pool that the VIP is bound to.",
    );
    pub(crate) const ICMP_ECHO: Field<IcmpEcho> = Field::default(
        "icmp_echo",
        "\"forward\"",
        "What a PoP does with echo requests (ping): `forward` treats them like any packet, so that listeners decide; `answer` answers them at the PoP, and `drop` drops them, whatever the listeners say. Fragments are always forwarded. A gateway has no such key.",
    );
    pub(crate) const FALLBACK_POOLS: Field<Name> = Field::optional(
        "fallback_pools",
        "none",
        "Names of the pools that take its place, in this order: the first that is usable. A pool is usable that is up and has a backend that is up, whose probes do not fail, and that a route leads to.",
    )
    .list();
    pub(crate) const FAILOVER: Field<Failover> = Field::default(
        "failover",
        "\"local\"",
        "Who takes its flows to the next pool: `local` is this host, as soon as it finds the pool not usable; with `manual` neither routes nor probes move flows, only the `state` of the pool and of its backends does. Only with `fallback_pools`.",
    );
    pub(crate) const FAILBACK: Field<Failback> = Field::default(
        "failback",
        "\"5s\"",
        "When they go back to a better pool: once it has been usable for so long, or with `manual` when `anycast-xdp pool failback POOL` says so. If the pool that they are on fails they go to the best one at once. Only with `fallback_pools`.",
    );
    pub(crate) const ALL_DOWN: Field<AllDown> = Field::default(
        "all_down",
        "\"withdraw\"",
        "What becomes of the VIP when none of its pools can serve it: `withdraw` takes its route away, so that clients enter at another PoP; `fail-open` goes on publishing it. Packets that come are forwarded as before either way.",
    );
    pub(crate) const HASH: Field<HashOn> = Field::optional(
        "hash",
        "`5-tuple` with listeners, `addresses` without",
        "What decides the backend of a packet: `5-tuple` is addresses, ports and protocol, `addresses` is client and VIP, `source` is the client alone, so that it has one backend on all VIPs of a pool. `5-tuple` without listeners takes every protocol all the same, of packets whose TCP, UDP, SCTP or ICMP header is whole.",
    );
    pub(crate) const RETURN: Field<ReturnWay> = Field::default(
        "return",
        "\"direct\"",
        "The way that its answers take: `direct` is from the home region straight to the client, `pop` is in a tunnel to the PoP that the client's last packet came by, and to the client from there. Write the same on the PoPs and on the gateways; [returns.md](../returns.md) tells what each asks for.",
    );
    pub(crate) const RETURN_WITHOUT_POP: Field<WithoutPop> = Field::default(
        "return_without_pop",
        "\"direct\"",
        "What becomes of answers to a client of which no PoP is known: `direct` sends them straight to it, `drop` drops them, counted as `no_pop`. Gateway only, and only with `return = \"pop\"`.",
    );
    pub(crate) const PUBLISH: Field<Name> = Field::optional(
        "publish",
        "those of its prefix",
        "Names of the PoPs that the VIP is taken at, some of those of its prefix.",
    )
    .list();
    pub(crate) const LABELS: Field<Labels> = Field::optional(
        "labels",
        "none",
        "`key = \"value\"` pairs to choose objects by. A VIP with labels has all of its metrics, whatever the number of VIPs.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "vip",
        header: "[[vip]]",
        roles: Roles::Both,
        required: false,
        description: "An anycast service address. On a gateway: one that this host serves.",
        fields: &[
            NAME.spec,
            ADDRESS.spec,
            LISTENERS.spec,
            HASH.spec,
            POOL.spec,
            FALLBACK_POOLS.spec,
            FAILOVER.spec,
            FAILBACK.spec,
            ALL_DOWN.spec,
            ICMP_ECHO.spec,
            RETURN.spec,
            RETURN_WITHOUT_POP.spec,
            PUBLISH.spec,
            LABELS.spec,
        ],
        sections: &[],
        name_key: "name",
    };
}
