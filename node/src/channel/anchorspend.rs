//! Spending anchors: a commitment transaction that pays too little to be in a block in time gets a child, which pays for both
//! (`lightningd/anchorspend.c`).

use super::{HtlcKey, HtlcOrigin, LocalChannel};
use crate::chain::broadcast::Broadcast;
use crate::event::LogLevel;
use crate::state::State;
use crate::wallet::boost::{Boost, Underpaid};
use crate::wallet::psbt::{add_output, empty};
use crate::wallet::sign::finalize;
use crate::wallet::weight;
use bitcoin::{Amount, OutPoint, Psbt, ScriptBuf, Transaction, TxIn, TxOut, Txid, Weight};
use leyden_bolt::channel::{Htlc, Removal};
use leyden_bolt::transaction::{ANCHOR_SAT, Commitment, Side};
use std::collections::BTreeMap;

/// The witness of a commitment: two signatures and a script of 71 bytes, with lengths and marker.
const FUNDING_WITNESS: Weight = Weight::from_wu(2 + 1 + 1 + 2 * (1 + 72) + 1 + 71);

/// Nobody is in a hurry about a commitment without HTLCs.
const SHORTEST_LOW_PRIORITY: u32 = 12;

/// An anchor of ours.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    /// Whose commitment it is on.
    side: Side,
    outpoint: OutPoint,
    commitment_fee_sat: u64,
    commitment_weight: u64,
}

/// The transaction that spends an anchor, in no block yet.
#[derive(Debug)]
struct AnchorSpend {
    dbid: u64,
    anchor: Anchor,
    fee_sat: u64,
}

/// What spends anchors, by its txid. A start begins anew, as lightningd's does.
#[derive(Default)]
pub(crate) struct AnchorSpends(BTreeMap<Txid, AnchorSpend>);

/// Until when how much is to be saved.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    block: u32,
    msat: u64,
}

/// A child that could be sent.
struct Candidate {
    boost: Boost,
    change_sat: u64,
    fee_sat: u64,
    /// Of both transactions together.
    feerate_per_kw: u32,
}

impl Anchor {
    fn of(commitment: &Commitment, signed: Weight, side: Side, script: &ScriptBuf) -> Option<Self> {
        let outputs = &commitment.transaction().output;
        let vout = outputs.iter().position(|output| output.script_pubkey == *script)?;
        Some(Self {
            side,
            outpoint: OutPoint {
                txid: commitment.txid(),
                vout: u32::try_from(vout).expect("outputs are few"),
            },
            commitment_fee_sat: commitment.fee_sat(),
            commitment_weight: signed.to_wu(),
        })
    }

    fn whose(&self) -> &'static str {
        if self.side == Side::Local { "local" } else { "remote" }
    }

    /// What the commitment pays alone.
    fn feerate_per_kw(&self) -> u64 {
        self.commitment_fee_sat * 1000 / self.commitment_weight
    }
}

impl LocalChannel {
    fn anchors(&self) -> Vec<Anchor> {
        let script = self.bolt.keys().anchor_script();
        let theirs = self.bolt.remote_commitments();
        let theirs = theirs.iter().filter_map(|commitment| {
            let weight = commitment.transaction().weight() + FUNDING_WITNESS;
            Anchor::of(commitment, weight, Side::Remote, &script)
        });
        let weight = self.bolt.local_commitment_signed().weight();
        theirs.chain(Anchor::of(self.bolt.local_commitment(), weight, Side::Local, &script)).collect()
    }
}

impl State {
    /// Our commitment was sent: spends the anchors that are worth it. If it was refused, the peer's may have come first.
    pub(crate) fn boost_commitment(&mut self, dbid: u64, ours_is_sent: bool) {
        let Some(channel) = self.channels.get(dbid) else { return };
        if !channel.bolt.terms().channel_type.anchors {
            return;
        }
        let (anchors, side) = (channel.anchors(), if ours_is_sent { Side::Local } else { Side::Remote });
        self.log_anchor(dbid, LogLevel::Debug, &format!("We have {} anchor points to use", anchors.len()));
        for anchor in anchors {
            let is_spent =
                self.anchor_spends.0.values().any(|spend| spend.anchor.outpoint == anchor.outpoint);
            if anchor.side != side || is_spent || self.tx_location(anchor.outpoint.txid).is_some() {
                continue;
            }
            let Some((tx, fee_sat)) = self.spend_anchor(dbid, &anchor, None) else { continue };
            let text = format!(
                "Creating anchor spend for {} commit tx {}: we're paying fee {fee_sat}sat",
                anchor.whose(),
                tx.compute_txid()
            );
            self.log_anchor(dbid, LogLevel::Info, &text);
            self.anchor_spends.0.insert(tx.compute_txid(), AnchorSpend { dbid, anchor, fee_sat });
            self.broadcast(tx, Broadcast::Anchor(dbid));
        }
    }

