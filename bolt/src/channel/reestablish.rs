//! The end of a connection, and `channel_reestablish` on the next one: lightningd's `peer_reconnect`.

use super::open::Negotiated;
use super::state::HtlcState;
use super::{Channel, ChannelError, ChannelOutput, error, warning, wire_name};
use crate::features::Features;
use crate::message::ChannelMessage;
use crate::message::channel::{ChannelReestablish, UpdateFee};
use crate::tlv::TlvStream;
use crate::transaction::Side;
use bitcoin::hex::DisplayHex;

/// Whether, and how far, the two sides are connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// No connection.
    Down,
    /// We have said `channel_reestablish`. Other messages that come before the peer's wait for it: LND sends some early.
    AwaitingReestablish {
        /// What came early.
        early: Vec<ChannelMessage>,
    },
    /// All messages may be exchanged.
    Up,
}

/// How many messages may come too early.
const MOST_EARLY_MESSAGES: usize = 10;

/// From here on there are no commitments.
const END_OF_NUMBERS: u64 = 1 << 48;

impl Channel {
    /// The connection is gone, at whatever moment: what nobody is committed to was never said.
    pub fn disconnected(&mut self) {
        self.outputs.retain(|output| !matches!(output, ChannelOutput::Send(_)));
        for id in self.record.forget_uncommitted() {
            self.outputs.push(ChannelOutput::HtlcDropped { id });
        }
        self.link = Link::Down;
        self.shutdown_sent = false;
        self.shutdown_received = false;
        self.shutdown_complete = false;
        self.closing = None;
    }

    /// There is a connection again, and `init` with these features went both ways: queues `channel_reestablish`.
    pub fn reconnected(&mut self, ours: &Features, theirs: &Features) {
        if self.link != Link::Down {
            self.disconnected();
        }
        self.negotiated = Negotiated::new(ours, theirs);
        self.link = Link::AwaitingReestablish { early: Vec::new() };
        let revocations = self.record.revocations_received();
        let last = revocations.checked_sub(1).and_then(|number| self.record.shachain.get(number));
        let next = self.next_commitment_number(Side::Local);
        self.send(ChannelReestablish {
            channel_id: self.channel_id,
            next_commitment_number: next,
            next_revocation_number: revocations,
            your_last_per_commitment_secret: last.unwrap_or_default(),
            my_current_per_commitment_point: self.keys.per_commitment_point(next - 1),
            tlvs: TlvStream::new(),
        });
    }

    pub(super) fn receive_reestablishing(&mut self, message: ChannelMessage) -> Result<(), ChannelError> {
        let early = match &mut self.link {
            Link::AwaitingReestablish { early } => std::mem::take(early),
            Link::Up | Link::Down => Vec::new(),
        };
        match message {
            ChannelMessage::ChannelReestablish(message) => {
                if message.channel_id != self.channel_id {
                    return error(format!("bad reestablish msg for unknown channel {}", message.channel_id));
                }
                self.reestablish(&message)?;
                early.into_iter().try_for_each(|message| self.receive_connected(message))
            }
            message if early.len() < MOST_EARLY_MESSAGES => {
                let early = early.into_iter().chain([message]).collect();
                self.link = Link::AwaitingReestablish { early };
                Ok(())
            }
            message => warning(format!("bad reestablish msg: {}", wire_name(&message))),
        }
    }

    fn reestablish(&mut self, theirs: &ChannelReestablish) -> Result<(), ChannelError> {
        let resend_revoke = self.check_revocation_number(theirs)?;
        let resend_commit = self.check_commitment_number(theirs.next_commitment_number)?;
        self.check_last_secret(theirs)?;
        self.link = Link::Up;
        // Before both have said `channel_ready` the peer would take no commitment.
        self.may_begin_with_fee = Side::BOTH.into_iter().all(|side| self.is_channel_ready(side));

        let nothing_committed =
            theirs.next_commitment_number == 1 && self.next_commitment_number(Side::Local) == 1;
        if self.is_channel_ready(Side::Local) && nothing_committed {
            self.say_channel_ready();
        }
        // In the order in which they were said first.
        if resend_revoke && !self.record.last_was_revoke {
            self.send_revoke_and_ack();
        }
        if resend_commit {
            self.resend_updates();
            self.resend_commitment_signed();
        }
        if resend_revoke && self.record.last_was_revoke {
            self.send_revoke_and_ack();
        }
        self.send_shutdown();
        self.outputs.push(ChannelOutput::Reestablished);
        self.send_removals(HtlcState::SentRemoveHtlc);
        Ok(())
    }

