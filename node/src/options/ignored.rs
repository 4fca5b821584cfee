//! Options of lightningd and of the plugins that come with it which change nothing here: they are accepted,
//! so that a command line for lightningd starts this node as well. What the node cannot do without being asked for it refuses.
//!
//! Most are about payments, gossip on the wire and subdaemons, which this node does not have.

use super::{Opt, Shape};

/// lightningd's own, in its order, with the values that they have on regtest.
pub(crate) const OWN: &[Opt] = &[
    Opt::refused("testnet", ONLY_REGTEST),
    Opt::refused("testnet4", ONLY_REGTEST),
    Opt::refused("signet", ONLY_REGTEST),
    Opt::refused("mainnet", ONLY_REGTEST),
    Opt::ignored("experimental-dual-fund", Shape::Flag),
    Opt::ignored("experimental-splicing", Shape::Flag),
    Opt::ignored("experimental-shutdown-wrong-funding", Shape::Flag),
    Opt::ignored("require-confirmed-inputs", Shape::Bool).default("false"),
    Opt::ignored("commit-time", Shape::Int).default("10"),
    Opt::ignored("announce-addr", Shape::Text).multi(),
    Opt::ignored("announce-addr-discovered", Shape::Text).default("auto"),
    Opt::ignored("announce-addr-discovered-port", Shape::Int).default("19846"),
    Opt::ignored("autolisten", Shape::Bool).default("false"),
    Opt::ignored("disable-dns", Shape::Flag),
    Opt::refused("encrypted-hsm", NO_PASSPHRASE).hidden(),
    Opt::refused("hsm-passphrase", NO_PASSPHRASE),
    Opt::ignored("rpc-file-mode", Shape::Text).default("0600"),
    Opt::ignored("commit-fee", Shape::Int).default("100"),
    Opt::ignored("commit-feerate-offset", Shape::Int).default("5"),
    Opt::ignored("min-emergency-msat", Shape::Msat).default("25000000"),
    Opt::ignored("subdaemon", Shape::Text).multi(),
    Opt::ignored("invoices-onchain-fallback", Shape::Flag),
    Opt::ignored("payment-fronting-node", Shape::Text).multi(),
    Opt::ignored("message-padding", Shape::Bool).default("false"),
    Opt::ignored("autoconnect-seeker-peers", Shape::Int).default("10"),
    Opt::ignored("database-upgrade", Shape::Bool),
    Opt::ignored("force-feerates", Shape::Text),
    Opt::ignored("tor-service-password", Shape::Text),
    Opt::ignored("experimental-peer-storage", Shape::Flag).hidden(),
    Opt::ignored("large-channels", Shape::Flag).hidden(),
    Opt::ignored("wumbo", Shape::Flag).hidden(),
    Opt::refused("list-features-only", ELSEWHERE).hidden(),
    Opt::refused("test-daemons-only", ELSEWHERE).hidden(),
    Opt::ignored("dev-allowdustreserve", Shape::Text),
    Opt::ignored("dev-crash-after", Shape::Int),
    Opt::ignored("dev-disable-commit-after", Shape::Int),
    Opt::ignored("dev-disconnect", Shape::Text),
    Opt::ignored("dev-fd-limit-multiplier", Shape::Int),
    Opt::ignored("dev-force-bip32-seed", Shape::Text),
    Opt::ignored("dev-force-channel-secrets", Shape::Text),
    Opt::ignored("dev-force-tmp-channel-id", Shape::Text),
    Opt::ignored("dev-max-fee-multiplier", Shape::Text),
    Opt::ignored("dev-max-funding-unconfirmed-blocks", Shape::Int),
    Opt::ignored("dev-onion-reply-length", Shape::Int),
    Opt::ignored("dev-save-plugin-io", Shape::Text),
    Opt::ignored("dev-timeout-secs", Shape::Int),
    Opt::ignored("dev-allow-shutdown-destination-change", Shape::Flag),
    Opt::ignored("dev-any-channel-type", Shape::Flag),
    Opt::ignored("dev-builtin-plugins-unimportant", Shape::Flag),
    Opt::ignored("dev-debug-self", Shape::Flag),
    Opt::ignored("dev-fail-on-subdaemon-fail", Shape::Flag),
    Opt::ignored("dev-fail-process-onionpacket", Shape::Flag),
    Opt::ignored("dev-fast-gossip", Shape::Flag),
    Opt::ignored("dev-fast-gossip-prune", Shape::Flag),
    Opt::ignored("dev-handshake-no-reply", Shape::Flag),
    Opt::ignored("dev-hsmd-fail-preapprove", Shape::Flag),
    Opt::ignored("dev-hsmd-no-preapprove-check", Shape::Flag),
    Opt::ignored("dev-keep-nagle", Shape::Flag),
    Opt::ignored("dev-limit-connections-inflight", Shape::Flag),
    Opt::ignored("dev-no-modern-onion", Shape::Flag),
    Opt::ignored("dev-no-ping-timer", Shape::Flag),
    Opt::ignored("dev-no-reconnect-private", Shape::Flag),
    Opt::ignored("dev-no-version-checks", Shape::Flag),
    Opt::ignored("dev-throttle-gossip", Shape::Flag),
    Opt::ignored("dev-warn-on-overgrind", Shape::Flag),
];

const ONLY_REGTEST: &str = "only regtest is there";
const ELSEWHERE: &str = "the embedded node cannot tell: a real lightningd can";
const NO_PASSPHRASE: &str = "a secret with a passphrase is not understood here";

/// Those of lightningd's plugins: the plugin, its options that need a value, and those that stand alone.
const OF_PLUGINS: &[(&str, &[&str], &[&str])] = &[
    (
        "autoclean",
        &[
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
        &[],
    ),
    (
        "bcli",
        &[
            "bitcoin-cli",
            "bitcoin-datadir",
            "bitcoin-retry-timeout",
            "bitcoin-rpcclienttimeout",
            "dev-ignore-ibd",
            "dev-no-fake-fees",
        ],
        &[],
    ),
    ("bookkeeper", &["bkpr-currency", "bookkeeper-db", "bookkeeper-dir"], &[]),
    ("bwatch", &["bwatch-poll-interval"], &["experimental-bwatch"]),
    ("cln-askrene", &["askrene-max-threads", "askrene-timeout"], &[]),
    ("cln-grpc", &["grpc-host", "grpc-port"], &[]),
    ("cln-renepay", &[], &["renepay-debug-mcf", "renepay-debug-payflow"]),
    ("cln-xpay", &["xpay-handle-pay", "xpay-slow-mode", "xpay-user-layer"], &["dev-xpay-no-age"]),
    ("exposesecret", &["exposesecret-passphrase"], &[]),
    (
        "funder",
        &[
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
        &[],
    ),
    ("offers", &["dev-invoice-internal-scid"], &["dev-invoice-bpath-scid", "fetchinvoice-noconnect"]),
    ("pay", &[], &["disable-mpp"]),
    ("sql", &["dev-sqlfilename", "dev-sqllistlimit"], &[]),
];

/// Whether the option `name` of a plugin of lightningd needs a value; `None` if none has it. They are free for others: a plugin that
/// takes the place of `bcli` has its options too.
pub(crate) fn needs_value(name: &str) -> Option<bool> {
    OF_PLUGINS.iter().find_map(|(_, with_value, alone)| {
        let needs = with_value.contains(&name);
        (needs || alone.contains(&name)).then_some(needs)
    })
}
