//! Sections about this host.

/// `[host]`
pub(crate) mod host {
    use crate::config::{
        schema::{Field, Roles, Section},
        types::Name,
    };

    pub(crate) const POP: Field<Name> = Field::required("pop", "Site that this host belongs to.");
    pub(crate) const NAME: Field<Name> = Field::required("name", "Name of this host, unique within the site.");
    pub(crate) const SECTION: Section = Section {
        key: "host",
        header: "[host]",
        roles: Roles::Both,
        required: true,
        description: "Where this host is.",
        fields: &[POP.spec, NAME.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[hash]`
pub(crate) mod hash {
    use crate::config::{
        schema::{Field, Roles, Section},
        types::Seed,
    };

    pub(crate) const SEED: Field<Seed> = Field::required(
        "seed",
        "Secret of the fleet, the same on every PoP: keys the flow hash and the Maglev tables. Make one with `openssl rand -hex 16`. Another seed moves flows to other backends.",
    )
    .missing_help("add `seed = \"...\"`, the same on every PoP of the fleet; make the first one with `openssl rand -hex 16`");
    pub(crate) const SECTION: Section = Section {
        key: "hash",
        header: "[hash]",
        roles: Roles::Pop,
        required: true,
        description: "How flows are spread over backends.",
        fields: &[SEED.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[tunnel]`
pub(crate) mod tunnel {
    use ipnet::{Ipv4Net, Ipv6Net};

    use crate::config::{
        schema::{Field, Roles, Section},
        types::Integer,
    };

    pub(crate) const SOURCE_IPV4: Field<Ipv4Net> = Field::optional(
        "source_ipv4",
        "no IPv4 backends",
        "Outer source of tunnels to IPv4 backends: an address of this host, or a prefix of at most 65536 addresses that is routed to it. The gateways allow it. Of a prefix every flow has one address, so that the home region's NICs and routers can spread flows, which one source does not let them with `ipip` and `gre`.",
    );
    pub(crate) const SOURCE_IPV6: Field<Ipv6Net> = Field::optional(
        "source_ipv6",
        "no IPv6 backends",
        "The same for tunnels to IPv6 backends, whose packets carry a flow label besides.",
    );
    pub(crate) const ALLOW_SMALL_MTU: Field<bool> = Field::default(
        "allow_small_mtu",
        "false",
        "Accept a backbone MTU below the access MTU plus the outer header. Senders of packets that no longer fit are told the MTU that does (see `[icmp]`); IPv4 packets without DF are dropped and counted as `too_big`.",
    );
    pub(crate) const GUE_PORT: Field<Integer<1, 65_535>> = Field::default(
        "gue_port",
        "6080",
        "UDP port at which gateways' answers in GUE arrive: that of the backends. Only VIPs with `return = \"pop\"` have such answers.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "tunnel",
        header: "[tunnel]",
        roles: Roles::Pop,
        required: false,
        description: "The tunnels between this PoP and its backends.",
        fields: &[SOURCE_IPV4.spec, SOURCE_IPV6.spec, ALLOW_SMALL_MTU.spec, GUE_PORT.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[transition]`
pub(crate) mod transition {
    use crate::config::{
        schema::{Field, Roles, Section},
        types::Integer,
    };

    pub(crate) const SECS: Field<Integer<1, 86_400>> = Field::default(
        "secs",
        "300",
        "Seconds for which TCP flows that were there keep their backend after the table of a pool changed. While a backend or a pool drains, they keep it for as long as it does.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "transition",
        header: "[transition]",
        roles: Roles::Pop,
        required: false,
        description: "How running TCP flows live through changes of pools.",
        fields: &[SECS.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[gateway]`
pub(crate) mod gateway {
    use std::net::IpAddr;

    use ipnet::IpNet;

    use crate::config::{
        schema::{Field, Roles, Section},
        types::Integer,
    };

    pub(crate) const TUNNEL_ADDRESSES: Field<IpAddr> = Field::required(
        "tunnel_addresses",
        "Addresses of this host that tunnels end at: the backends of the PoPs' pools.",
    )
    .list();
    pub(crate) const ALLOWED_SOURCES: Field<IpNet> = Field::required(
        "allowed_sources",
        "Prefixes of the PoPs' tunnel sources. Tunnel packets from anywhere else are dropped. With a VIP that has `return = \"pop\"` each is the source or the prefix of sources of one PoP host, at most 65536 addresses, and counts as a backend of `[limits]`.",
    )
    .list();
    pub(crate) const GRE_KEYS: Field<Integer<0, { u32::MAX }>> = Field::optional(
        "gre_keys",
        "GRE without a key",
        "Keys that GRE packets must carry one of, at most 16. GRE without a key, or with another, is dropped.",
    )
    .list();
    pub(crate) const GUE_PORT: Field<Integer<1, 65_535>> = Field::default(
        "gue_port",
        "6080",
        "UDP port that GUE arrives at, on the tunnel addresses, and that answers in GUE are sent to.",
    );
    pub(crate) const RETURN_MTU_BYTES: Field<Integer<576, 65_535>> = Field::optional(
        "return_mtu_bytes",
        "that of the routes, and what routers tell",
        "Longest outer packet that the ways between here and PoPs carry, in both directions, where routes and routers do not know: TCP MSS is clamped to it.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "gateway",
        header: "[gateway]",
        roles: Roles::Gateway,
        required: true,
        description: "What the gateway decapsulates.",
        fields: &[TUNNEL_ADDRESSES.spec, ALLOWED_SOURCES.spec, GRE_KEYS.spec, GUE_PORT.spec, RETURN_MTU_BYTES.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[[interface]]`
pub(crate) mod interface {
    use crate::{
        config::{
            schema::{Field, Roles, Section},
            types::{InterfaceName, InterfaceRole},
        },
        desired::AttachMode,
    };

    pub(crate) const NAME: Field<InterfaceName> = Field::required("name", "Kernel name of the interface.");
    pub(crate) const ROLES: Field<InterfaceRole> = Field::required(
        "roles",
        "`access`: VIP traffic enters here (PoP only); `backbone`: tunnels leave (PoP) or arrive (gateway) here; `egress`: what the stack sends leaves here (gateway only), and answers of VIPs are looked for at the egress of `backbone` and `egress` interfaces. One interface may have several. One that is only `egress` gets no XDP program, and `attach` means nothing there.",
    )
    .list();
    pub(crate) const ATTACH: Field<AttachMode> = Field::default(
        "attach",
        "\"auto\"",
        "XDP mode: `native` runs in the driver and refuses to fall back, `generic` runs in the stack, `auto` is native where the driver can. Native programs take frames in several buffers where the MTU needs it.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "interface",
        header: "[[interface]]",
        roles: Roles::Both,
        required: true,
        description: "An interface and what it is for. A PoP has at least one `access` and one `backbone` interface, a gateway at least one `backbone` interface.",
        fields: &[NAME.spec, ROLES.spec, ATTACH.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[limits]`
pub(crate) mod limits {
    use crate::config::{
        schema::{Field, Roles, Section},
        types::Integer,
    };

    pub(crate) const VIPS: Field<Integer<1, 1_048_576>> = Field::default("vips", "4096", "VIPs.");
    pub(crate) const POOLS: Field<Integer<1, 65_536>> = Field::default(
        "pools",
        "512",
        "Pools, and distinct lists of pools with fall-backs, which count like one more each.",
    );
    pub(crate) const BACKENDS: Field<Integer<1, 1_048_576>> =
        Field::default("backends", "4096", "Backends over all pools.");
    pub(crate) const SLOTS: Field<Integer<1, 268_435_456>> = Field::default(
        "slots",
        "1048576",
        "Maglev slots over all pools: 2040, 16382 or 131072 for each, by its number of backends. A distinct list of pools and rules, of which one but the last has a `dial_percent` below 100, needs as many as its first pool.",
    );
    pub(crate) const GROUPS: Field<Integer<1, 1_048_576>> = Field::default("groups", "1024", "Next-hop groups.");
    // An index of these has 16 bits, and old and new ones stand side by side.
    pub(crate) const NEXT_HOPS: Field<Integer<1, 32_767>> = Field::default("next_hops", "1024", "Next hops.");
    pub(crate) const LINKS: Field<Integer<1, 32_767>> = Field::default("links", "64", "Egress links.");
    pub(crate) const LISTENER_SETS: Field<Integer<1, 65_536>> =
        Field::default("listener_sets", "256", "Distinct sets of listeners; VIPs with the same listeners share one.");
    pub(crate) const VIP_DROPS: Field<Integer<1, 4_194_304>> =
        Field::default("vip_drops", "16384", "Drop reasons remembered over all VIPs.");
    pub(crate) const TRANSITIONS: Field<Integer<1, 16_777_216>> = Field::default(
        "transitions",
        "65536",
        "TCP flows remembered that began while their slot was in transition. Beyond it the flows that were silent for the longest are forgotten.",
    );
    pub(crate) const RETURN_CLIENTS: Field<Integer<1, 16_777_216>> = Field::default(
        "return_clients",
        "262144",
        "Clients whose PoP a gateway remembers, for VIPs with `return = \"pop\"`; a client of two VIPs counts twice. Beyond it those that were silent for the longest are forgotten.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "limits",
        header: "[limits]",
        roles: Roles::Both,
        required: false,
        description: "What a file may hold. The kernel's tables are made for it, with room for an old state beside a new one while it changes. A change of them makes other tables beside those in use, and is for the next start or reread: nothing is lost.",
        fields: &[
            VIPS.spec,
            POOLS.spec,
            BACKENDS.spec,
            SLOTS.spec,
            GROUPS.spec,
            NEXT_HOPS.spec,
            LINKS.spec,
            LISTENER_SETS.spec,
            VIP_DROPS.spec,
            TRANSITIONS.spec,
            RETURN_CLIENTS.spec,
        ],
        sections: &[],
        name_key: "name",
    };
}
