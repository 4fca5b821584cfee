//! Fees before v23.05: the backend names each by what it is for (`v0.10.1:lightningd/chaintopology.c`).

use super::weight;
use super::{FLOOR, HISTORY, Log, Purpose, Style, differs, fee, from_kvb, report, smoothed};
use crate::chain::answer::FEERATE_NAMES;
use crate::event::LogLevel;
use serde_json::{Value, json};
use std::time::Duration;

/// Where in [`FEERATE_NAMES`] are those that are used here.
const OPENING: usize = 0;
const MUTUAL_CLOSE: usize = 1;
const UNILATERAL_CLOSE: usize = 2;
const HTLC_RESOLUTION: usize = 4;
const PENALTY: usize = 5;
const MIN: usize = 6;
const MAX: usize = 7;

/// What is known of fees, in sat per kw, in the order of their names; 0 is unknown.
#[derive(Default)]
pub(super) struct Named {
    smoothed: [u32; 8],
    /// What was polled, newest first.
    history: [[u32; HISTORY]; 8],
}

impl Named {
    /// Takes new estimates, in sat per kVB, in. Gives what lightningd logs about it.
    pub(super) fn update(&mut self, rates: &[Option<u32>; 8], poll: Duration) -> Log {
        let mut log = Vec::new();
        for (place, (name, rate)) in FEERATE_NAMES.into_iter().zip(rates).enumerate() {
            match rate.map(from_kvb) {
                None => log.push(format!("Unable to estimate {name} fees")),
                Some(0) => {}
                Some(polled) => log.extend(self.update_one(place, name, polled, poll)),
            }
        }
        log.into_iter().map(|text| (LogLevel::Debug, text)).collect()
    }

    fn update_one(&mut self, place: usize, name: &str, polled: u32, poll: Duration) -> Vec<String> {
        let mut log = Vec::new();
        let was = self.smoothed[place];
        let old = if was == 0 {
            log.push(format!("Smoothed feerate estimate for {name} initialized to polled estimate {polled}"));
            self.history[place] = [polled; HISTORY];
            polled
        } else {
            self.history[place].rotate_right(1);
            self.history[place][0] = polled;
            was
        };
        let smooth = smoothed(polled, old, poll);
        let rate = if differs(polled, smooth) { smooth } else { polled };
        let rate = rate.max(FLOOR);
        if rate != was {
            log.push(format!("Feerate estimate for {name} set to {rate} (was {was})"));
        }
        self.smoothed[place] = rate;
        log
    }

    /// The rate for this, if it is known.
    pub(super) fn rate(&self, purpose: Purpose) -> Option<u32> {
        self.known(match purpose {
            Purpose::Opening => OPENING,
            Purpose::MutualClose => MUTUAL_CLOSE,
            Purpose::UnilateralClose | Purpose::AnchorClose => UNILATERAL_CLOSE,
            Purpose::HtlcResolution => HTLC_RESOLUTION,
            Purpose::Penalty => PENALTY,
        })
    }

    /// The rate to be in a block in time: the name that is nearest.
    pub(super) fn for_deadline(&self, blocks: u32) -> Option<u32> {
        self.known(match blocks {
            0..=6 => UNILATERAL_CLOSE,
            7..=12 => OPENING,
            _ => MUTUAL_CLOSE,
        })
    }

    fn known(&self, place: usize) -> Option<u32> {
        Some(self.smoothed[place]).filter(|rate| *rate > 0)
    }

    /// The least and the most that a peer may want.
    pub(super) fn limits(&self) -> (u32, u32) {
        (self.min(), self.max())
    }

    fn min(&self) -> u32 {
        let extreme = self.history[MIN].into_iter().fold(self.smoothed[MIN], u32::min);
        extreme.max(FLOOR)
    }

    fn max(&self) -> u32 {
        match self.smoothed[MAX] {
            0 => u32::MAX,
            known => self.history[MAX].into_iter().fold(known, u32::max),
        }
    }

    /// The result of `feerates`.
    pub(super) fn report(&self, style: Style) -> Value {
        let named = (0..MIN).map(|place| (FEERATE_NAMES[place], self.known(place)));
        let limits = [(FEERATE_NAMES[MIN], Some(self.min())), (FEERATE_NAMES[MAX], Some(self.max()))];
        let fee_of = |place: usize, weight: u64| fee(self.smoothed[place], weight);
        let onchain = self.smoothed.iter().all(|rate| *rate > 0).then(|| {
            json!({
                "opening_channel_satoshis": fee_of(OPENING, weight::OPENING),
                "mutual_close_satoshis": fee_of(MUTUAL_CLOSE, weight::MUTUAL_CLOSE),
                "unilateral_close_satoshis": fee_of(UNILATERAL_CLOSE, weight::COMMITMENT),
                "htlc_timeout_satoshis": fee_of(HTLC_RESOLUTION, weight::HTLC_TIMEOUT),
                "htlc_success_satoshis": fee_of(HTLC_RESOLUTION, weight::HTLC_SUCCESS),
            })
        });
        report(style, style.of_known(named.chain(limits)), onchain)
    }
}
