//! The sections and fields of a configuration file. A test holds the defaults of `[limits]` to those of the code.

mod control;
pub(crate) mod health;
pub(crate) mod icmp;
mod local;
mod publishing;
mod services;

pub(crate) use self::{
    control::{api, metrics, store},
    local::{gateway, hash, host, interface, limits, transition, tunnel},
    publishing::{pop, publish},
    services::{backend, pool, prefix, vip},
};

/// The top of the file.
pub(crate) mod root {
    use super::{
        api, gateway, hash, health, host, icmp, interface, limits, metrics, pool, pop, prefix, publish, store,
        transition, tunnel, vip,
    };
    use crate::config::{
        schema::{Field, Roles, Section},
        types::{Name, RoleName},
    };

    pub(crate) const ROLE: Field<RoleName> = Field::required(
        "role",
        "What this host does: `pop` takes VIP packets in and encapsulates them, `gateway` decapsulates them in the home region.",
    );
    pub(crate) const INSTANCE: Field<Name> = Field::default(
        "instance",
        "\"default\"",
        "Names the pinned state and the lock of this daemon, so that several can run on one machine. `--instance` of the other commands selects it.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "",
        header: "",
        roles: Roles::Both,
        required: true,
        description: "Keys at the top of the file, before any section.",
        fields: &[ROLE.spec, INSTANCE.spec],
        sections: &[
            host::SECTION,
            hash::SECTION,
            tunnel::SECTION,
            icmp::SECTION,
            transition::SECTION,
            health::host::SECTION,
            publish::SECTION,
            gateway::SECTION,
            interface::SECTION,
            limits::SECTION,
            store::SECTION,
            api::SECTION,
            metrics::SECTION,
            pop::SECTION,
            prefix::SECTION,
            pool::SECTION,
            vip::SECTION,
        ],
        name_key: "name",
    };
}

/// The top of a file of services alone.
pub(crate) mod services_root {
    use super::{pool, pop, prefix, vip};
    use crate::config::schema::{Roles, Section};

    pub(crate) const SECTION: Section = Section {
        key: "",
        header: "",
        roles: Roles::Both,
        required: true,
        description: "A file of services has sections only.",
        fields: &[],
        sections: &[pop::SECTION, prefix::SECTION, pool::SECTION, vip::SECTION],
        name_key: "name",
    };
}
