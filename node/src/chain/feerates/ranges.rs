//! Fees since v23.05: estimates by number of blocks, and what lies between them.

use super::weight;
use super::{FLOOR, HISTORY, Log, Purpose, Style, differs, fee, from_kvb, report, smoothed};
use crate::chain::answer::Estimate;
use crate::event::LogLevel;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// The commitment transactions of channels with anchors need at least this much, in sat per kw.
const ANCHOR_FLOOR: u32 = 1250;
/// `--max-fee-multiplier`.
const MAX_MULTIPLIER: u32 = 10;
/// `--feerate-offset` on regtest, in sat per kw.
const OFFSET: u32 = 5;
/// What is known of fees, in sat per kw.
#[derive(Default)]
pub(super) struct Ranges {
    floor: u32,
    /// Newest first.
    history: VecDeque<Vec<Estimate>>,
    smoothed: Vec<Estimate>,
}

impl Ranges {
    fn newest(&self) -> &[Estimate] {
        self.history.front().map_or(&[], Vec::as_slice)
    }

    /// The rate to be in a block in time, if it is known.
    pub(super) fn for_deadline(&self, blocks: u32) -> Option<u32> {
        interpolate(self.newest(), blocks).map(|rate| rate.max(self.floor))
    }

    fn smoothed_for_deadline(&self, blocks: u32) -> Option<u32> {
        interpolate(&self.smoothed, blocks)
    }

    /// What the backend accepts at least; 0 if it has not said yet.
    pub(super) fn floor(&self) -> u32 {
        self.floor
    }

    /// The rate for this, if it is known.
    pub(super) fn rate(&self, purpose: Purpose) -> Option<u32> {
        match purpose {
            Purpose::Opening => self.opening(),
            Purpose::MutualClose => self.mutual_close(),
            Purpose::UnilateralClose => self.unilateral_close(),
            Purpose::AnchorClose => self.anchor_close(),
            Purpose::HtlcResolution => self.smoothed_for_deadline(6),
            Purpose::Penalty => self.penalty(),
        }
    }

    /// The least and the most that a peer may want.
    pub(super) fn limits(&self) -> (u32, u32) {
        (self.min(), self.max())
    }

    fn opening(&self) -> Option<u32> {
        self.for_deadline(12)
    }

    fn mutual_close(&self) -> Option<u32> {
        self.smoothed_for_deadline(100)
    }

    fn unilateral_close(&self) -> Option<u32> {
        self.smoothed_for_deadline(6)
    }

    fn anchor_close(&self) -> Option<u32> {
        self.for_deadline(100).map(|rate| rate.max(ANCHOR_FLOOR))
    }

    fn penalty(&self) -> Option<u32> {
        self.smoothed_for_deadline(12)
    }

    fn splice(&self) -> Option<u32> {
        self.opening().map(|rate| (rate + OFFSET).min(self.max()))
    }

    fn remembered(&self) -> impl Iterator<Item = u32> {
        self.history.iter().flatten().map(|estimate| estimate.rate)
    }

    /// The least that a peer may want.
    fn min(&self) -> u32 {
        (self.remembered().min().unwrap_or(0) / 2).max(self.floor)
    }

    /// The most that a peer may want.
    fn max(&self) -> u32 {
        self.remembered().max().map_or(u32::MAX, |rate| rate.saturating_mul(MAX_MULTIPLIER))
    }

    /// Takes new estimates, in sat per kVB, in. Gives what lightningd logs about it.
    pub(super) fn update(&mut self, floor: u32, estimates: &[Estimate], poll: Duration) -> Log {
        self.floor = from_kvb(floor).max(FLOOR);
        let mut log = Vec::new();
        let mut rates = falling(estimates, &mut log);
        if rates.is_empty() {
            log.push((LogLevel::Debug, "Unable to estimate any fees".to_owned()));
            // Old ones are better than none.
            return log;
        }
        for estimate in &mut rates {
            estimate.rate = from_kvb(estimate.rate).max(self.floor);
        }
        if let Some(difference) = self.other_blocks(&rates) {
            log.push((LogLevel::Unusual, difference));
            *self = Self { floor: self.floor, ..Self::default() };
        }
        let mut smoothed = rates.clone();
        for estimate in smoothed.iter_mut().filter(|_| !self.smoothed.is_empty()) {
            log.extend(self.smooth(estimate, poll).map(|text| (LogLevel::Debug, text)));
        }
        self.smoothed = smoothed;
        self.history.push_front(rates);
        self.history.truncate(HISTORY);
        log
    }

