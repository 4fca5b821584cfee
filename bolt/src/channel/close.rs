//! `closing_signed`: two sides look for a fee that both take; lightningd's closingd.

use super::{Channel, ChannelError, ChannelOutput, error, warning};
use crate::message::ChannelMessage;
use crate::message::channel::ClosingSigned;
use crate::tlv::TlvStream;
use crate::transaction::{ClosingTransaction, Side};
use bitcoin::Script;
use bitcoin::hex::DisplayHex;

/// What the closing transaction may cost, in sat per 1000 weight (lightningd's `peer_start_closingd`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosingFees {
    /// The least.
    pub min_per_kw: u32,
    /// What we propose at first.
    pub wanted_per_kw: u32,
    /// The most, if we pay. If the peer pays, anything may do.
    pub max_per_kw: u32,
    /// How fast we yield to a peer that does not say which fees it takes (`fee_negotiation_step` of `close`).
    pub step: NegotiationStep,
}

/// By how much an offer comes closer to the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegotiationStep {
    /// Part of what lies between the two.
    Percent(u64),
    /// So many sat.
    Sat(u64),
}

impl Default for NegotiationStep {
    fn default() -> Self {
        Self::Percent(50)
    }
}

/// A negotiation under way. Fees are in sat.
#[derive(Debug, Clone)]
pub(super) struct Negotiation {
    min: u64,
    max: u64,
    step: NegotiationStep,
    /// Whether we say which fees we take, and so come to an end with the second message.
    quick: bool,
    /// The last offer of each side; ours, before it was made, is what we want.
    offers: [u64; 2],
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// The peer has not made an offer yet.
    First,
    /// The peer has to repeat our offer.
    Repeat,
    /// Neither named a range, or one did not: offers come closer to each other, strictly between the last two.
    Between { higher: Side, low: u64, high: u64 },
    /// Both made the same offer.
    Agreed,
}

impl Negotiation {
    fn fee_range(&self) -> Option<(u64, u64)> {
        self.quick.then_some((self.min, self.max))
    }

    /// What we answer to the range of a peer that has one, as the one who pays or the one who does not.
    fn quick_answer(&self, opener: Side, (their_min, their_max): (u64, u64)) -> Result<u64, ChannelError> {
        let ranges =
            format!("Our range {}sat-{}sat, other range {their_min}sat-{their_max}sat", self.min, self.max);
        let (low, high) = (self.min.max(their_min), self.max.min(their_max));
        if low > high {
            return warning(format!("Unable to agree on a feerate. {ranges}"));
        }
        let [ours, theirs] = self.offers;
        match opener {
            Side::Local if !(low..=high).contains(&theirs) => {
                warning(format!("Your fee {theirs}sat was not in range: {ranges}"))
            }
            Side::Local => Ok(theirs),
            Side::Remote => Ok(ours.clamp(low, high)),
        }
    }

    /// Our next offer, strictly between the last two.
    fn next_offer(&self, higher: Side, low: u64, high: u64) -> Result<u64, ChannelError> {
        if low + 1 >= high {
            return Ok(self.offers[Side::Remote as usize]);
        }
        let least = self.min.max(low);
        let Some(range) = high.checked_sub(least) else {
            return warning(format!("Feerange {low}sat-{high}sat below minimum acceptable {least}sat"));
        };
        let step = match self.step {
            // The ends have moved by one sat already.
            NegotiationStep::Sat(sat) => sat.saturating_sub(1),
            NegotiationStep::Percent(percent) => range.saturating_mul(percent) / 100,
        };
        Ok(match higher {
            Side::Local => high.saturating_sub(step).max(least),
            Side::Remote => least.saturating_add(step).min(high),
        })
    }
}

/// The ends between which offers have to be, after `side` made `offer`.
fn narrow(higher: Side, side: Side, offer: u64, low: &mut u64, high: &mut u64) {
    if side == higher {
        *high = offer.saturating_sub(1);
    } else {
        *low = offer.saturating_add(1);
    }
}

