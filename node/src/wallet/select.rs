//! Which outputs pay for something, and what is left over (`wallet/reservation.c:json_fundpsbt`, `json_utxopsbt`).
//!
//! lightningd takes outputs in an order of chance, unless a test gives it a seed; here they are always taken in the
//! order that it has then, by transaction and place.

use super::output::{OutputStatus, WalletOutput};
use super::weight;
use crate::command::params::invalid;
use crate::state::State;
use leyden_protocol::message::{RpcError, code};

/// What is left for the fees of closing channels with anchors (`--min-emergency-msat`), in sat.
const EMERGENCY_SAT: u64 = 25_000;

/// How much is to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Sat(u64),
    /// Everything there is.
    All,
}

/// What is to be paid for.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub(crate) value: Value,
    pub(crate) feerate_per_kw: u32,
    /// Of everything but inputs and change.
    pub(crate) weight: u64,
    /// How many blocks must have confirmed an output, its own included; 0 takes any.
    pub(crate) minconf: u32,
    pub(crate) min_witness_weight: u64,
    /// What is left over goes back to the wallet, if it is worth it.
    pub(crate) excess_as_change: bool,
    /// A channel with anchors needs fees at hand when it is closed.
    pub(crate) keep_emergency_funds: bool,
}

/// The answer to a [`Need`].
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) outputs: Vec<WalletOutput>,
    /// Of everything but change.
    pub(crate) weight: u64,
    /// What is paid beyond need, fees and change.
    pub(crate) excess_sat: u64,
    /// What goes back to the wallet, after the fee for its output.
    pub(crate) change_sat: Option<u64>,
}

/// Outputs that have been chosen so far.
struct Chosen {
    outputs: Vec<WalletOutput>,
    value_sat: u64,
    weight: u64,
}

impl Chosen {
    fn new(need: &Need) -> Self {
        Self { outputs: Vec::new(), value_sat: 0, weight: need.weight }
    }

    fn add(&mut self, output: WalletOutput, weight: u64) {
        self.value_sat += output.value_sat;
        self.weight += weight;
        self.outputs.push(output);
    }

    /// What they come to beyond `value_sat` and the fee, or how much is missing.
    fn beyond(&self, value_sat: u64, feerate_per_kw: u32) -> Result<u64, u64> {
        let needed = value_sat.saturating_add(weight::fee(feerate_per_kw, self.weight));
        self.value_sat.checked_sub(needed).ok_or_else(|| needed - self.value_sat)
    }
}

pub(crate) fn cannot_afford(text: String) -> RpcError {
    RpcError::new(code::FUND_CANNOT_AFFORD, text)
}

impl State {
    /// Chooses from everything that can be spent (`fundpsbt`).
    ///
    /// # Errors
    /// 301 if it is not enough, 313 if nothing would be left for emergencies.
    pub(crate) fn select_outputs(&self, need: &Need) -> Result<Selection, RpcError> {
        self.select_worthwhile(need, need.feerate_per_kw)
    }

    /// The same, without what costs as much as it is worth at a feerate of its own (`addpsbtinput`).
    ///
    /// # Errors
    /// As above.
    pub(crate) fn select_worthwhile(&self, need: &Need, min_feerate: u32) -> Result<Selection, RpcError> {
        let mut chosen = Chosen::new(need);
        let mut candidates = self.spendable_outputs(need.minconf).into_iter();
        let (value_sat, all) = match need.value {
            Value::Sat(value_sat) => (value_sat, false),
            Value::All => (u64::MAX, true),
        };
        while let Err(short_sat) = chosen.beyond(value_sat, need.feerate_per_kw) {
            let Some(output) = candidates.next() else {
                if all && !chosen.outputs.is_empty() {
                    break;
                }
                self.check_synced()?;
                let sat = |sat: u64| if all { "all".to_owned() } else { format!("{sat}sat") };
                let (value, count, short) = (sat(value_sat), chosen.outputs.len(), sat(short_sat));
                return Err(cannot_afford(format!(
                    "Could not afford {value} using all {count} available UTXOs: {short} short"
                )));
            };
            let weight = weight::input(&output, need.min_witness_weight);
            if all || weight::fee(min_feerate, weight) < output.value_sat {
                chosen.add(output, weight);
            }
        }
        if !all {
            return self.conclude(chosen, need);
        }
        let left = chosen.beyond(0, need.feerate_per_kw);
        if left.is_ok_and(|left| left >= weight::DUST_SAT) {
            return self.conclude(chosen, need);
        }
        self.check_synced()?;
        Err(cannot_afford(format!("All {} inputs could not afford fees", chosen.outputs.len())))
    }

