//! Coin movements of a closed channel (`onchaind.c:record_…`): which outputs come into which account, and leave it.

use super::effect::Effect;
use super::names::{OutputKind, TxKind};
use super::tracked::TrackedOutput;
use super::tracker::Tracker;
use crate::coin_mvts::movement::{Account, ChainMove, ChannelMove, Movement, Tag};
use bitcoin::{OutPoint, Transaction, Txid};
use leyden_bolt::transaction::Side;

impl Tracker {
    /// What a mutual close paid to the peer.
    pub(super) fn record_mutual_close(&mut self, tx: &Transaction) {
        let script = self.case.shutdown_scripts[Side::Remote as usize].as_ref();
        let place = tx.output.iter().position(|output| Some(&output.script_pubkey) == script);
        if let Some(vout) = place.and_then(|place| u32::try_from(place).ok()) {
            self.record_external(OutPoint { txid: tx.compute_txid(), vout }, tx, Tag::ToThem);
        }
    }

    /// An output of the closing transaction goes to somebody else.
    pub(super) fn record_external(&mut self, outpoint: OutPoint, tx: &Transaction, tag: Tag) {
        let sat = tx.output[outpoint.vout as usize].value.to_sat();
        self.record(self.external(outpoint, sat, tag));
    }

    /// An output that is followed goes to somebody else.
    pub(super) fn record_deposit_to_others(&mut self, place: usize, tag: Tag) {
        let TrackedOutput { outpoint, sat, .. } = self.outputs[place];
        self.record(self.external(outpoint, sat, tag));
    }

    /// An HTLC of the peer has expired, and is the peer's.
    pub(super) fn record_htlc_left_to_them(&mut self, place: usize) {
        self.record_deposit_to_others(place, Tag::HtlcTimeout);
    }

    /// The peer takes something that we can still take from it.
    pub(super) fn record_stealable(&mut self, place: usize, tag: Tag, spender: Txid, height: u32) {
        let TrackedOutput { outpoint, sat, .. } = self.outputs[place];
        let extra_tags = vec![Tag::Stealable];
        let deposit = ChainMove { extra_tags: extra_tags.clone(), ..self.external(outpoint, sat, tag) };
        self.record(deposit);
        self.record(ChainMove { extra_tags, ..self.external_spend(outpoint, sat, tag, spender, height) });
    }

    /// The peer takes an HTLC of ours with its preimage.
    pub(super) fn record_fulfilled_by_them(
        &mut self,
        place: usize,
        spender: Txid,
        height: u32,
        revoked: bool,
    ) {
        let TrackedOutput { outpoint, sat, htlc, .. } = self.outputs[place];
        let payment_hash = htlc.map(|htlc| htlc.payment_hash);
        let tag = Tag::HtlcFulfill;
        self.record(ChainMove { payment_hash, ..self.external(outpoint, sat, tag) });
        let extra_tags = if revoked { vec![Tag::Stealable] } else { Vec::new() };
        self.record(ChainMove { extra_tags, ..self.external_spend(outpoint, sat, tag, spender, height) });
    }

    /// A transaction of ours has resolved an output: it comes into the channel's account, if it was not in it, and leaves it
    /// for the wallet.
    pub(super) fn record_resolved_by_us(&mut self, place: usize, by: TxKind, tx: &Transaction, height: u32) {
        let TrackedOutput { tx_kind, kind, outpoint, sat, height: made_at, htlc, .. } = self.outputs[place];
        let (account, txid) = (self.case.account, tx.compute_txid());
        let deposit = |tag| ChainMove::credit(account, tag, outpoint, sat, made_at);
        let withdrawal = |tag| ChainMove::debit(account, tag, outpoint, sat, txid, height);
        if matches!(tx_kind, TxKind::OurHtlcTimeoutTx | TxKind::OurHtlcSuccessTx) {
            self.record(deposit(Tag::HtlcTx));
        }
        if by == TxKind::OurHtlcTimeoutToUs {
            self.record(deposit(Tag::HtlcTimeout));
        }
        if matches!(by, TxKind::TheirHtlcFulfillToUs | TxKind::OurHtlcSuccessTx) {
            let payment_hash = htlc.map(|htlc| htlc.payment_hash);
            self.record(ChainMove { payment_hash, ..deposit(Tag::HtlcFulfill) });
        }
        match (tx_kind, kind) {
            (TxKind::OurUnilateral, OutputKind::DelayedOutputToUs) => self.record(deposit(Tag::DelayedToUs)),
            (TxKind::OurUnilateral, OutputKind::OurHtlc) => {
                self.record(deposit(Tag::HtlcTimeout));
                self.record(withdrawal(Tag::HtlcTimeout));
            }
            (TxKind::OurUnilateral, OutputKind::TheirHtlc) => self.record(withdrawal(Tag::HtlcFulfill)),
            _ => {}
        }
        if tx_kind == TxKind::TheirRevokedUnilateral || by == TxKind::OurPenaltyTx {
            self.record(deposit(Tag::Penalty));
        }
        let to_wallet = matches!(
            by,
            TxKind::OurDelayedReturnToWallet
                | TxKind::TheirHtlcFulfillToUs
                | TxKind::OurHtlcTimeoutToUs
                | TxKind::OurPenaltyTx
        );
        if to_wallet {
            let paid_sat: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
            let fee_msat = sat.saturating_sub(paid_sat) * 1000;
            self.effects.push(Effect::Swept { debit: Box::new(withdrawal(Tag::ToWallet)), fee_msat });
        }
        if by == TxKind::OurPenaltyTx {
            self.adjust_for_penalty(sat * 1000);
        }
    }

    /// A penalty brings more than was ours: the channel's own account is brought in line.
    fn adjust_for_penalty(&mut self, msat: u64) {
        for (credit_msat, debit_msat) in [(msat, 0), (0, msat)] {
            self.effects.push(Effect::Movement(Box::new(Movement::Channel(ChannelMove {
                account: self.case.account,
                tag: Tag::PenaltyAdj,
                credit_msat,
                debit_msat,
                payment_hash: None,
                part: None,
                fees_msat: 0,
            }))));
        }
    }

    fn external(&self, outpoint: OutPoint, sat: u64, tag: Tag) -> ChainMove {
        let deposit = ChainMove::credit(Account::External, tag, outpoint, sat, self.height);
        ChainMove { originating: Some(self.case.account), ..deposit }
    }

    fn external_spend(
        &self,
        outpoint: OutPoint,
        sat: u64,
        tag: Tag,
        spender: Txid,
        height: u32,
    ) -> ChainMove {
        let spend = ChainMove::debit(Account::External, tag, outpoint, sat, spender, height);
        ChainMove { debit_msat: 0, originating: Some(self.case.account), ..spend }
    }

    fn record(&mut self, chain: ChainMove) {
        self.effects.push(Effect::Movement(Box::new(Movement::Chain(chain))));
    }
}
