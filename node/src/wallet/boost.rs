//! Outputs of the wallet that raise the fee of a transaction which has inputs of its own (`wallet/wallet.c:wallet_utxo_boost`).

use super::output::WalletOutput;
use super::weight;
use crate::state::State;
use bitcoin::Txid;

/// A transaction before the wallet helps, or several of which one pays for all.
pub(crate) struct Underpaid {
    /// What it should pay.
    pub(crate) feerate_per_kw: u32,
    pub(crate) weight: u64,
    /// What it pays already.
    pub(crate) fee_sat: u64,
    /// What the wallet has to pay besides.
    pub(crate) output_sat: u64,
    /// The transaction in whose place it comes: what that one spends is free.
    pub(crate) replaces: Option<Txid>,
}

/// What was chosen.
pub(crate) struct Boost {
    pub(crate) outputs: Vec<WalletOutput>,
    pub(crate) value_sat: u64,
    /// With the inputs.
    pub(crate) weight: u64,
}

impl State {
    /// Chooses outputs until the rate is reached, or none is left. They are not reserved: if somebody else spends them first, others
    /// are chosen with the next block.
    pub(crate) fn boost(&self, need: &Underpaid) -> Boost {
        let rate = |value_sat: u64, weight: u64| {
            (need.fee_sat + value_sat).saturating_sub(need.output_sat) * 1000 / weight
        };
        let mut boost = Boost { outputs: Vec::new(), value_sat: 0, weight: need.weight };
        let mut reached = rate(0, need.weight);
        for output in self.spendable_outputs(1) {
            if reached >= u64::from(need.feerate_per_kw) {
                break;
            }
            let value_sat = boost.value_sat + output.value_sat;
            let weight = boost.weight + weight::input(&output, 0);
            let better = rate(value_sat, weight);
            if better < reached || self.outgoing.spends(output.outpoint, need.replaces) {
                continue;
            }
            reached = better;
            boost.outputs.push(output);
            (boost.value_sat, boost.weight) = (value_sat, weight);
        }
        boost
    }
}
