//! Sections about publishing.

/// `[publish]`
pub(crate) mod publish {
    use crate::config::{
        schema::{Field, Roles, Section},
        types::{InterfaceName, Span},
    };

    /// A day.
    const MAX_MS: u32 = 86_400_000;

    pub(crate) const INTERFACE: Field<InterfaceName> = Field::default(
        "interface",
        "\"axp0\"",
        "Interface that the routes lead to. The daemon makes it, a veth whose other end runs the probes' program.",
    );
    pub(crate) const GENERIC: Field<bool> = Field::default(
        "generic",
        "false",
        "Publish also where the program of an access interface ended up in generic mode without having been asked to. What has `attach = \"generic\"` is published in any case.",
    );
    pub(crate) const HOLD_DOWN: Field<Span<0, MAX_MS>> = Field::default(
        "hold_down",
        "\"10s\"",
        "A VIP that was withdrawn because it could not be served is published again at the earliest after it.",
    );
    pub(crate) const DRAIN_SIGNAL: Field<Span<0, MAX_MS>> = Field::default(
        "drain_signal",
        "\"5s\"",
        "How long a drain leaves routes with metric 200, which routers turn into GRACEFUL_SHUTDOWN (RFC 8326), before it withdraws them.",
    );
    pub(crate) const WITHDRAW_WITHOUT_DAEMON: Field<Span<1000, MAX_MS>> = Field::optional(
        "withdraw_without_daemon",
        "it never does for that",
        "`anycast-xdp watchdog` withdraws everything when there has been no daemon for so long.",
    );
    pub(crate) const SECTION: Section = Section {
        key: "publish",
        header: "[publish]",
        roles: Roles::Pop,
        required: false,
        description: "Publishing by kernel routes ([publishing.md](../publishing.md)). Without the section nothing is published.",
        fields: &[INTERFACE.spec, GENERIC.spec, HOLD_DOWN.spec, DRAIN_SIGNAL.spec, WITHDRAW_WITHOUT_DAEMON.spec],
        sections: &[],
        name_key: "name",
    };
}

/// `[[pop]]`
pub(crate) mod pop {
    use crate::config::{
        schema::{Field, Roles, Section},
        types::{Labels, Name, PopState},
    };

    pub(crate) const NAME: Field<Name> =
        Field::required("name", "Name of the PoP, as `[host] pop` of its hosts has it.");
    pub(crate) const STATE: Field<PopState> = Field::default(
        "state",
        "\"up\"",
        "`drain`: every host of the PoP withdraws what it publishes, after it told its routers (`drain_signal`).",
    );
    pub(crate) const LABELS: Field<Labels> =
        Field::optional("labels", "none", "`key = \"value\"` pairs to choose objects by.");
    pub(crate) const SECTION: Section = Section {
        key: "pop",
        header: "[[pop]]",
        roles: Roles::Both,
        required: false,
        description: "A PoP of which there is something to say. One that has no such object is up.",
        fields: &[NAME.spec, STATE.spec, LABELS.spec],
        sections: &[],
        name_key: "name",
    };
}
