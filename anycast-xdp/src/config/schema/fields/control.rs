//! Sections about how services are kept, changed and watched.

/// `[store]`
pub(crate) mod store {
    use crate::config::{
        schema::{Field, Roles, Section},
        types::{AbsolutePath, Integer},
    };

    pub(crate) const PATH: Field<AbsolutePath> = Field::optional(
        "path",
        "`/var/lib/anycast-xdp/INSTANCE.db`",
        "SQLite file of the services, made at the first start. Its directory is made, too.",
    );
    pub(crate) const REVISIONS: Field<Integer<2, 1_000_000>> =
        Field::default("revisions", "1000", "Revisions that are kept for `history`, `diff` and `rollback`.");
    pub(crate) const SECTION: Section = Section {
        key: "store",
        header: "[store]",
        roles: Roles::Both,
        required: false,
        description: "Where services are that do not stand in this file. A file with `[[prefix]]`, `[[pool]]` or `[[vip]]` has no use for it.",
        fields: &[PATH.spec, REVISIONS.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[api]`
pub(crate) mod api {
    use crate::config::{
        schema::{Field, Roles, Section},
        types::GroupName,
    };

    pub(crate) const GROUP: Field<GroupName> = Field::optional(
        "group",
        "that of the daemon",
        "Group whose members may read and change services: the group of the socket `/run/anycast-xdp/INSTANCE/api.sock`, which has mode 0660.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "api",
        header: "[api]",
        roles: Roles::Both,
        required: false,
        description: "The API of the daemon.",
        fields: &[GROUP.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[metrics]`
pub(crate) mod metrics {
    use std::net::SocketAddr;

    use crate::config::{
        schema::{Field, Roles, Section},
        types::Integer,
    };

    pub(crate) const LISTEN: Field<SocketAddr> = Field::required(
        "listen",
        "Address and port of `/metrics`, by HTTP and without authentication: an address that only the monitoring reaches.",
    );
    pub(crate) const TOP_VIPS: Field<Integer<0, 100_000>> = Field::default(
        "top_vips",
        "100",
        "How many VIPs without labels have series of their own: those with the most bytes. The others are one sum.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "metrics",
        header: "[metrics]",
        roles: Roles::Both,
        required: false,
        description: "Metrics for Prometheus. Without it there are none, but for those of the API's socket (`GET /metrics`).",
        fields: &[LISTEN.spec, TOP_VIPS.spec],
        sections: &[],
        name_key: "name",
    };
}
