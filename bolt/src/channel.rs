//! The state machine of a channel (BOLT 2), from opening to closing, without I/O: messages in, messages and events out.
//!
//! An [`Opening`] becomes a [`Channel`]. Whoever owns it hands in the peer's messages with [`Channel::receive`], its own wishes with the
//! other methods, lets it commit with [`Channel::commit`] when it is done with an input, stores [`Channel::record`], and only then
//! releases what [`Channel::take_outputs`] gives. Rules, states and texts are those of lightningd's openingd, channeld and closingd.
//!
//! | file | subject |
//! |---|---|
//! | `open.rs`, `offer.rs`, `accept.rs`, `bounds.rs` | `open_channel` to `funding_signed`; which proposals are taken |
//! | `state.rs`, `htlc.rs`, `fee.rs` | the 20 states; HTLCs; fee rates, which go through the same states |
//! | `balance.rs`, `limits.rs` | who has what in which commitment; what may be added to it |
//! | `update.rs`, `commit.rs`, `revoke.rs` | `update_…`; `commitment_signed`; `revoke_and_ack` and penalties |
//! | `reestablish.rs` | disconnections, and what is said again after one |
//! | `shutdown.rs`, `close.rs` | `shutdown`; `closing_signed` |
//! | `record.rs` | what has to survive a restart |

mod accept;
mod balance;
mod bounds;
mod close;
mod commit;
mod fee;
mod htlc;
mod limits;
mod offer;
mod open;
mod record;
mod reestablish;
mod revoke;
mod shutdown;
mod state;
mod update;

pub use bounds::OpeningLimits;
pub use close::{ClosingFees, NegotiationStep};
pub use fee::FeeStates;
pub use htlc::{AddHtlc, AddHtlcError, Htlc, Removal, RemoveHtlcError};
pub use open::{Acceptance, Negotiated, OpenError, OpenRequest, Opening, OurSide};
pub use record::{Record, RestoreError};
pub use shutdown::is_shutdown_script;
pub use state::HtlcState;

use crate::ChannelId;
use crate::channel_keys::ChannelKeys;
use crate::message::ChannelMessage;
use crate::short_channel_id::ShortChannelId;
use crate::transaction::{Commitment, PenaltyBase, Side, Terms};
use bitcoin::Transaction;
use bitcoin::secp256k1::PublicKey;
use close::Negotiation;
use reestablish::Link;
use std::ops::RangeInclusive;
use thiserror::Error;

/// A channel with a funding transaction and a signed commitment.
#[derive(Debug, Clone)]
pub struct Channel {
    terms: Terms,
    keys: ChannelKeys,
    channel_id: ChannelId,
    /// What is durable, and updates that are not committed yet.
    record: Record,
    /// Our commitment, which the peer has signed.
    local_commitment: Commitment,
    /// The point of ours that was derived last, and the number of its commitment.
    last_point: Option<(u64, PublicKey)>,
    link: Link,
    negotiated: Negotiated,
    /// What we want the commitments to pay, if we are the opener.
    wanted_feerate: Option<u32>,
    /// Whether a change of the fee rate may be the very first commitment: with a peer that has reestablished the channel it may.
    may_begin_with_fee: bool,
    /// What the peer may set, if it is the opener.
    feerate_range: RangeInclusive<u32>,
    /// Commitment number of the last `commitment_signed` without a change.
    empty_commitment: Option<u64>,
    /// Whether `shutdown` was sent on this connection.
    shutdown_sent: bool,
    /// Whether the peer's came on this connection: before it comes, the peer may have to say a commitment again.
    shutdown_received: bool,
    shutdown_complete: bool,
    closing: Option<Negotiation>,
    outputs: Vec<ChannelOutput>,
}

