//! Options of lightningd and of the plugins that come with it which change nothing here: they are accepted,
//! so that a command line for lightningd starts this node as well.
//!
//! Most are about payments, gossip on the wire and subdaemons, which this node does not have.

/// Options that one program registers.
struct Ignored {
    /// `lightningd`, or the plugin that comes with it.
    owner: &'static str,
    /// They need a value.
    with_value: &'static [&'static str],
    /// They stand alone.
    alone: &'static [&'static str],
}

/// Who else has options.
const LIGHTNINGD: &str = "lightningd";

const IGNORED: &[Ignored] = &[
    Ignored {
        owner: LIGHTNINGD,
        with_value: &[
            "announce-addr",
            "announce-addr-discovered",
            "announce-addr-discovered-port",
            "autoconnect-seeker-peers",
            "autolisten",
            "commit-fee",
            "commit-feerate-offset",
            "commit-time",
            "database-upgrade",
            "dev-allowdustreserve",
            "dev-crash-after",
            "dev-disable-commit-after",
            "dev-disconnect",
            "dev-fd-limit-multiplier",
            "dev-force-bip32-seed",
            "dev-force-channel-secrets",
            "dev-force-tmp-channel-id",
            "dev-max-fee-multiplier",
            "dev-max-funding-unconfirmed-blocks",
            "dev-onion-reply-length",
            "dev-save-plugin-io",
            "dev-timeout-secs",
            "force-feerates",
            "max-dust-htlc-exposure-msat",
            "message-padding",
            "min-emergency-msat",
            "payment-fronting-node",
            "require-confirmed-inputs",
            "subdaemon",
            "tor-service-password",
        ],
        alone: &[
            "dev-allow-shutdown-destination-change",
            "dev-any-channel-type",
            "dev-builtin-plugins-unimportant",
            "dev-debug-self",
            "dev-fail-on-subdaemon-fail",
            "dev-fail-process-onionpacket",
            "dev-fast-gossip",
            "dev-fast-gossip-prune",
            "dev-handshake-no-reply",
            "dev-hsmd-fail-preapprove",
            "dev-hsmd-no-preapprove-check",
            "dev-keep-nagle",
            "dev-limit-connections-inflight",
            "dev-no-htlc-timeout",
            "dev-no-modern-onion",
            "dev-no-ping-timer",
            "dev-no-reconnect-private",
            "dev-no-version-checks",
            "dev-strict-forwarding",
            "dev-throttle-gossip",
            "dev-warn-on-overgrind",
            "disable-dns",
            "experimental-dual-fund",
            "experimental-peer-storage",
            "experimental-shutdown-wrong-funding",
            "experimental-splicing",
            "invoices-onchain-fallback",
            "large-channels",
            "wumbo",
        ],
    },
    Ignored {
        owner: "autoclean",
        with_value: &[
            "autoclean-cycle",
            "autoclean-expiredinvoices-age",
            "autoclean-failedforwards-age",
            "autoclean-failedpays-age",
            "autoclean-networkevents-age",
            "autoclean-paidinvoices-age",
            "autoclean-succeededforwards-age",
            "autoclean-succeededpays-age",
            "dev-autoclean-max-batch",
        ],
        alone: &[],
    },
    Ignored {
        owner: "bcli",
        with_value: &[
            "bitcoin-cli",
            "bitcoin-datadir",
            "bitcoin-retry-timeout",
            "bitcoin-rpcclienttimeout",
            "dev-ignore-ibd",
            "dev-no-fake-fees",
        ],
        alone: &[],
    },
    Ignored {
        owner: "bookkeeper",
        with_value: &["bkpr-currency", "bookkeeper-db", "bookkeeper-dir"],
        alone: &[],
    },
    Ignored { owner: "bwatch", with_value: &["bwatch-poll-interval"], alone: &["experimental-bwatch"] },
    Ignored { owner: "cln-askrene", with_value: &["askrene-max-threads", "askrene-timeout"], alone: &[] },
    Ignored { owner: "cln-grpc", with_value: &["grpc-host", "grpc-port"], alone: &[] },
    Ignored { owner: "cln-renepay", with_value: &[], alone: &["renepay-debug-mcf", "renepay-debug-payflow"] },
    Ignored {
        owner: "cln-xpay",
        with_value: &["xpay-handle-pay", "xpay-slow-mode", "xpay-user-layer"],
        alone: &["dev-xpay-no-age"],
    },
    Ignored { owner: "exposesecret", with_value: &["exposesecret-passphrase"], alone: &[] },
    Ignored {
        owner: "funder",
        with_value: &[
            "channel-fee-max-base-msat",
            "channel-fee-max-proportional-thousandths",
            "funder-fund-probability",
            "funder-fuzz-percent",
            "funder-lease-requests-only",
            "funder-max-their-funding",
            "funder-min-their-funding",
            "funder-per-channel-max",
            "funder-per-channel-min",
            "funder-policy",
            "funder-policy-mod",
            "funder-reserve-tank",
            "lease-fee-base-sat",
            "lease-fee-basis",
            "lease-funding-weight",
        ],
        alone: &[],
    },
    Ignored {
        owner: "offers",
        with_value: &["dev-invoice-internal-scid"],
        alone: &["dev-invoice-bpath-scid", "fetchinvoice-noconnect"],
    },
    Ignored { owner: "pay", with_value: &[], alone: &["disable-mpp"] },
    Ignored { owner: "sql", with_value: &["dev-sqlfilename", "dev-sqllistlimit"], alone: &[] },
];

/// Whether the option `name` needs a value; `None` if nobody ignores it.
pub(crate) fn needs_value(name: &str) -> Option<bool> {
    let of = |names: fn(&Ignored) -> &[&'static str]| IGNORED.iter().any(|all| names(all).contains(&name));
    if of(|all| all.with_value) {
        Some(true)
    } else if of(|all| all.alone) {
        Some(false)
    } else {
        None
    }
}

/// Whether `name` is an ignored option of lightningd itself. Those of its plugins are free for others: a
/// plugin that takes the place of `bcli` has its options too.
pub(crate) fn is_lightningds(name: &str) -> bool {
    let own = IGNORED.iter().filter(|all| all.owner == LIGHTNINGD);
    own.flat_map(|all| all.with_value.iter().chain(all.alone)).any(|own| *own == name)
}