    /// What is to be sent in the place of a transaction that spends an anchor, if it has to pay more by now.
    pub(crate) fn raise_anchor_spend(&mut self, before: &Transaction) -> Option<Transaction> {
        let txid = before.compute_txid();
        let AnchorSpend { dbid, anchor, fee_sat: old_fee } = self.anchor_spends.0.remove(&txid)?;
        let raised = self.spend_anchor(dbid, &anchor, Some((txid, old_fee)));
        let (spent_by, fee_sat) =
            raised.as_ref().map_or((txid, old_fee), |(tx, fee)| (tx.compute_txid(), *fee));
        self.anchor_spends.0.insert(spent_by, AnchorSpend { dbid, anchor, fee_sat });
        let (tx, _) = raised?;
        let text = format!(
            "RBF anchor {} commit tx spend {spent_by}: fee was {old_fee}sat now {fee_sat}sat",
            anchor.whose()
        );
        self.log_anchor(dbid, LogLevel::Info, &text);
        Some(tx)
    }

    /// A commitment is in a block.
    pub(super) fn forget_anchor_spends(&mut self, dbid: u64) {
        self.anchor_spends.0.retain(|_, spend| spend.dbid != dbid);
        self.stop_anchor_spends(dbid);
    }

    fn log_anchor(&mut self, dbid: u64, level: LogLevel, text: &str) {
        let source = self.channels.get(dbid).map(LocalChannel::log_source).unwrap_or_default();
        self.log(level, &source, text);
    }

    /// The child and its fee, if one is possible, worth it, and pays enough more than the one `before` it.
    fn spend_anchor(
        &mut self,
        dbid: u64,
        anchor: &Anchor,
        before: Option<(Txid, u64)>,
    ) -> Option<(Transaction, u64)> {
        let replaces = before.map(|(txid, _)| txid);
        let deadlines = self.deadlines(dbid);
        let candidate = if deadlines.is_empty() {
            self.low_priority(dbid, anchor, replaces)?
        } else {
            self.in_time(dbid, anchor, replaces, &deadlines)?
        };
        // What replaces another must pay for its own relaying.
        let least = before.map_or(0, |(_, fee_sat)| fee_sat) + candidate.boost.weight / 4;
        if candidate.fee_sat < least {
            return None;
        }
        let text = format!(
            "Anchorspend for {} commit tx fee {}sat (w={}), commit_tx fee {}sat (w={}): package feerate {} perkw",
            anchor.whose(),
            candidate.fee_sat,
            candidate.boost.weight - anchor.commitment_weight,
            anchor.commitment_fee_sat,
            anchor.commitment_weight,
            candidate.feerate_per_kw
        );
        self.log_anchor(dbid, LogLevel::Debug, &text);
        let fee_sat = candidate.fee_sat;
        Some((self.sign_anchor_spend(dbid, anchor, &candidate)?, fee_sat))
    }

    /// HTLCs that are lost if the commitment comes too late, the first to end first.
    fn deadlines(&self, dbid: u64) -> Vec<Deadline> {
        let Some(channel) = self.channels.get(dbid) else { return Vec::new() };
        let deadline = |htlc: &Htlc| {
            let block = match (htlc.owner, &htlc.removal) {
                (Side::Remote, Some(Removal::Fulfill(_))) => htlc.cltv_expiry,
                (Side::Remote, _) => return None,
                // It is the one before that has to be failed in time.
                (Side::Local, _) => match channel.origins.get(&htlc.id) {
                    Some(HtlcOrigin::Forward(incoming)) => self.expiry_of(*incoming)?,
                    _ => htlc.cltv_expiry + u32::from(self.config.channels.cltv_delta),
                },
            };
            Some((block, htlc.amount_msat))
        };
        let mut merged: BTreeMap<u32, u64> = BTreeMap::new();
        for (block, msat) in channel.bolt.htlcs().filter_map(deadline) {
            *merged.entry(block).or_default() += msat;
        }
        merged.into_iter().map(|(block, msat)| Deadline { block, msat }).collect()
    }

    fn expiry_of(&self, incoming: HtlcKey) -> Option<u32> {
        let channel = self.channels.get(incoming.dbid)?;
        channel.bolt.htlc(incoming.owner, incoming.id).map(|htlc| htlc.cltv_expiry)
    }

