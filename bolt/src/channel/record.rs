//! What of a channel has to survive a restart.

use super::Channel;
use super::fee::FeeStates;
use super::htlc::Htlc;
use super::open::Negotiated;
use super::reestablish::Link;
use super::state::HtlcState;
use crate::ChannelId;
use crate::channel_keys::ChannelKeys;
use crate::short_channel_id::ShortChannelId;
use crate::transaction::{
    BadSignature, Commitment, CommitmentSignatures, PenaltyBase, Shachain, Side, Terms,
};
use bitcoin::ScriptBuf;
use bitcoin::secp256k1::PublicKey;
use std::collections::BTreeMap;
use thiserror::Error;

/// The durable part of a channel, beside [`Terms`] and [`ChannelKeys`]. Names of lightningd's columns are in brackets; arrays are
/// indexed by `Side as usize`.
///
/// It never has updates that nobody is committed to: after a restart, as after any disconnection, they were never said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Our balance, HTLCs that we offer included until they are gone (`channels.msatoshi_local`).
    pub our_msat: u64,
    /// The number of the next commitment of each side (`next_index_local`, `next_index_remote`).
    pub next_commitment_number: [u64; 2],
    /// The id of the next HTLC that each side offers (`next_htlc_id`; for the peer, one more than the largest `channel_htlc_id`).
    pub next_htlc_id: [u64; 2],
    /// Table `channel_feerates`.
    pub fees: FeeStates,
    /// HTLCs by owner and id; those that are gone are not among them (table `channel_htlcs`, states 9 and 19).
    pub htlcs: BTreeMap<(Side, u64), Htlc>,
    /// The peer's point for the next commitment that we sign (`per_commit_remote`).
    pub remote_per_commit: PublicKey,
    /// The peer's point of its commitment that is not revoked yet (`old_per_commit_remote`).
    pub old_remote_per_commit: PublicKey,
    /// The secrets that the peer revealed (tables `shachains`, `shachain_known`).
    pub shachain: Shachain,
    /// The peer's signatures for our commitment (`last_sig`, table `htlc_sigs`).
    pub signatures: CommitmentSignatures,
    /// Whether the last of `revoke_and_ack` and `commitment_signed` that we sent was the former (`last_was_revoke`).
    pub last_was_revoke: bool,
    /// Who has sent `channel_ready` (`funding_locked_remote`; ours follows from the channel's state).
    pub channel_ready: [bool; 2],
    /// What each calls the channel in its invoices (`alias_local`, `alias_remote`).
    pub aliases: [Option<ShortChannelId>; 2],
    /// Where each promised to close to, when the channel was opened (`remote_upfront_shutdown_script`).
    pub upfront_shutdown_script: [Option<ScriptBuf>; 2],
    /// Where each wants its money, from the wish to close on (`shutdown_scriptpubkey_local`, `…_remote`).
    pub shutdown_script: [Option<ScriptBuf>; 2],
    /// What the penalties of the peer's unrevoked commitments would take, by number (table `penalty_bases`).
    pub penalty_bases: BTreeMap<u64, PenaltyBase>,
}

/// Why a record is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// The peer's signatures do not fit the commitment that the record describes.
    #[error("the stored signatures do not fit commitment {number}: {error}")]
    Signature {
        /// Our commitment.
        number: u64,
        /// What does not fit.
        error: BadSignature,
    },
    /// A number that cannot be.
    #[error("expected {expected} of the channel, got {got}")]
    Number {
        /// What it should be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
}

impl Record {
    /// Without what nobody is committed to.
    pub(super) fn without_uncommitted(&self) -> Self {
        let mut record = self.clone();
        record.forget_uncommitted();
        record
    }

