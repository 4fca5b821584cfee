//! A peer that says anything at any time, and signs whatever it likes: the channel refuses or takes it, and what is durable stays whole.

mod saying;

use super::{CONFIG, Pair, close_script, features, htlc, preimage, request};
use bitcoin::secp256k1::ecdsa::Signature;
use leyden_bolt::channel::{
    Channel, ChannelError, ChannelOutput, ClosingFees, Htlc, HtlcState, NegotiationStep, OpenRequest, Removal,
};
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::message::channel::{
    ChannelReady, ChannelReestablish, ClosingSigned, CommitmentSigned, RevokeAndAck, Shutdown, UpdateAddHtlc,
    UpdateFailHtlc, UpdateFailMalformedHtlc, UpdateFee, UpdateFulfillHtlc,
};
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::transaction::{ChannelType, Commitment, CommitmentHtlc, CommitmentSpec, Side};
use proptest::prelude::*;
use saying::{Action, Say, action};

/// The balances and HTLCs that our commitment will have when the peer has committed.
fn next_spec(channel: &Channel, feerate_per_kw: u32) -> CommitmentSpec {
    let mut balances = Side::BOTH.map(|side| i128::from(channel.balance_msat(side)));
    let mut htlcs = Vec::new();
    for htlc in channel.htlcs() {
        let moves = matches!(htlc.state.number(), 2 | 5 | 10 | 17);
        let state = HtlcState::from_number(htlc.state.number() + u8::from(moves)).expect("a state");
        let (committed, removed) = (state.is_committed(Side::Local), state.is_removed(Side::Local));
        if committed || removed {
            balances[htlc.owner as usize] -= i128::from(htlc.amount_msat);
        }
        if removed {
            balances[paid_to(htlc) as usize] += i128::from(htlc.amount_msat);
        }
        if committed {
            htlcs.push(CommitmentHtlc {
                offered_by: htlc.owner.other(),
                id: htlc.id,
                amount_msat: htlc.amount_msat,
                cltv_expiry: htlc.cltv_expiry,
                payment_hash: htlc.payment_hash,
            });
        }
    }
    let number = channel.next_commitment_number(Side::Local);
    let [ours, theirs] =
        balances.map(|balance| u64::try_from(balance).expect("nobody offers what it has not"));
    CommitmentSpec {
        side: Side::Remote,
        number,
        per_commitment_point: channel.keys().per_commitment_point(number),
        feerate_per_kw,
        to_local_msat: ours,
        to_remote_msat: theirs,
        htlcs,
    }
}

fn paid_to(htlc: &Htlc) -> Side {
    if let Some(Removal::Fulfill(_)) = htlc.removal { htlc.owner.other() } else { htlc.owner }
}

struct World {
    pair: Pair,
    /// What the hostile node said last about fees.
    feerate: u32,
    payments: u64,
}

