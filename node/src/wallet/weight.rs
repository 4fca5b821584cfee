//! Weights of parts of transactions, as lightningd estimates them before anything is signed (`bitcoin/tx.c`).

use super::output::WalletOutput;
use bitcoin::{Script, VarInt};

/// The least that lightningd pays to anybody, in sat (`chainparams.c`).
pub(crate) const DUST_SAT: u64 = 546;

/// Everything but inputs and outputs.
pub(crate) fn core(inputs: u64, outputs: u64) -> u64 {
    let counts = VarInt(inputs).size() + VarInt(outputs).size();
    (4 + u64::try_from(counts).expect("a few bytes") + 4) * 4 + 2
}

/// An output.
pub(crate) fn output(script: &Script) -> u64 {
    output_of_length(u64::try_from(script.len()).expect("a script is short"))
}

/// The kind of output to which a release pays change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    P2tr,
    P2wpkh,
}

impl Change {
    /// As `newaddr` calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P2tr => "p2tr",
            Self::P2wpkh => "bech32",
        }
    }

    /// Of the output.
    pub(crate) fn weight(self) -> u64 {
        output_of_length(match self {
            Self::P2tr => 34,
            Self::P2wpkh => 22,
        })
    }

    /// Less is left to the miner, in sat: nobody relays it.
    fn dust_sat(self) -> u64 {
        match self {
            Self::P2tr => 330,
            Self::P2wpkh => DUST_SAT,
        }
    }

    /// What it costs beside a transaction of this weight, in sat.
    pub(crate) fn fee(self, feerate_per_kw: u32, weight: u64) -> u64 {
        fee(feerate_per_kw, weight + self.weight()) - fee(feerate_per_kw, weight)
    }

    /// What is left of `excess_sat`, if it is enough to be worth an output.
    pub(crate) fn left_of(self, excess_sat: u64, feerate_per_kw: u32, weight: u64) -> Option<u64> {
        let left = excess_sat.checked_sub(self.fee(feerate_per_kw, weight))?;
        (left >= self.dust_sat()).then_some(left)
    }
}

fn output_of_length(script: u64) -> u64 {
    let length = u64::try_from(VarInt(script).size()).expect("a few bytes");
    (8 + length + script) * 4
}

/// An input that spends an output of the wallet; its witness counts as `min_witness` if it is lighter.
pub(crate) fn input(spent: &WalletOutput, min_witness: u64) -> u64 {
    // The length of a signature of 71 bytes, which lightningd grinds for, and of what is beside it.
    let signature = 1 + 71;
    let witness = if spent.script.is_p2tr() {
        1 + 64
    } else if spent.script.is_p2wsh() {
        // What a closed channel with anchors has paid: its script has 37 bytes, which lightningd leaves out.
        signature + 1 + 37
    } else {
        signature + 1 + 33
    };
    input_with_witness(witness.max(min_witness))
}

/// An input that spends an anchor: a signature and a script of 40 bytes.
pub(crate) fn anchor_input() -> u64 {
    input_with_witness(1 + 71 + 1 + 40)
}

fn input_with_witness(witness: u64) -> u64 {
    let outpoint_and_sequence = (32 + 4 + 4) * 4;
    1 + witness + outpoint_and_sequence + 4
}

/// The fee for a weight, in sat.
pub(crate) fn fee(feerate_per_kw: u32, weight: u64) -> u64 {
    u64::from(feerate_per_kw) * weight / 1000
}
