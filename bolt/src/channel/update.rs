//! Updates: HTLCs that are offered and removed, and the fee rate. They count from the next `commitment_signed` on.

use super::htlc::{AddHtlc, AddHtlcError, Htlc, Removal, RemoveHtlcError};
use super::{Channel, ChannelError, HtlcState, warning};
use crate::message::channel::{
    UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFee, UpdateFulfillHtlc,
};
use crate::tlv::TlvStream;
use crate::transaction::Side;

/// Set in a failure code that comes in `update_fail_malformed_htlc` (BOLT 4).
const BADONION: u16 = 0x8000;

impl Channel {
    /// Offers an HTLC and gives its id.
    ///
    /// # Errors
    ///
    /// If the channel cannot carry it.
    pub fn add_htlc(&mut self, add: AddHtlc) -> Result<u64, AddHtlcError> {
        let ready = self.record.channel_ready == [true; 2];
        if !ready || !self.is_connected() || self.is_shutting_down() {
            return Err(AddHtlcError::Unavailable);
        }
        let htlc = Htlc {
            owner: Side::Local,
            id: self.record.next_htlc_id[Side::Local as usize],
            amount_msat: add.amount_msat,
            payment_hash: add.payment_hash,
            cltv_expiry: add.cltv_expiry,
            onion: add.onion,
            tlvs: add.tlvs,
            state: HtlcState::SentAddHtlc,
            removal: None,
            fail_immediate: false,
        };
        self.check_add(&htlc)?;
        let id = htlc.id;
        self.send(htlc.add_message(self.channel_id));
        self.insert(htlc);
        Ok(id)
    }

    fn insert(&mut self, htlc: Htlc) {
        self.record.next_htlc_id[htlc.owner as usize] = htlc.id + 1;
        self.record.htlcs.insert((htlc.owner, htlc.id), htlc);
    }

    /// Ends an incoming HTLC. Without a connection, the peer hears of it after the next one.
    ///
    /// # Errors
    ///
    /// If there is none that is irrevocably committed, or the preimage is not the one.
    pub fn remove_htlc(&mut self, id: u64, removal: Removal) -> Result<(), RemoveHtlcError> {
        let htlc = self.record.htlcs.get_mut(&(Side::Remote, id)).ok_or(RemoveHtlcError::NoSuchId)?;
        htlc.remove(removal)?;
        let message = htlc.removal_message(self.channel_id);
        if self.is_connected() {
            self.send(message.expect("it has just been removed"));
        }
        Ok(())
    }

    /// What the commitments are to pay from the next one on, if we are the opener: as much of it as we can afford.
    pub fn update_fee(&mut self, feerate_per_kw: u32) {
        self.wanted_feerate = Some(feerate_per_kw);
    }

    /// What the peer, if it is the opener, may have the commitments pay, both included (lightningd's `feerate_min` and
    /// `feerate_max`); at first anything.
    pub fn set_feerate_range(&mut self, min_per_kw: u32, max_per_kw: u32) {
        self.feerate_range = min_per_kw..=max_per_kw;
    }

    /// The fee rate that we want to change to, if we may and it is another (`want_fee_update`).
    pub(super) fn wanted_feerate(&self) -> Option<u32> {
        let wanted = self.wanted_feerate.filter(|_| self.terms.opener == Side::Local)?;
        let current = self.feerate_per_kw(Side::Remote);
        let target =
            if wanted > current { wanted.min(self.approx_max_feerate()).max(current) } else { wanted };
        (target != current).then_some(target)
    }

    /// Changes the fee rate, as wanted, unless a change is under way.
    pub(super) fn send_update_fee(&mut self) {
        let Some(feerate_per_kw) = self.wanted_feerate().filter(|_| self.record.fees.is_settled()) else {
            return;
        };
        // lightningd closes the connection when dust forbids a change; without one nothing is lost.
        let bearable = Side::BOTH.into_iter().all(|side| self.is_dust_bearable(side, feerate_per_kw));
        if bearable && self.can_pay_feerate(feerate_per_kw) {
            self.record.fees.start(feerate_per_kw);
            self.send(UpdateFee { channel_id: self.channel_id, feerate_per_kw, tlvs: TlvStream::new() });
        }
    }

