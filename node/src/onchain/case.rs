//! What a node knows of a channel when its funding output is spent: enough to decide what is whose
//! (`onchaind_wire.csv:onchaind_init`).

use super::names::TxKind;
use crate::coin_mvts::movement::Account;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use bitcoin::{ScriptBuf, Transaction};
use leyden_bolt::ChannelKeys;
use leyden_bolt::channel::HtlcState;
use leyden_bolt::transaction::{Commitment, CommitmentHtlc, Shachain, Terms, commitment_number};

/// The channel as it was last.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) account: Account,
    pub(crate) terms: Terms,
    pub(crate) keys: ChannelKeys,
    /// Our last commitment, and the peer's signatures of its HTLCs.
    pub(crate) commitment: Commitment,
    pub(crate) htlc_signatures: Vec<Signature>,
    /// What the peer has revoked.
    pub(crate) shachain: Shachain,
    /// The peer's points: of the commitment that it has not revoked, and of the next one.
    pub(crate) remote_points: [PublicKey; 2],
    /// Where each side wants its money when both close, as far as that is known.
    pub(crate) shutdown_scripts: [Option<ScriptBuf>; 2],
    /// Every HTLC that there ever was.
    pub(crate) htlcs: Vec<KnownHtlc>,
}

/// An HTLC, and what became of it before the channel was closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownHtlc {
    pub(crate) htlc: CommitmentHtlc,
    pub(crate) state: HtlcState,
    /// Of one that the peer offered: that we may take it.
    pub(crate) preimage: Option<[u8; 32]>,
}

/// Which way the channel ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// Both sides agreed.
    Mutual,
    /// Our last commitment.
    Ours,
    /// A commitment of the peer that is valid, with its point.
    Theirs(PublicKey),
    /// One that the peer has revoked, with its secret.
    Revoked(SecretKey),
    /// One of which we know nothing.
    Unknown,
}

impl End {
    pub(super) fn kind(&self) -> TxKind {
        match self {
            Self::Mutual => TxKind::MutualClose,
            Self::Ours => TxKind::OurUnilateral,
            Self::Theirs(_) => TxKind::TheirUnilateral,
            Self::Revoked(_) => TxKind::TheirRevokedUnilateral,
            Self::Unknown => TxKind::UnknownUnilateral,
        }
    }

    /// The peer's point, if it is the peer's commitment.
    pub(super) fn point(&self) -> Option<PublicKey> {
        match self {
            Self::Theirs(point) => Some(*point),
            Self::Revoked(secret) => Some(secret.public_key(&Secp256k1::signing_only())),
            _ => None,
        }
    }
}

impl Case {
    /// What the transaction is that spends the funding output, and what is said about its number.
    pub(super) fn end(&self, tx: &Transaction) -> (End, Vec<String>) {
        if self.is_mutual_close(tx) {
            return (End::Mutual, Vec::new());
        }
        let number = commitment_number(&self.terms, tx).unwrap_or(u64::MAX);
        let revoked = self.shachain.next_number();
        let mut log = vec![format!("commitnum = {number}, revocations_received = {revoked}")];
        let secret = || self.shachain.get(number).and_then(|secret| SecretKey::from_slice(&secret).ok());
        let [old, new] = self.remote_points;
        let end = if tx.compute_txid() == self.commitment.txid() {
            End::Ours
        } else if let Some(secret) = secret() {
            End::Revoked(secret)
        } else if number == revoked {
            log.push("Their unilateral tx, old commit point".to_owned());
            End::Theirs(old)
        } else if number == revoked + 1 {
            log.push("Their unilateral tx, new commit point".to_owned());
            End::Theirs(new)
        } else {
            End::Unknown
        };
        (end, log)
    }

    /// Whether it pays only to where the two sides wanted it, to each once at most.
    fn is_mutual_close(&self, tx: &Transaction) -> bool {
        let mut scripts: Vec<&ScriptBuf> = self.shutdown_scripts.iter().flatten().collect();
        tx.output.iter().all(|output| {
            let place = scripts.iter().position(|script| **script == output.script_pubkey);
            place.map(|place| scripts.swap_remove(place)).is_some()
        })
    }
}
