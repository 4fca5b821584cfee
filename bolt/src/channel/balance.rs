//! Who has how much in which commitment.

use super::fee::marginal_feerate;
use super::htlc::Htlc;
use super::record::Record;
use super::{Channel, HtlcState};
use crate::transaction::{
    Commitment, CommitmentSpec, Side, Terms, anchors_sat, commitment_fee_sat, is_trimmed,
};
use bitcoin::secp256k1::PublicKey;

/// HTLCs of the commitment of one side: those in it, and what the next one changes (lightningd's `gather_htlcs`).
#[derive(Debug)]
pub(super) struct Gathered<'a> {
    pub(super) committed: Vec<&'a Htlc>,
    /// Among those that are committed.
    pub(super) removing: Vec<&'a Htlc>,
    pub(super) adding: Vec<&'a Htlc>,
}

impl Record {
    /// By side, in msat: what each has in the commitment of `side`, without HTLCs. `None` if that is less than nothing.
    pub(super) fn checked_balances_msat(&self, terms: &Terms, side: Side) -> Option<[u64; 2]> {
        let ours = i128::from(self.our_msat);
        let mut balances = [ours, i128::from(terms.capacity_sat) * 1000 - ours];
        for htlc in self.htlcs.values() {
            let amount = i128::from(htlc.amount_msat);
            if htlc.state.is_committed(side) || htlc.state.is_removed(side) {
                balances[htlc.owner as usize] -= amount;
            }
            if htlc.state.is_removed(side) {
                balances[htlc.paid_to() as usize] += amount;
            }
        }
        let [ours, theirs] = balances.map(|balance| u64::try_from(balance).ok());
        Some([ours?, theirs?])
    }

    pub(super) fn balances_msat(&self, terms: &Terms, side: Side) -> [u64; 2] {
        self.checked_balances_msat(terms, side).expect("no HTLC is added that its owner cannot pay")
    }

    /// The commitment of `side` with all that is committed to it.
    pub(super) fn commitment(
        &self,
        terms: &Terms,
        side: Side,
        number: u64,
        per_commitment_point: PublicKey,
    ) -> Commitment {
        let balances = self.balances_msat(terms, side);
        let committed = self.htlcs.values().filter(|htlc| htlc.state.is_committed(side));
        let spec = CommitmentSpec {
            side,
            number,
            per_commitment_point,
            feerate_per_kw: self.fees.of(side),
            to_local_msat: balances[side as usize],
            to_remote_msat: balances[side.other() as usize],
            htlcs: committed.map(Htlc::in_commitment).collect(),
        };
        Commitment::new(terms, spec)
    }

    pub(super) fn gather(&self, side: Side) -> Gathered<'_> {
        let of = |committed: bool, pending: Option<bool>| {
            let state_fits = move |state: HtlcState| {
                state.is_committed(side) == committed
                    && pending.is_none_or(|pending| state.is_pending(side) == pending)
            };
            self.htlcs.values().filter(|htlc| state_fits(htlc.state)).collect()
        };
        Gathered { committed: of(true, None), removing: of(true, Some(true)), adding: of(false, Some(true)) }
    }
}

impl Gathered<'_> {
    /// What a count or sum over all HTLCs will be when what is pending is done.
    pub(super) fn total(&self, of: impl Fn(&Htlc) -> u128) -> u128 {
        let sum = |htlcs: &[&Htlc]| htlcs.iter().map(|htlc| of(htlc)).sum::<u128>();
        sum(&self.committed) + sum(&self.adding) - sum(&self.removing)
    }

    /// How many HTLCs will have an output in the commitment of `side`.
    pub(super) fn untrimmed(&self, terms: &Terms, side: Side, feerate_per_kw: u32) -> u64 {
        let has_output = |htlc: &Htlc| !is_trimmed(terms, side, feerate_per_kw, htlc.owner, htlc.amount_msat);
        u64::try_from(self.total(|htlc| has_output(htlc).into())).expect("HTLCs are few")
    }

    /// The amount of HTLCs without an output in the commitment of `side`, in msat.
    pub(super) fn dust_msat(&self, terms: &Terms, side: Side, feerate_per_kw: u32) -> u128 {
        let is_dust = |htlc: &Htlc| is_trimmed(terms, side, feerate_per_kw, htlc.owner, htlc.amount_msat);
        self.total(|htlc| if is_dust(htlc) { htlc.amount_msat.into() } else { 0 })
    }
}

impl Channel {
    /// What `side` has, in msat; HTLCs belong to who offered them until they are gone (lightningd's `to_us_msat`).
    pub fn balance_msat(&self, side: Side) -> u64 {
        match side {
            Side::Local => self.record.our_msat,
            Side::Remote => self.terms.capacity_sat * 1000 - self.record.our_msat,
        }
    }

    /// About what one payment can carry to the peer (lightningd's `channel_amount_spendable`).
    pub fn spendable_msat(&self) -> u64 {
        self.sendable_msat(Side::Local)
    }

    /// About what one payment can bring from the peer (lightningd's `channel_amount_receivable`).
    pub fn receivable_msat(&self) -> u64 {
        self.sendable_msat(Side::Remote)
    }

    /// Those that lightningd knows of: one that comes in, once a commitment has it.
    pub fn known_htlcs(&self) -> impl Iterator<Item = &Htlc> {
        self.htlcs().filter(|htlc| htlc.state != HtlcState::RcvdAddHtlc)
    }

    fn sendable_msat(&self, sender: Side) -> u64 {
        let receiver = self.terms.config(sender.other());
        let offered = self.known_htlcs().filter(|htlc| htlc.owner == sender).map(|htlc| htlc.amount_msat);
        let Some(unreserved) =
            self.balance_msat(sender).checked_sub(receiver.channel_reserve_satoshis * 1000)
        else {
            return 0;
        };
        let mut sendable = offered.fold(unreserved, u64::saturating_sub);
        if self.terms.opener == sender {
            sendable = sendable.saturating_sub(self.fee_with_another_sat(sender, sendable) * 1000);
        }
        sendable = sendable.min(self.largest_payment_msat());
        if sendable < receiver.htlc_minimum_msat { 0 } else { sendable }
    }

    /// Without large channels on both sides, a payment fits 32 bits.
    pub(super) fn largest_payment_msat(&self) -> u64 {
        if self.negotiated.large_channels { u64::MAX } else { u32::MAX.into() }
    }

    /// What the commitment of `side` would cost with another HTLC of `amount_msat`, and a further one when fees have risen.
    fn fee_with_another_sat(&self, side: Side, amount_msat: u64) -> u64 {
        let feerate = self.feerate_per_kw(side);
        let has_output = |owner, amount_msat| !is_trimmed(&self.terms, side, feerate, owner, amount_msat);
        let there = self.known_htlcs().filter(|htlc| has_output(htlc.owner, htlc.amount_msat)).count() as u64;
        let untrimmed = there + u64::from(has_output(side, amount_msat)) + 1;
        let kind = self.terms.channel_type;
        commitment_fee_sat(kind, marginal_feerate(feerate), untrimmed) + anchors_sat(kind)
    }

    /// Whether an HTLC has no output in the commitment of `side`.
    pub fn is_trimmed(&self, side: Side, htlc: &Htlc) -> bool {
        is_trimmed(&self.terms, side, self.feerate_per_kw(side), htlc.owner, htlc.amount_msat)
    }
}