    /// Takes just these (`utxopsbt`).
    ///
    /// # Errors
    /// -32602 if one of them is not to be had, 301 if they are not enough, 313 as above.
    pub(crate) fn select_these(
        &self,
        need: &Need,
        outputs: Vec<WalletOutput>,
        reserved_ok: bool,
    ) -> Result<Selection, RpcError> {
        let mut chosen = Chosen::new(need);
        let height = self.topology.height();
        for output in outputs {
            let outpoint = output.outpoint;
            if !reserved_ok && output.is_reserved(height) {
                return Err(invalid(format!("UTXO {outpoint} already reserved")));
            }
            if output.is_locked(height) {
                let csv = output.close_info.as_ref().map_or(1, |info| info.csv);
                return Err(invalid(format!("UTXO {outpoint} is csv locked ({csv})")));
            }
            let weight = weight::input(&output, need.min_witness_weight);
            chosen.add(output, weight);
        }
        let (what, value_sat, least) = match need.value {
            Value::Sat(value_sat) => (format!("{value_sat}sat"), value_sat, 0),
            Value::All => ("anything".to_owned(), 0, weight::DUST_SAT),
        };
        let left = chosen.beyond(value_sat, need.feerate_per_kw);
        if left.is_ok_and(|left| left >= least) {
            return self.conclude(chosen, need);
        }
        let Chosen { value_sat, weight, .. } = chosen;
        Err(cannot_afford(format!(
            "Could not afford {what} using UTXOs totalling {value_sat}sat with weight {weight} at feerate {}",
            need.feerate_per_kw
        )))
    }

    /// What becomes of the rest.
    fn conclude(&self, chosen: Chosen, need: &Need) -> Result<Selection, RpcError> {
        let value_sat = match need.value {
            Value::Sat(value_sat) => value_sat,
            Value::All => 0,
        };
        let mut excess = chosen.beyond(value_sat, need.feerate_per_kw).expect("the caller has looked");
        let mut change = 0;
        if need.excess_as_change && need.value != Value::All {
            (change, excess) = (excess, 0);
        }
        if need.keep_emergency_funds {
            (excess, change) = self.with_emergency_funds(&chosen, need.feerate_per_kw, excess, change)?;
        }
        let change_sat = self.change().left_of(change, need.feerate_per_kw, chosen.weight);
        Ok(Selection { outputs: chosen.outputs, weight: chosen.weight, excess_sat: excess, change_sat })
    }

    /// Moves enough of the excess into change, unless the rest of the wallet is enough
    /// (`reservation.c:change_for_emergency`).
    fn with_emergency_funds(
        &self,
        chosen: &Chosen,
        feerate: u32,
        excess: u64,
        change: u64,
    ) -> Result<(u64, u64), RpcError> {
        let needed = self.missing_emergency_sat(&chosen.outputs);
        if needed == 0
            || self.change().left_of(change, feerate, chosen.weight).is_some_and(|change| change >= needed)
        {
            return Ok((excess, change));
        }
        let moved = self.change().fee(feerate, chosen.weight) + needed;
        let excess = excess.checked_sub(moved).ok_or_else(|| {
            let text = format!("We would not have enough left for min-emergency-msat {EMERGENCY_SAT}sat");
            RpcError::new(code::FUND_CANNOT_AFFORD_WITH_EMERGENCY, text)
        })?;
        Ok((excess, change + moved))
    }

    /// What the wallet lacks for emergencies when these are spent.
    pub(super) fn missing_emergency_sat(&self, spent: &[WalletOutput]) -> u64 {
        let is_spent = |output: &WalletOutput| spent.iter().any(|one| one.outpoint == output.outpoint);
        let rest = self.spendable_outputs(1).into_iter().filter(|output| !is_spent(output));
        EMERGENCY_SAT.saturating_sub(rest.map(|output| output.value_sat).sum())
    }

    /// Everything that the next block could spend and that nobody has reserved.
    pub(super) fn spendable_outputs(&self, minconf: u32) -> Vec<WalletOutput> {
        let height = self.topology.height();
        // What is asked for deeper than the chain can only be in its first block.
        let highest = if minconf >= height { 1 } else { height + 1 - minconf };
        let mut outputs = self.wallet_outputs(false);
        outputs.retain(|output| {
            output.status != OutputStatus::Spent
                && output.reserved_til.is_none_or(|til| til <= height)
                && !output.is_immature(height)
                && !output.is_locked(height)
                && (minconf == 0 || output.confirmed_at.is_some_and(|confirmed| confirmed <= highest))
        });
        outputs
    }

    /// Coins may be in blocks that were not seen yet.
    fn check_synced(&self) -> Result<(), RpcError> {
        if self.topology.sync.warning().is_none() {
            return Ok(());
        }
        let text = "Cannot afford: still syncing with bitcoin network...";
        Err(RpcError::new(code::FUNDING_STILL_SYNCING_BITCOIN, text))
    }
}