impl World {
    fn new(kind: ChannelType, hostile_opener: bool) -> Self {
        let mut pair = Pair::ready(OpenRequest { push_msat: 500_000_000, ..request(kind) }, [CONFIG; 2]);
        if hostile_opener {
            pair.peers.reverse();
        }
        Self { pair, feerate: 1000, payments: 0 }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Say(say) => {
                if let Say::Fee(feerate) = say {
                    self.feerate = feerate;
                }
                let message = self.message(say);
                self.receive(message);
            }
            Action::Deliver => {
                if let Some(message) = self.pair.peers[0].inbox.pop_front() {
                    self.receive(message);
                }
            }
            Action::Add { amount_msat } => {
                self.payments += 1;
                // Either is right, as long as it is not a panic.
                self.pair.channel(0).add_htlc(htlc(self.payments, amount_msat)).ok();
            }
            Action::Remove { id, fulfill } => {
                let removal =
                    if fulfill { Removal::Fulfill(preimage(id)) } else { Removal::Fail(vec![0; 292]) };
                self.pair.channel(0).remove_htlc(id, removal).ok();
            }
            Action::Fee(feerate) => self.pair.channel(0).update_fee(feerate),
            Action::Commit => self.pair.channel(0).commit(),
            Action::Shutdown => self.pair.channel(0).shutdown(close_script(1)),
            Action::Negotiate => self.negotiate(),
            Action::Reconnect { honest } => self.reconnect(honest),
        }
        self.pair.flush(0);
        self.let_peer_speak();
        self.check();
    }

    /// lightningd starts it when the channel says that shutdown is complete.
    fn negotiate(&mut self) {
        if self.pair.events(0).contains(&ChannelOutput::ShutdownComplete) {
            let (min_per_kw, max_per_kw, step) = (253, 2000, NegotiationStep::Percent(10));
            let fees = ClosingFees { min_per_kw, wanted_per_kw: 500, max_per_kw, step };
            self.pair.channel(0).negotiate_close(fees).ok();
        }
    }

    /// The honest node behind the hostile one reads what is for it, for as long as it can make sense of it.
    fn let_peer_speak(&mut self) {
        while let Some(received) = self.pair.deliver(1) {
            if received.is_err() {
                self.pair.channel(1).disconnected();
                self.pair.peers[1].inbox.clear();
            }
        }
        self.pair.commit(1);
    }

    fn receive(&mut self, message: ChannelMessage) {
        let before = self.pair.channel(0).record();
        let early = !self.pair.channel(0).is_connected();
        if let Err(error) = self.pair.channel(0).receive(message) {
            // Behind a good channel_reestablish there may be early messages that were good before a bad one.
            if !early {
                assert_eq!(self.pair.channel(0).record(), before, "{error} left something behind");
            }
            if !matches!(error, ChannelError::WarningWithoutDisconnect(_)) {
                self.reconnect(true);
            }
        }
    }

    fn reconnect(&mut self, honest: bool) {
        self.pair.disconnect();
        self.pair.restart(0);
        self.pair.reconnect();
        let channel = self.pair.channel(0);
        let revoked = channel.next_commitment_number(Side::Local) - 1;
        let last = revoked.checked_sub(1).map(|last| channel.keys().per_commitment_secret(last));
        let message = ChannelReestablish {
            channel_id: channel.channel_id(),
            next_commitment_number: channel.next_commitment_number(Side::Remote),
            next_revocation_number: revoked,
            your_last_per_commitment_secret: last.unwrap_or_default(),
            my_current_per_commitment_point: channel.keys().per_commitment_point(0),
            tlvs: TlvStream::new(),
        };
        if honest {
            self.pair.channel(0).receive(message.into()).expect("nothing was lost");
        }
    }

    fn message(&self, say: Say) -> ChannelMessage {
        let (ours, keys) = (&self.pair.peers[0].channel, self.pair.peers[1].channel.keys());
        let (channel_id, tlvs) = (ours.channel_id(), TlvStream::new());
        match say {
            Say::Ready { point } => ChannelReady {
                channel_id,
                second_per_commitment_point: keys.per_commitment_point(point),
                tlvs,
            }
            .into(),
            Say::Add { id, amount_msat, cltv_expiry } => self.add(id, amount_msat, cltv_expiry).into(),
            Say::Fulfill { id, number } => {
                let number = number.unwrap_or_else(|| self.number_of(id));
                UpdateFulfillHtlc { channel_id, id, payment_preimage: preimage(number), tlvs }.into()
            }
            Say::Fail { id, length } => {
                UpdateFailHtlc { channel_id, id, reason: vec![0; length], tlvs }.into()
            }
            Say::FailMalformed { id, failure_code } => {
                UpdateFailMalformedHtlc { channel_id, id, sha256_of_onion: [0; 32], failure_code, tlvs }
                    .into()
            }
            Say::Fee(feerate_per_kw) => UpdateFee { channel_id, feerate_per_kw, tlvs }.into(),
            Say::Commit => {
                // Which of the two rates it will be is not seen from outside.
                let rates = [self.feerate, ours.feerate_per_kw(Side::Local)];
                let [first, second] =
                    rates.map(|feerate| ChannelMessage::from(self.commitment_signed(feerate)));
                if ours.clone().receive(first.clone()).is_ok() { first } else { second }
            }
            Say::BadCommit { signatures } => {
                let signature = bad_signature();
                CommitmentSigned { channel_id, signature, htlc_signature: vec![signature; signatures], tlvs }
                    .into()
            }
            Say::Revoke { number } => {
                let before_last = ours.next_commitment_number(Side::Remote).saturating_sub(2);
                let number = small(number.unwrap_or(before_last));
                RevokeAndAck {
                    channel_id,
                    per_commitment_secret: keys.per_commitment_secret(number),
                    next_per_commitment_point: keys.per_commitment_point(number + 2),
                    tlvs,
                }
                .into()
            }
            Say::Shutdown { script } => Shutdown { channel_id, scriptpubkey: script, tlvs }.into(),
            Say::Close { fee_satoshis, range } => {
                let mut message =
                    ClosingSigned { channel_id, fee_satoshis, signature: bad_signature(), tlvs };
                if let Some(range) = range {
                    message.set_fee_range(range);
                }
                message.into()
            }
            Say::Reestablish { commitment, revocation, secret } => ChannelReestablish {
                channel_id,
                next_commitment_number: commitment,
                next_revocation_number: revocation,
                your_last_per_commitment_secret: ours.keys().per_commitment_secret(small(secret)),
                my_current_per_commitment_point: keys.per_commitment_point(0),
                tlvs,
            }
            .into(),
        }
    }

    fn add(&self, id: Option<u64>, amount_msat: u64, cltv_expiry: u32) -> UpdateAddHtlc {
        let ours = &self.pair.peers[0].channel;
        let last = ours.htlcs().filter(|htlc| htlc.owner == Side::Remote).map(|htlc| htlc.id).max();
        let next = last.map_or(ours.record().next_htlc_id[1], |last| last + 1);
        let add = htlc(next, amount_msat);
        UpdateAddHtlc {
            channel_id: ours.channel_id(),
            id: id.unwrap_or(next),
            amount_msat,
            payment_hash: add.payment_hash,
            cltv_expiry,
            onion_routing_packet: add.onion,
            tlvs: add.tlvs,
        }
    }

    /// Of an HTLC that we offered: what its preimage is made of.
    fn number_of(&self, id: u64) -> u64 {
        let offered = self.pair.peers[0].channel.htlc(Side::Local, id);
        let fits = |number: &u64| {
            offered.is_some_and(|offered| htlc(*number, 0).payment_hash == offered.payment_hash)
        };
        (0..=self.payments).find(fits).unwrap_or_default()
    }

    fn commitment_signed(&self, feerate_per_kw: u32) -> CommitmentSigned {
        let (ours, theirs) = (&self.pair.peers[0].channel, &self.pair.peers[1].channel);
        let commitment = Commitment::new(theirs.terms(), next_spec(ours, feerate_per_kw));
        let signatures = theirs.keys().sign_commitment(&commitment);
        CommitmentSigned {
            channel_id: ours.channel_id(),
            signature: signatures.signature,
            htlc_signature: signatures.htlc_signatures,
            tlvs: TlvStream::new(),
        }
    }

    /// Whatever was said, what is stored can be taken up again, and nothing comes out of nowhere.
    fn check(&mut self) {
        let channel = &self.pair.peers[0].channel;
        let restored = Channel::restore(*channel.terms(), channel.keys().clone(), channel.record());
        let restored = restored.expect("what was stored is what was signed");
        assert_eq!(restored.record(), channel.record());
        assert!(channel.local_commitment().fee_sat() <= 1_000_000);
        let sides = Side::BOTH.map(|side| channel.balance_msat(side));
        assert_eq!(sides[0] + sides[1], 1_000_000_000);
        assert!(channel.spendable_msat() <= sides[0] && channel.receivable_msat() <= sides[1]);
        channel.remote_commitments();
    }
}

/// Numbers from 2^48 on have no secrets.
fn small(number: u64) -> u64 {
    number.min((1 << 48) - 3)
}

fn bad_signature() -> Signature {
    Signature::from_compact(&[1; 64]).expect("numbers in range")
}

proptest! {
    #![proptest_config(super::interleavings::config())]

    #[test]
    fn a_hostile_peer_breaks_nothing(anchors: bool, opener: bool, actions in prop::collection::vec(action(), 1..60)) {
        let kind = if anchors { ChannelType::ANCHORS } else { ChannelType::STATIC_REMOTEKEY };
        let mut world = World::new(kind, opener);
        for action in actions {
            world.act(action);
        }
        world.pair.channel(0).reconnected(&features(), &features());
    }
}