    /// Whether our last `revoke_and_ack` did not arrive.
    fn check_revocation_number(&self, theirs: &ChannelReestablish) -> Result<bool, ChannelError> {
        let (number, next) = (theirs.next_revocation_number, self.next_commitment_number(Side::Local));
        if number == next - 1 {
            return Ok(false);
        }
        if number > next - 1 {
            return Err(self.judge_future(theirs));
        }
        if number + 2 == next {
            return Ok(true);
        }
        // This is what a peer looks like that has lost its data. It may ask us to close.
        let text = format!("bad reestablish revocation_number: {number} vs {next}");
        Err(ChannelError::WarningWithoutDisconnect(text))
    }

    /// The peer knows of commitments that we do not: does it prove that, with a secret that only we can have told?
    fn judge_future(&self, theirs: &ChannelReestablish) -> ChannelError {
        let (number, next) = (theirs.next_revocation_number, self.next_commitment_number(Side::Local));
        let proved = number <= END_OF_NUMBERS
            && self.keys.per_commitment_secret(number - 1) == theirs.your_last_per_commitment_secret;
        if proved {
            return ChannelError::FallenBehind("Awaiting unilateral close".to_owned());
        }
        ChannelError::Error(format!("bad future last_local_per_commit_secret: {number} vs {}", next - 1))
    }

    /// Whether our last `commitment_signed` did not arrive.
    fn check_commitment_number(&self, number: u64) -> Result<bool, ChannelError> {
        let next = self.next_commitment_number(Side::Remote);
        if number == next {
            return Ok(false);
        }
        // The first commitment is signed by the opening messages, which are not said again.
        if number == 0 && next == 1 {
            return error("bad reestablish commitment_number: 0");
        }
        // A commitment whose revocation we have got did arrive.
        if number == next - 1 && self.record.awaits_revocation() {
            return Ok(true);
        }
        error(format!("bad reestablish commitment_number: {number} vs {next}"))
    }

    fn check_last_secret(&self, theirs: &ChannelReestablish) -> Result<(), ChannelError> {
        let number = theirs.next_revocation_number;
        let expected =
            number.checked_sub(1).map(|last| self.keys.per_commitment_secret(last)).unwrap_or_default();
        if theirs.your_last_per_commitment_secret == expected {
            return Ok(());
        }
        error(format!(
            "bad reestablish: your_last_per_commitment_secret {number}: {} should be {}",
            theirs.your_last_per_commitment_secret.as_hex(),
            expected.as_hex()
        ))
    }

    /// The updates that our last `commitment_signed` committed: those that make room first, as lightningd sorts them.
    fn resend_updates(&mut self) {
        self.send_removals(HtlcState::SentRemoveCommit);
        let added = self.htlcs().filter(|htlc| htlc.state == HtlcState::SentAddCommit);
        let messages: Vec<_> = added.map(|htlc| htlc.add_message(self.channel_id)).collect();
        for message in messages {
            self.send(message);
        }
        if let Some(feerate_per_kw) = self.record.fees.get(HtlcState::SentAddCommit) {
            self.send(UpdateFee { channel_id: self.channel_id, feerate_per_kw, tlvs: TlvStream::new() });
        }
    }

    fn send_removals(&mut self, state: HtlcState) {
        let removed = self.htlcs().filter(|htlc| htlc.state == state);
        let messages: Vec<_> = removed.filter_map(|htlc| htlc.removal_message(self.channel_id)).collect();
        for message in messages {
            self.send(message);
        }
    }
}