    pub(super) fn receive_add_htlc(&mut self, message: UpdateAddHtlc) -> Result<(), ChannelError> {
        let mut htlc = Htlc {
            owner: Side::Remote,
            id: message.id,
            amount_msat: message.amount_msat,
            payment_hash: message.payment_hash,
            cltv_expiry: message.cltv_expiry,
            onion: message.onion_routing_packet,
            tlvs: message.tlvs,
            state: HtlcState::RcvdAddHtlc,
            removal: None,
            fail_immediate: false,
        };
        let checked = self.check_id(&htlc).and_then(|()| self.check_add(&htlc));
        match checked {
            Ok(fail_immediate) => htlc.fail_immediate = fail_immediate,
            Err(error) => return warning(format!("Bad peer_add_htlc: {}", error.name())),
        }
        self.insert(htlc);
        Ok(())
    }

    /// Ids go up by one; an HTLC that was said before the last disconnection may be said again.
    fn check_id(&self, htlc: &Htlc) -> Result<(), AddHtlcError> {
        let id = htlc.id;
        if id == self.record.next_htlc_id[Side::Remote as usize] {
            return Ok(());
        }
        match self.htlc(Side::Remote, id) {
            Some(old) if old == htlc => Err(AddHtlcError::Duplicate { id }),
            _ => Err(AddHtlcError::DuplicateIdDifferent { id }),
        }
    }

    fn receive_removal(&mut self, id: u64, removal: Removal) -> Result<(), RemoveHtlcError> {
        let htlc = self.record.htlcs.get_mut(&(Side::Local, id)).ok_or(RemoveHtlcError::NoSuchId)?;
        htlc.remove(removal)
    }

    pub(super) fn receive_fulfill_htlc(&mut self, message: &UpdateFulfillHtlc) -> Result<(), ChannelError> {
        let id = message.id;
        match self.receive_removal(id, Removal::Fulfill(message.payment_preimage)) {
            Ok(()) => Ok(()),
            Err(error) => warning(format!("Bad update_fulfill_htlc: failed to fulfill {id} error {error}")),
        }
    }

    pub(super) fn receive_fail_htlc(&mut self, message: UpdateFailHtlc) -> Result<(), ChannelError> {
        let id = message.id;
        match self.receive_removal(id, Removal::Fail(message.reason)) {
            Ok(()) => Ok(()),
            Err(error) => warning(format!("Bad update_fail_htlc: failed to remove {id} error {error}")),
        }
    }

    pub(super) fn receive_fail_malformed_htlc(
        &mut self,
        message: &UpdateFailMalformedHtlc,
    ) -> Result<(), ChannelError> {
        let id = message.id;
        // BOLT 2 wants BADONION; lightningd puts up with peers that forget it.
        let failure_code = message.failure_code | BADONION;
        let removal = Removal::FailMalformed { sha256_of_onion: message.sha256_of_onion, failure_code };
        match self.receive_removal(id, removal) {
            Ok(()) => Ok(()),
            Err(error) => {
                warning(format!("Bad update_fail_malformed_htlc: failed to remove {id} error {error}"))
            }
        }
    }

    pub(super) fn receive_update_fee(&mut self, message: &UpdateFee) -> Result<(), ChannelError> {
        let feerate = message.feerate_per_kw;
        if self.terms.opener != Side::Remote {
            return warning("update_fee from non-opener?");
        }
        let (min, max) = (*self.feerate_range.start(), *self.feerate_range.end());
        let current = self.feerate_per_kw(Side::Local);
        // Outside of the range it may still get nearer to it.
        let better = (feerate < min && feerate >= current) || (feerate > max && feerate <= current);
        if !self.feerate_range.contains(&feerate) && !better {
            return warning(format!("update_fee {feerate} outside range {min}-{max} (currently {current})"));
        }
        if !self.can_pay_feerate(feerate) {
            return warning(format!("update_fee {feerate} unaffordable"));
        }
        self.record.fees.start(feerate);
        Ok(())
    }
}