/// What a channel wants done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly all of them are messages, and few are alive at once")]
pub enum ChannelOutput {
    /// To the peer, once the record is stored.
    Send(ChannelMessage),
    /// Both sides have sent `channel_ready`, and neither wants to close the channel already.
    Ready,
    /// `channel_reestablish` went both ways, and what was lost has been sent again.
    Reestablished,
    /// An incoming HTLC is irrevocably committed (`RcvdAddAckRevocation`): forward it, hold it or remove it.
    HtlcCommitted {
        /// Its id.
        id: u64,
    },
    /// One of ours was never committed, and is forgotten with the connection.
    HtlcDropped {
        /// Its id, which will be used again.
        id: u64,
    },
    /// The peer paid one of ours, and it is out of our commitment (`RcvdRemoveCommit`, when lightningd hears of it).
    HtlcFulfilled {
        /// Its id.
        id: u64,
        /// Hashes to its payment hash.
        preimage: [u8; 32],
    },
    /// The peer failed one of ours, and it is out of our commitment (`RcvdRemoveCommit`); it may still be in an older one of the peer.
    HtlcFailed {
        /// Its id.
        id: u64,
        /// How, which is no [`Removal::Fulfill`].
        removal: Removal,
    },
    /// One of ours is gone for good (`RcvdRemoveAckRevocation`).
    HtlcRemoved {
        /// Its id.
        id: u64,
        /// How it ended.
        removal: Removal,
    },
    /// An incoming one is gone for good (`SentRemoveAckRevocation`).
    HtlcForgotten {
        /// Its id.
        id: u64,
        /// How we ended it.
        removal: Removal,
    },
    /// The peer revoked its commitment of this number; [`Channel::penalty`] makes the transaction that punishes its use.
    Revoked {
        /// Counted up from 0.
        commitment_number: u64,
        /// The output that the penalty takes; `None` if the peer had no output in that commitment.
        penalty_base: Option<PenaltyBase>,
    },
    /// The peer wants to close the channel.
    ShutdownReceived,
    /// Both want to close, and no HTLC is left: time for [`Channel::negotiate_close`].
    ShutdownComplete,
    /// Both agree on the closing transaction.
    Closed {
        /// Fully signed.
        transaction: Transaction,
        /// What they have agreed on. Outputs that nobody would relay are left to the miners as well.
        fee_sat: u64,
    },
}

/// Why a message of the peer is refused. Texts are lightningd's.
///
/// The durable part of the channel is as it was before the message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChannelError {
    /// Send a `warning` and close the connection; the channel lives on.
    #[error("{0}")]
    Warning(String),
    /// Send a `warning` and wait for what the peer does.
    #[error("{0}")]
    WarningWithoutDisconnect(String),
    /// Send an `error` and fail the channel: our commitment goes on the chain.
    #[error("{0}")]
    Error(String),
    /// Send an `error`, so that the peer closes. It has proved that it knows more than we do: our commitment must never go on
    /// the chain, because it is revoked.
    #[error("{0}")]
    FallenBehind(String),
}

fn warning<T>(text: impl Into<String>) -> Result<T, ChannelError> {
    Err(ChannelError::Warning(text.into()))
}

fn error<T>(text: impl Into<String>) -> Result<T, ChannelError> {
    Err(ChannelError::Error(text.into()))
}

/// The name of a message in lightningd's source, for example `WIRE_UPDATE_FEE`.
fn wire_name(message: &ChannelMessage) -> String {
    format!("WIRE_{}", message.name().to_uppercase())
}

impl Channel {
    /// What does not change.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Our keys.
    pub fn keys(&self) -> &ChannelKeys {
        &self.keys
    }

    /// Its name between the two nodes.
    pub fn channel_id(&self) -> ChannelId {
        self.channel_id
    }

    /// HTLCs, those that are not yet committed included, ours first, by id.
    pub fn htlcs(&self) -> impl Iterator<Item = &Htlc> {
        self.record.htlcs.values()
    }

    /// One HTLC.
    pub fn htlc(&self, owner: Side, id: u64) -> Option<&Htlc> {
        self.record.htlcs.get(&(owner, id))
    }

    /// What the commitment of `side` pays.
    pub fn feerate_per_kw(&self, side: Side) -> u32 {
        self.record.fees.of(side)
    }

    /// The number that the next commitment of `side` will have.
    pub fn next_commitment_number(&self, side: Side) -> u64 {
        self.record.next_commitment_number[side as usize]
    }

    /// Whether `side` has sent `channel_ready`.
    pub fn is_channel_ready(&self, side: Side) -> bool {
        self.record.channel_ready[side as usize]
    }

    /// Whether messages can be exchanged: the peer is connected and has reestablished the channel.
    pub fn is_connected(&self) -> bool {
        self.link == Link::Up
    }

    /// Whether either side wants to close the channel.
    pub fn is_shutting_down(&self) -> bool {
        self.record.shutdown_script.iter().any(Option::is_some)
    }

    /// What is to be done since the last call. Nothing may be released before [`Self::record`] is stored.
    #[must_use = "messages to the peer are among them"]
    pub fn take_outputs(&mut self) -> Vec<ChannelOutput> {
        std::mem::take(&mut self.outputs)
    }

