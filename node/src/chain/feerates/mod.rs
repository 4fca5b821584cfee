//! Fees: what the backend's estimates come to, and the command `feerates` (`lightningd/chaintopology.c`).
//!
//! | module | subject |
//! |---|---|
//! | [`ranges`] | releases since v23.05: estimates by number of blocks |
//! | [`named`] | releases before: estimates by what they are for |
//! | [`param`] | feerates as clients write them, `parsefeerate` |

mod named;
pub(crate) mod param;
mod ranges;
mod weight;

use super::answer::Estimates;
use super::bitcoind::Question;
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::event::LogLevel;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::message::RpcError;
use named::Named;
use ranges::Ranges;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The least that any node relays, in sat per kw (`FEERATE_FLOOR`).
const FLOOR: u32 = 253;

/// How many estimates are remembered, for the extremes (`FEE_HISTORY_NUM`).
const HISTORY: usize = 3;

/// What `feerates` warns of.
const UNAVAILABLE: &str = "Some fee estimates unavailable: bitcoind startup?";

/// What is known of fees. Which of the two is used depends on the release.
#[derive(Default)]
pub(crate) struct Feerates {
    ranges: Ranges,
    named: Named,
}

/// What a rate is for (`chaintopology.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The funding transaction of a channel, and other transactions of the wallet.
    Opening,
    MutualClose,
    /// Commitment transactions of channels without anchors.
    UnilateralClose,
    /// Commitment transactions of channels with anchors.
    AnchorClose,
    /// HTLCs of a commitment transaction on the chain.
    HtlcResolution,
    Penalty,
}

/// Lines to be logged.
type Log = Vec<(LogLevel, String)>;

/// A polled rate, smoothed such that two minutes make up 90 per cent, whatever the pace of polls.
fn smoothed(polled: u32, old: u32, poll: Duration) -> u32 {
    let alpha = 1.0 - 0.1_f64.powf(poll.as_secs_f64() / 120.0);
    // lightningd cuts the rest off as well.
    (f64::from(polled) * alpha + f64::from(old) * (1.0 - alpha)) as u32
}

/// Whether smoothing is worth it: below a tenth, rates would be updated for ever.
fn differs(polled: u32, smooth: u32) -> bool {
    f64::from(polled.abs_diff(smooth)) > 0.1 * f64::from(polled)
}

/// The fee of a transaction of this weight, in sat.
fn fee(rate: u32, weight: u64) -> u64 {
    u64::from(rate) * weight / 1000
}

/// Satoshi per 1000 bytes, as 1000 weight units; never rounded down to nothing.
fn from_kvb(rate: u32) -> u32 {
    rate.saturating_add(3) / 4
}

/// The unit that a client wants.
#[derive(Clone, Copy)]
enum Style {
    PerKw,
    PerKb,
}

impl Style {
    fn name(self) -> &'static str {
        match self {
            Self::PerKw => "perkw",
            Self::PerKb => "perkb",
        }
    }

    /// A rate in sat per kw in this unit.
    fn of(self, rate: u32) -> u32 {
        match self {
            Self::PerKw => rate,
            Self::PerKb => rate.saturating_mul(4),
        }
    }

    /// Those rates that are known.
    fn of_known<'a>(self, rates: impl IntoIterator<Item = (&'a str, Option<u32>)>) -> Map<String, Value> {
        let known =
            rates.into_iter().filter_map(|(name, rate)| Some((name.to_owned(), self.of(rate?).into())));
        known.collect()
    }
}

/// The result of `feerates`; without `onchain`, the fees of typical transactions, something is unknown.
fn report(style: Style, rates: Map<String, Value>, onchain: Option<Value>) -> Value {
    let mut report = json!({});
    if onchain.is_none() {
        report["warning_missing_feerates"] = UNAVAILABLE.into();
    }
    report[style.name()] = rates.into();
    if let Some(onchain) = onchain {
        report["onchain_fee_estimates"] = onchain;
    }
    report
}

impl State {
    /// The rate for this, in sat per kw, if it is known.
    pub(crate) fn feerate(&self, purpose: Purpose) -> Option<u32> {
        if self.profile.estimates_fees_by_name() {
            self.feerates.named.rate(purpose)
        } else {
            self.feerates.ranges.rate(purpose)
        }
    }

    /// The rate to be in one of the next `blocks` blocks, in sat per kw, if it is known.
    pub(crate) fn feerate_for_deadline(&self, blocks: u32) -> Option<u32> {
        if self.profile.estimates_fees_by_name() {
            self.feerates.named.for_deadline(blocks)
        } else {
            self.feerates.ranges.for_deadline(blocks)
        }
    }

    /// The rate to be in a block before it is too late, in sat per kw (`feerate_for_target`).
    pub(crate) fn feerate_for_target(&self, deadline: u32) -> u32 {
        let known = match deadline.checked_sub(self.topology.height()) {
            Some(201..) => return FLOOR,
            Some(101..) => return self.feerate_floor(),
            Some(blocks) => self.feerate_for_deadline(blocks),
            None => self.feerate_for_deadline(1),
        };
        known.unwrap_or(0).max(self.feerate_floor())
    }

    /// The least that gets a transaction relayed, in sat per kw.
    pub(crate) fn feerate_floor(&self) -> u32 {
        self.feerates.ranges.floor().max(FLOOR)
    }

    /// From which rate to which a peer may choose, in sat per kw; without `--ignore-fee-limits`.
    pub(crate) fn feerate_limits(&self) -> (u32, u32) {
        if self.profile.estimates_fees_by_name() {
            self.feerates.named.limits()
        } else {
            self.feerates.ranges.limits()
        }
    }

    /// Asks for estimates.
    pub(crate) fn poll_fees(&mut self) {
        self.ask_once(Question::Estimates);
    }

    /// The backend has estimated fees, or said that it cannot.
    pub(crate) fn update_fees(&mut self, estimates: &Estimates) {
        let poll = self.config.bitcoind_poll;
        let log = match estimates {
            Estimates::Ranges { floor, rates } => self.feerates.ranges.update(*floor, rates, poll),
            Estimates::Named(rates) => self.feerates.named.update(rates, poll),
        };
        for (level, text) in log {
            self.log_main(level, &text);
        }
        self.update_channel_fees();
    }
}

/// `feerates style`.
pub(crate) struct Report(Style);

impl Command for Report {
    const NAME: &'static str = "feerates";
    const TAKES: &'static [Shape] = &[Shape::required("style")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self(match params.string("style")?.as_str() {
            "perkw" => Style::PerKw,
            "perkb" => Style::PerKb,
            _ => {
                let given = params.required_raw("style")?;
                return Err(invalid(format!("'style' should be 'perkw' or 'perkb', not '{given}'")));
            }
        }))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let report = if node.profile.estimates_fees_by_name() {
            node.feerates.named.report(self.0)
        } else {
            node.feerates.ranges.report(self.0)
        };
        node.reply(&request.client, &report);
        Ok(())
    }
}