impl Channel {
    /// Looks for a fee that both take; the opener makes the first offer. Call it on [`ChannelOutput::ShutdownComplete`], on each
    /// connection anew. [`ChannelOutput::Closed`] tells the result.
    ///
    /// # Errors
    ///
    /// If there is nothing to pay out, or the opener cannot pay any fee that we take. Treat it as an error in a message.
    pub fn negotiate_close(&mut self, fees: ClosingFees) -> Result<(), ChannelError> {
        let weight = self.closing(0)?.weight();
        let fee = |feerate: u32| u64::from(feerate) * weight / 1000;
        let max = match self.terms.opener {
            Side::Local => fee(fees.max_per_kw),
            // Who does not pay need not have a limit.
            Side::Remote => self.terms.capacity_sat,
        };
        let min = fee(fees.min_per_kw).min(max);
        let wanted = fee(fees.wanted_per_kw).clamp(min, max);
        self.closing = Some(Negotiation {
            min,
            max,
            step: fees.step,
            quick: fees.step == NegotiationStep::default() || self.terms.channel_type.anchors,
            offers: [wanted, 0],
            stage: Stage::First,
        });
        if self.terms.opener == Side::Local {
            self.offer_close(wanted)?;
        }
        Ok(())
    }

    fn negotiation(&mut self) -> &mut Negotiation {
        self.closing.as_mut().expect("closing_signed is read while negotiating only")
    }

    fn scripts(&self) -> [&Script; 2] {
        let scripts = self.record.shutdown_script.each_ref();
        scripts.map(|script| script.as_deref().expect("both sides have sent shutdown"))
    }

    fn closing_balances_msat(&self) -> [u64; 2] {
        Side::BOTH.map(|side| self.balance_msat(side))
    }

    fn closing(&self, fee_sat: u64) -> Result<ClosingTransaction, ChannelError> {
        match ClosingTransaction::new(&self.terms, self.closing_balances_msat(), self.scripts(), fee_sat) {
            Some(closing) => Ok(closing),
            None => self.no_closing(fee_sat),
        }
    }

    /// Why there is no closing transaction with this fee.
    fn no_closing<T>(&self, fee_sat: u64) -> Result<T, ChannelError> {
        let balances = self.closing_balances_msat().map(|msat| msat / 1000);
        let [ours, theirs] = balances;
        if balances[self.terms.opener as usize] < fee_sat {
            return warning(format!("Funder cannot afford fee {fee_sat}sat ({ours}sat and {theirs}sat)"));
        }
        let dust = self.terms.config(Side::Local).dust_limit_satoshis;
        error(format!(
            "Both outputs below dust limit: funding = {}sat fee = {fee_sat}sat dust_limit = {dust}sat LOCAL = {ours}sat REMOTE = {theirs}sat",
            self.terms.capacity_sat
        ))
    }

    fn offer_close(&mut self, fee_satoshis: u64) -> Result<(), ChannelError> {
        let closing = self.closing(fee_satoshis)?;
        let signature = self.keys.sign_closing(&closing);
        self.negotiation().offers[Side::Local as usize] = fee_satoshis;
        let mut message =
            ClosingSigned { channel_id: self.channel_id, fee_satoshis, signature, tlvs: TlvStream::new() };
        if let Some(range) = self.negotiation().fee_range() {
            message.set_fee_range(range);
        }
        self.send(message);
        Ok(())
    }

    pub(super) fn receive_closing(&mut self, message: ChannelMessage) -> Result<(), ChannelError> {
        match message {
            ChannelMessage::ClosingSigned(message) => self.receive_closing_signed(&message),
            // Said again, or too late.
            ChannelMessage::ChannelReady(_)
            | ChannelMessage::Shutdown(_)
            | ChannelMessage::AnnouncementSignatures(_) => Ok(()),
            message => warning(format!("Expected closing_signed: {}", message.encode().as_hex())),
        }
    }

