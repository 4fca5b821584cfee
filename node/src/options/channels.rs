//! The options about channels, their fees and limits (`lightningd/options.c:register_opts`).

use super::own::number;
use super::{Opt, Shape};
use crate::command::amount::parse_msat;
use crate::config::channels::Reconnect;
use leyden_protocol::option::boolean;

/// In the order in which `listconfigs` and `--help` have them.
pub(crate) const OPTIONS: &[Opt] = &[
    Opt::value("ignore-fee-limits", "let peers choose any fee", Shape::Bool, |config, value| {
        config.channels.ignore_fee_limits = boolean(value)?;
        Ok(())
    })
    .shown(|config| Some(config.channels.ignore_fee_limits.to_string())),
    Opt::value(
        "watchtime-blocks",
        "blocks that a peer has to wait for its money",
        Shape::Int,
        |config, value| {
            config.channels.to_self_delay = number(value)?;
            Ok(())
        },
    )
    .shown(|config| Some(config.channels.to_self_delay.to_string())),
    Opt::value("funding-confirms", "confirmations of a funding transaction", Shape::Int, |config, value| {
        config.channels.funding_confirms = number(value)?;
        Ok(())
    })
    .shown(|config| Some(config.channels.funding_confirms.to_string())),
    Opt::value(
        "cltv-delta",
        "blocks between the ends of two HTLCs of a forward",
        Shape::Int,
        |config, value| {
            config.channels.cltv_delta = number(value)?;
            Ok(())
        },
    )
    .shown(|config| Some(config.channels.cltv_delta.to_string())),
    Opt::value(
        "cltv-final",
        "blocks that the last HTLC of a payment has left",
        Shape::Int,
        |config, value| {
            config.channels.cltv_final = number(value)?;
            Ok(())
        },
    )
    .shown(|config| Some(config.channels.cltv_final.to_string())),
    Opt::value("fee-base", "msat for each HTLC that is forwarded", Shape::Int, |config, value| {
        config.channels.fee_base_msat = number(value)?;
        Ok(())
    })
    .shown(|config| Some(config.channels.fee_base_msat.to_string())),
    Opt::value(
        "rescan",
        "how many known blocks to look at again; -N begins at height N",
        Shape::Int,
        |config, value| {
            config.rescan = number(value)?;
            Ok(())
        },
    )
    .shown(|config| Some(config.rescan.to_string())),
    Opt::value(
        "fee-per-satoshi",
        "millionths of each HTLC that is forwarded",
        Shape::Int,
        |config, value| {
            config.channels.fee_proportional_millionths = number(value)?;
            Ok(())
        },
    )
    .shown(|config| Some(config.channels.fee_proportional_millionths.to_string())),
    Opt::value("htlc-minimum-msat", "the smallest HTLC of new channels", Shape::Msat, |config, value| {
        config.channels.htlc_minimum_msat = msat(value)?;
        Ok(())
    })
    .shown(|config| Some(config.channels.htlc_minimum_msat.to_string())),
    Opt::value("htlc-maximum-msat", "the largest HTLC of new channels", Shape::Msat, |config, value| {
        config.channels.htlc_maximum_msat = msat(value)?;
        Ok(())
    })
    .shown(|config| Some(config.channels.htlc_maximum_msat.to_string())),
    Opt::value(
        "max-concurrent-htlcs",
        "how many HTLCs a peer may offer at a time",
        Shape::Int,
        |config, value| {
            config.channels.max_concurrent_htlcs = number(value)?;
            Ok(())
        },
    )
    .shown(|config| Some(config.channels.max_concurrent_htlcs.to_string())),
    Opt::value(
        "max-dust-htlc-exposure-msat",
        "what HTLCs too small for an output may come to",
        Shape::Msat,
        |config, value| {
            config.channels.max_dust_htlc_exposure_msat = msat(value)?;
            Ok(())
        },
    )
    .shown(|config| Some(config.channels.max_dust_htlc_exposure_msat.to_string())),
    Opt::value("min-capacity-sat", "the smallest channel to take", Shape::Int, |config, value| {
        config.min_capacity_sat = number(value)?;
        Ok(())
    })
    .dynamic()
    .shown(|config| Some(config.min_capacity_sat.to_string())),
    Opt::value(
        "dev-low-prio-anchor-blocks",
        "how long a unilateral close without HTLCs may take, in blocks",
        Shape::Int,
        |config, value| {
            config.channels.low_prio_anchor_blocks = number(value)?;
            Ok(())
        },
    ),
    Opt::flag("dev-no-htlc-timeout", "give peers any time to commit to an HTLC", |config| {
        config.channels.no_htlc_timeout = true;
    }),
    Opt::flag("dev-strict-forwarding", "forward over no other channel than was asked for", |config| {
        config.channels.strict_forwarding = true;
    }),
    Opt::flag("dev-no-reconnect", "leave it to peers with channels to connect again", |config| {
        config.channels.reconnect = Reconnect::Never;
    }),
    Opt::flag(
        "dev-fast-reconnect",
        "never wait longer than three seconds before dialling a peer with channels again",
        |config| {
            config.channels.reconnect = Reconnect::Fast;
        },
    ),
];

pub(super) fn msat(value: &str) -> Result<u64, String> {
    parse_msat(value).ok_or_else(|| format!("Unable to parse millisatoshi amount '{value}'"))
}
