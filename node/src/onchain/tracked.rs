//! Outputs that come of a closed channel, what is to be done about each, and what became of it.

use super::names::{OutputKind, TxKind};
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::{OutPoint, Txid, Witness};
use leyden_bolt::ChannelKeys;
use leyden_bolt::transaction::{Claim, CommitmentHtlc, HtlcTransaction, Terms};

/// After so many blocks what resolved an output cannot be undone (BOLT 5).
pub(super) const IRREVOCABLE_DEPTH: u32 = 100;

/// An output that the node follows.
#[derive(Debug)]
pub(crate) struct TrackedOutput {
    /// The transaction that made it.
    pub(super) tx_kind: TxKind,
    pub(super) kind: OutputKind,
    pub(crate) outpoint: OutPoint,
    pub(crate) sat: u64,
    /// The height of its block, and how deep that is.
    pub(super) height: u32,
    pub(super) depth: u32,
    pub(super) htlc: Option<CommitmentHtlc>,
    /// The second stage of an HTLC on our commitment, with the peer's signature.
    pub(super) second_stage: Option<(HtlcTransaction, Signature)>,
    pub(crate) proposal: Option<Proposal>,
    pub(super) resolved: Option<Resolution>,
}

/// What is to be done about an output.
#[derive(Debug, Clone)]
pub(crate) struct Proposal {
    pub(crate) kind: TxKind,
    pub(crate) means: Means,
    /// The first block that can have the transaction.
    pub(super) block: u32,
    /// The transaction that was sent.
    pub(super) sent: Option<Txid>,
}

/// With what.
#[derive(Debug, Clone)]
pub(crate) enum Means {
    /// Nothing: from that block on the output is the peer's.
    Ignore,
    /// A transaction of our own.
    Claim(Claim),
    /// The HTLC transaction that the peer has signed; with a preimage it is HTLC-success.
    SecondStage { transaction: HtlcTransaction, signature: Signature, preimage: Option<[u8; 32]> },
}

/// What has become of an output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolution {
    pub(super) txid: Txid,
    pub(super) depth: u32,
    pub(super) kind: TxKind,
}

impl TrackedOutput {
    pub(super) fn new(tx_kind: TxKind, kind: OutputKind, outpoint: OutPoint, sat: u64, height: u32) -> Self {
        Self {
            tx_kind,
            kind,
            outpoint,
            sat,
            height,
            depth: 0,
            htlc: None,
            second_stage: None,
            proposal: None,
            resolved: None,
        }
    }

    /// How it is called in the log.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.tx_kind, self.kind)
    }

    /// From which block on the payer of an HTLC may take it back; 0 if it is none.
    pub(super) fn expiry(&self) -> u32 {
        self.htlc.map_or(0, |htlc| htlc.cltv_expiry)
    }

    /// How deep its block has to be for the proposal.
    pub(super) fn depth_required(&self) -> Option<u32> {
        self.proposal.as_ref().map(|proposal| proposal.block.saturating_sub(self.height))
    }

    pub(super) fn is_irrevocable(&self) -> bool {
        self.resolved.is_some_and(|resolved| resolved.depth >= IRREVOCABLE_DEPTH)
    }

    /// Whether a transaction that is proposed can go into the block after `height`, and was not sent.
    pub(crate) fn is_due(&self, height: u32) -> bool {
        let due = |proposal: &Proposal| {
            !matches!(proposal.means, Means::Ignore)
                && proposal.sent.is_none()
                && proposal.block <= height + 1
        };
        self.resolved.is_none() && self.proposal.as_ref().is_some_and(due)
    }
}

impl Means {
    /// Whether this is how we would have spent the output: signatures differ with what else is in the transaction.
    pub(super) fn made(&self, witness: &Witness, keys: &ChannelKeys, terms: &Terms) -> bool {
        let elements: Vec<&[u8]> = witness.iter().collect();
        match self {
            Self::Ignore => false,
            Self::Claim(claim) => {
                let expected = keys.claim_elements(terms, claim);
                elements.len() == expected.len() + 1
                    && elements[1..].iter().zip(&expected).all(|(got, want)| got == want)
            }
            Self::SecondStage { transaction, preimage, .. } => {
                let secret = preimage.as_ref().map_or(&[][..], |preimage| preimage);
                matches!(elements[..], [&[], _, _, element, script]
                    if element == secret && script == transaction.script().as_bytes())
            }
        }
    }
}