    /// The child for the earliest deadline that it is worth paying for.
    fn in_time(
        &mut self,
        dbid: u64,
        anchor: &Anchor,
        replaces: Option<Txid>,
        deadlines: &[Deadline],
    ) -> Option<Candidate> {
        let (height, mut total_msat, mut best) = (self.topology.height(), 0, None);
        for Deadline { block, msat } in deadlines.iter().rev() {
            total_msat += msat;
            let target = self.feerate_for_target(*block);
            if anchor.feerate_per_kw() >= u64::from(target) {
                continue;
            }
            let Some(candidate) = self.anchor_candidate(anchor, target, replaces) else {
                if best.is_none() {
                    let text = format!("No utxos to bump commit_tx to feerate {target}perkw!");
                    self.log_anchor(dbid, LogLevel::Unusual, &text);
                }
                break;
            };
            let (whose, fee_sat, left) =
                (anchor.whose(), candidate.fee_sat, i64::from(*block) - i64::from(height));
            let what = format!(
                "fee {fee_sat}sat for {whose} commit tx to get {msat}msat at block {block} ({left:+})"
            );
            if total_msat <= fee_sat * 1000 {
                let text = format!("Not worth {what} at feerate {target}perkw");
                self.log_anchor(dbid, LogLevel::Debug, &text);
                break;
            }
            let reached = candidate.feerate_per_kw;
            let count = candidate.boost.outputs.len();
            best = Some(candidate);
            if reached < target {
                let text = format!(
                    "We want to bump commit_tx to feerate {target}perkw, but can only bump to {reached}perkw with {count} UTXOs!"
                );
                self.log_anchor(dbid, LogLevel::Unusual, &text);
                break;
            }
            self.log_anchor(dbid, LogLevel::Debug, &format!("Worth {what} at feerate {reached}perkw"));
        }
        best
    }

    /// The child of a commitment without HTLCs, which may take two weeks.
    fn low_priority(&mut self, dbid: u64, anchor: &Anchor, replaces: Option<Txid>) -> Option<Candidate> {
        let began = self.channels.get(dbid)?.close_attempt_height;
        let deadline = began.saturating_add(self.config.channels.low_prio_anchor_blocks);
        let block = deadline.max(self.topology.height() + SHORTEST_LOW_PRIORITY);
        let (target, feerate) = (self.feerate_for_target(block), anchor.feerate_per_kw());
        if feerate >= u64::from(target) {
            let text = format!("Avoiding anchorspend: feerate already {feerate} for target {target}");
            self.log_anchor(dbid, LogLevel::Debug, &text);
            return None;
        }
        let text = format!("Low-priority anchorspend aiming for block {block} (feerate {target})");
        self.log_anchor(dbid, LogLevel::Debug, &text);
        self.anchor_candidate(anchor, target, replaces)
    }

    /// A child with which both reach a rate, or as much as the wallet has for it; `None` if that is nothing.
    fn anchor_candidate(&self, anchor: &Anchor, target: u32, replaces: Option<Txid>) -> Option<Candidate> {
        let alone = weight::core(1, 1) + weight::anchor_input() + self.change().weight();
        let boost = self.boost(&Underpaid {
            feerate_per_kw: target,
            weight: alone + anchor.commitment_weight,
            fee_sat: anchor.commitment_fee_sat,
            output_sat: weight::DUST_SAT,
            replaces,
        });
        if boost.outputs.is_empty() {
            return None;
        }
        let wanted_sat = weight::fee(target, boost.weight).saturating_sub(anchor.commitment_fee_sat);
        let spent_sat = boost.value_sat + ANCHOR_SAT;
        let change_sat = spent_sat.saturating_sub(wanted_sat).max(weight::DUST_SAT);
        let fee_sat = spent_sat.checked_sub(change_sat)?;
        let reached = (fee_sat + anchor.commitment_fee_sat) * 1000 / boost.weight;
        let feerate_per_kw = u32::try_from(reached).unwrap_or(u32::MAX);
        Some(Candidate { boost, change_sat, fee_sat, feerate_per_kw })
    }

    fn sign_anchor_spend(
        &mut self,
        dbid: u64,
        anchor: &Anchor,
        candidate: &Candidate,
    ) -> Option<Transaction> {
        let mut psbt = empty(self.default_locktime());
        for output in &candidate.boost.outputs {
            self.add_wallet_input(&mut psbt, output);
        }
        let channel = self.channels.get(dbid)?;
        let (keys, place) = (channel.bolt.keys().clone(), psbt.inputs.len());
        let change = self.wallet_address(channel.final_key_index).script_pubkey();
        add_output(&mut psbt, change, candidate.change_sat);
        add_anchor(&mut psbt, anchor, keys.anchor_script());
        psbt.inputs[place].final_script_witness = Some(keys.anchor_witness(&psbt.unsigned_tx, place));
        self.sign_wallet_inputs(&mut psbt);
        finalize(&mut psbt)
    }
}

fn add_anchor(psbt: &mut Psbt, anchor: &Anchor, script_pubkey: ScriptBuf) {
    let sequence = crate::wallet::psbt::SEQUENCE;
    psbt.unsigned_tx.input.push(TxIn { previous_output: anchor.outpoint, sequence, ..TxIn::default() });
    psbt.inputs.push(bitcoin::psbt::Input {
        witness_utxo: Some(TxOut { value: Amount::from_sat(ANCHOR_SAT), script_pubkey }),
        ..Default::default()
    });
}