    /// Forgets updates that nobody is committed to (BOLT 2 "Message Retransmission"), and gives the ids of ours that were added.
    pub(super) fn forget_uncommitted(&mut self) -> Vec<u64> {
        let uncommitted = |side| {
            let of_side =
                self.htlcs.values().filter(move |htlc| htlc.owner == side && htlc.state.is_uncommitted());
            of_side.map(|htlc| htlc.id).collect::<Vec<u64>>()
        };
        let [ours, theirs] = Side::BOTH.map(uncommitted);
        for (next_id, ids) in self.next_htlc_id.iter_mut().zip([&ours, &theirs]) {
            *next_id = ids.first().copied().unwrap_or(*next_id);
        }
        self.htlcs.retain(|_, htlc| !htlc.state.is_uncommitted());
        for htlc in self.htlcs.values_mut().filter(|htlc| htlc.state == HtlcState::RcvdRemoveHtlc) {
            htlc.state = HtlcState::SentAddAckRevocation;
            htlc.removal = None;
        }
        self.fees.forget_uncommitted();
        ours
    }

    pub(super) fn revocations_received(&self) -> u64 {
        self.shachain.next_number()
    }

    /// Whether our last `commitment_signed` was not answered yet: there can be no second one.
    pub(super) fn awaits_revocation(&self) -> bool {
        self.revocations_received() + 1 < self.next_commitment_number[Side::Remote as usize]
    }

    /// Refuses numbers with which nothing could go on.
    fn check(&self, terms: &Terms) -> Result<(), RestoreError> {
        let [local, remote] = self.next_commitment_number;
        let bad = |expected, got: String| Err(RestoreError::Number { expected, got });
        if local == 0 || remote == 0 || local.max(remote) >= 1 << 48 {
            return bad("commitment numbers from 1 to 2^48", format!("{local} and {remote}"));
        }
        let revoked = self.revocations_received();
        if revoked + 1 != remote && revoked + 2 != remote {
            return bad(
                "all secrets but the last one or two",
                format!("{revoked} before commitment {remote}"),
            );
        }
        for htlc in self.htlcs.values() {
            let removing = matches!(htlc.state.number() % 10, 5..=9);
            if htlc.state.owner() != htlc.owner || htlc.state.is_dead() || removing != htlc.removal.is_some()
            {
                return bad(
                    "HTLCs in a state of their owner, with a removal if they are removed",
                    format!("{htlc:?}"),
                );
            }
        }
        let balances = Side::BOTH.map(|side| self.checked_balances_msat(terms, side));
        if balances.contains(&None) {
            return bad(
                "balances that the capacity covers",
                format!("{}msat of {}sat", self.our_msat, terms.capacity_sat),
            );
        }
        Ok(())
    }
}

impl Channel {
    /// What has to be stored before outputs are released.
    pub fn record(&self) -> Record {
        self.record.without_uncommitted()
    }

    /// Takes a channel up again, without a connection: [`Self::reconnected`] comes next.
    ///
    /// # Errors
    ///
    /// If the record is not one that [`Self::record`] gave: our commitment is made anew from it, and the stored signatures of the
    /// peer must fit.
    pub fn restore(terms: Terms, keys: ChannelKeys, mut record: Record) -> Result<Self, RestoreError> {
        record.forget_uncommitted();
        record.check(&terms)?;
        let number = record.next_commitment_number[Side::Local as usize] - 1;
        let local_commitment =
            record.commitment(&terms, Side::Local, number, keys.per_commitment_point(number));
        local_commitment
            .verify(&record.signatures)
            .map_err(|error| RestoreError::Signature { number, error })?;
        Ok(Self::new(terms, keys, record, local_commitment))
    }

    /// Without a connection.
    pub(super) fn new(terms: Terms, keys: ChannelKeys, record: Record, local_commitment: Commitment) -> Self {
        Self {
            channel_id: ChannelId::of_funding(terms.funding),
            terms,
            keys,
            record,
            local_commitment,
            last_point: None,
            link: Link::Down,
            negotiated: Negotiated::default(),
            wanted_feerate: None,
            may_begin_with_fee: false,
            feerate_range: 0..=u32::MAX,
            empty_commitment: None,
            shutdown_sent: false,
            shutdown_received: false,
            shutdown_complete: false,
            closing: None,
            outputs: Vec::new(),
        }
    }
}