    /// Takes a message of the peer about this channel.
    ///
    /// `announcement_signatures` mean nothing here: they are for whoever announces the channel.
    ///
    /// # Errors
    ///
    /// If the message breaks a rule; nothing of it has then been taken over.
    pub fn receive(&mut self, message: ChannelMessage) -> Result<(), ChannelError> {
        match self.link {
            Link::Up => self.receive_connected(message)?,
            Link::AwaitingReestablish { .. } => self.receive_reestablishing(message)?,
            Link::Down => return warning(format!("{} before init", wire_name(&message))),
        }
        self.check_shutdown_complete();
        Ok(())
    }

    fn receive_connected(&mut self, message: ChannelMessage) -> Result<(), ChannelError> {
        use ChannelMessage as M;
        if message.channel_id() != self.channel_id {
            return error(format!(
                "Wrong channel id in {} (expected {})",
                wire_name(&message),
                self.channel_id
            ));
        }
        if self.closing.is_some() {
            return self.receive_closing(message);
        }
        let allowed_early = matches!(
            message,
            M::ChannelReady(_) | M::Shutdown(_) | M::UpdateFee(_) | M::AnnouncementSignatures(_)
        );
        if !self.is_channel_ready(Side::Remote) && !allowed_early {
            return warning(format!(
                "{} ({}) before funding locked",
                wire_name(&message),
                message.msg_type()
            ));
        }
        match message {
            M::ChannelReady(message) => {
                self.receive_channel_ready(&message);
                Ok(())
            }
            M::UpdateAddHtlc(message) => self.receive_add_htlc(message),
            M::UpdateFulfillHtlc(message) => self.receive_fulfill_htlc(&message),
            M::UpdateFailHtlc(message) => self.receive_fail_htlc(message),
            M::UpdateFailMalformedHtlc(message) => self.receive_fail_malformed_htlc(&message),
            M::UpdateFee(message) => self.receive_update_fee(&message),
            M::CommitmentSigned(message) => self.receive_commitment_signed(message),
            M::RevokeAndAck(message) => self.receive_revoke_and_ack(&message),
            M::Shutdown(message) => self.receive_shutdown(message),
            // Some peers say it twice. An error would make them drop the channel.
            M::ChannelReestablish(_) | M::AnnouncementSignatures(_) => Ok(()),
            M::OpenChannel(_)
            | M::AcceptChannel(_)
            | M::FundingCreated(_)
            | M::FundingSigned(_)
            | M::ClosingSigned(_) => {
                warning(format!("Peer sent unknown message {} ({})", message.msg_type(), wire_name(&message)))
            }
        }
    }

    fn send(&mut self, message: impl Into<ChannelMessage>) {
        self.outputs.push(ChannelOutput::Send(message.into()));
    }

    /// Says that the funding is deep enough for us, once; `alias` is how the peer may call the channel in invoices.
    /// lightningd says nothing any more when it has sent `shutdown`.
    pub fn send_channel_ready(&mut self, alias: Option<ShortChannelId>) {
        if self.is_channel_ready(Side::Local) || self.shutdown_sent {
            return;
        }
        self.record.aliases[Side::Local as usize] = alias;
        self.record.channel_ready[Side::Local as usize] = true;
        // Without a connection, reestablishing sends it.
        if self.is_connected() {
            self.say_channel_ready();
        }
        self.check_ready();
    }

    fn say_channel_ready(&mut self) {
        let mut message = crate::message::channel::ChannelReady {
            channel_id: self.channel_id,
            second_per_commitment_point: self.keys.per_commitment_point(1),
            tlvs: crate::tlv::TlvStream::new(),
        };
        if let Some(alias) = self.record.aliases[Side::Local as usize] {
            message.set_alias(alias);
        }
        self.send(message);
    }

    fn receive_channel_ready(&mut self, message: &crate::message::channel::ChannelReady) {
        if self.is_channel_ready(Side::Remote) {
            return;
        }
        self.record.old_remote_per_commit = self.record.remote_per_commit;
        self.record.remote_per_commit = message.second_per_commitment_point;
        self.record.channel_ready[Side::Remote as usize] = true;
        self.record.aliases[Side::Remote as usize] = message.alias();
        self.check_ready();
    }

    fn check_ready(&mut self) {
        if self.record.channel_ready == [true; 2] && !self.is_shutting_down() {
            self.outputs.push(ChannelOutput::Ready);
        }
    }
}