    /// In what the new estimates are for other times than the last ones.
    fn other_blocks(&self, rates: &[Estimate]) -> Option<String> {
        let old = self.history.front()?;
        if old.len() != rates.len() {
            let (now, was) = (rates.len(), old.len());
            return Some(format!("Presented with {now} feerates this time (was {was}!)"));
        }
        let (old, new) = old.iter().zip(rates).find(|(old, new)| old.blocks != new.blocks)?;
        let (now, was) = (new.blocks, old.blocks);
        Some(format!("Presented with feerates for blockcount {now}, previously {was}"))
    }

    fn smooth(&self, estimate: &mut Estimate, poll: Duration) -> Option<String> {
        let old = self.smoothed_for_deadline(estimate.blocks)?;
        let smooth = smoothed(estimate.rate, old, poll);
        if differs(estimate.rate, smooth) {
            estimate.rate = smooth;
        }
        estimate.rate = estimate.rate.max(self.floor);
        let Estimate { blocks, rate } = estimate;
        (*rate != smooth)
            .then(|| format!("Feerate estimate for {blocks} blocks set to {rate} (was {smooth})"))
    }

    /// The result of `feerates`.
    pub(super) fn report(&self, style: Style) -> Value {
        let mut rates = style.of_known([
            ("opening", self.opening()),
            ("mutual_close", self.mutual_close()),
            ("unilateral_close", self.unilateral_close()),
            ("unilateral_anchor_close", self.anchor_close()),
            ("penalty", self.penalty()),
            ("splice", self.splice()),
            ("min_acceptable", Some(self.min())),
            ("max_acceptable", Some(self.max())),
            ("floor", Some(self.floor)),
        ]);
        let estimate = |(newest, smoothed): (&Estimate, &Estimate)| {
            json!({
                "blockcount": newest.blocks,
                "feerate": style.of(newest.rate),
                "smoothed_feerate": style.of(smoothed.rate),
            })
        };
        let estimates = self.newest().iter().zip(&self.smoothed).map(estimate).collect();
        rates.insert("estimates".to_owned(), estimates);
        let is_known = !self.newest().is_empty();
        report(style, rates, is_known.then(|| self.typical_fees()))
    }

    /// The fees of typical transactions, in sat.
    fn typical_fees(&self) -> Value {
        let fee = |rate: Option<u32>, weight: u64| fee(rate.unwrap_or(0), weight);
        let htlc_resolution = self.rate(Purpose::HtlcResolution);
        json!({
            "opening_channel_satoshis": fee(self.opening(), weight::OPENING),
            "mutual_close_satoshis": fee(self.mutual_close(), weight::MUTUAL_CLOSE),
            "unilateral_close_satoshis": fee(self.anchor_close(), weight::ANCHOR_COMMITMENT),
            "unilateral_close_nonanchor_satoshis": fee(self.unilateral_close(), weight::COMMITMENT),
            "htlc_timeout_satoshis": fee(htlc_resolution, weight::HTLC_TIMEOUT),
            "htlc_success_satoshis": fee(htlc_resolution, weight::HTLC_SUCCESS),
        })
    }
}

/// Who waits longer does not pay more: rates that rise with the blocks are cut.
fn falling(estimates: &[Estimate], log: &mut Log) -> Vec<Estimate> {
    let mut rates: Vec<Estimate> = Vec::new();
    for estimate in estimates {
        let Estimate { blocks, rate } = *estimate;
        let lower = rates.last().filter(|last| rate > last.rate).copied();
        if let Some(Estimate { blocks: sooner, rate: lower }) = lower {
            let text =
                format!("Feerate for {blocks} blocks ({rate}) is > rate for {sooner} blocks ({lower})!");
            log.push((LogLevel::Unusual, text));
        }
        rates.push(Estimate { blocks, rate: lower.map_or(rate, |lower| lower.rate) });
    }
    rates
}

/// The rate for a number of blocks, between those that are known; never beyond them, and never upwards.
fn interpolate(rates: &[Estimate], blocks: u32) -> Option<u32> {
    let before = rates.iter().rev().find(|estimate| estimate.blocks <= blocks);
    let after = rates.iter().find(|estimate| estimate.blocks > blocks);
    match (before, after) {
        (Some(before), Some(after)) if before.rate >= after.rate => {
            let gone = u64::from(blocks - before.blocks) * u64::from(before.rate - after.rate);
            let drop = gone / u64::from(after.blocks - before.blocks);
            Some(before.rate - u32::try_from(drop).expect("it is a part of a difference of rates"))
        }
        (Some(before), _) => Some(before.rate),
        (None, after) => after.map(|after| after.rate),
    }
}