    fn receive_closing_signed(&mut self, message: &ClosingSigned) -> Result<(), ChannelError> {
        let (fee, signature) = (message.fee_satoshis, &message.signature);
        let signed = ClosingTransaction::signed_by_peer(
            &self.terms,
            self.closing_balances_msat(),
            self.scripts(),
            fee,
            signature,
        );
        let closing = match signed {
            Some(Ok(closing)) => closing,
            Some(Err(_)) => {
                let expected = bitcoin::consensus::encode::serialize_hex(self.closing(fee)?.transaction());
                return warning(format!("Bad closing_signed signature for {expected}"));
            }
            None => return self.no_closing(fee),
        };
        let negotiation = self.negotiation();
        negotiation.offers[Side::Remote as usize] = fee;
        let stage = negotiation.stage.clone();
        match (stage, message.fee_range()) {
            (Stage::Agreed, _) => return Ok(()),
            (Stage::First, Some(range)) if self.negotiation().quick => self.answer_range(range)?,
            (Stage::First, _) => self.answer_first_offer()?,
            (Stage::Repeat, _) => {
                let ours = self.negotiation().offers[Side::Local as usize];
                if ours != fee {
                    return warning(format!("Your fee {fee}sat was not equal to {ours}sat"));
                }
            }
            (Stage::Between { higher, low, high }, _) => self.answer_between(higher, low, high)?,
        }
        let negotiation = self.negotiation();
        let [ours, theirs] = negotiation.offers;
        if ours == theirs {
            negotiation.stage = Stage::Agreed;
            let transaction = self.keys.fully_signed_closing(&closing, signature);
            self.outputs.push(ChannelOutput::Closed { transaction, fee_sat: fee });
        }
        Ok(())
    }

    /// Both name ranges: one answer of each settles it.
    fn answer_range(&mut self, range: (u64, u64)) -> Result<(), ChannelError> {
        let opener = self.terms.opener;
        let negotiation = self.negotiation();
        let answer = negotiation.quick_answer(opener, range)?;
        negotiation.stage = Stage::Repeat;
        // The opener has made its offer; it need not say the same again.
        if opener == Side::Remote || answer != self.negotiation().offers[Side::Local as usize] {
            self.offer_close(answer)?;
        }
        Ok(())
    }

    /// The peer names no range, or we do not: from here on each offer is between the last two.
    fn answer_first_offer(&mut self) -> Result<(), ChannelError> {
        let opener = self.terms.opener;
        if opener == Side::Remote {
            let wanted = self.negotiation().offers[Side::Local as usize];
            self.offer_close(wanted)?;
        }
        let negotiation = self.negotiation();
        let [ours, theirs] = negotiation.offers;
        let higher = if ours > theirs { Side::Local } else { Side::Remote };
        let (mut low, mut high) = (0, negotiation.max);
        narrow(higher, opener, negotiation.offers[opener as usize], &mut low, &mut high);
        if opener == Side::Local {
            return self.answer_between(higher, low, high);
        }
        narrow(higher, Side::Local, ours, &mut low, &mut high);
        negotiation.stage = Stage::Between { higher, low, high };
        Ok(())
    }

    /// It is our turn: the peer's last offer narrows the range, and so does ours.
    fn answer_between(&mut self, higher: Side, mut low: u64, mut high: u64) -> Result<(), ChannelError> {
        let negotiation = self.negotiation();
        let [ours, theirs] = negotiation.offers;
        if ours == theirs {
            return Ok(());
        }
        narrow(higher, Side::Remote, theirs, &mut low, &mut high);
        let offer = negotiation.next_offer(higher, low, high)?;
        self.offer_close(offer)?;
        narrow(higher, Side::Local, offer, &mut low, &mut high);
        self.negotiation().stage = Stage::Between { higher, low, high };
        Ok(())
    }
}
