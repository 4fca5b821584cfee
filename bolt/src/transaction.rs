//! The transactions of a channel and their signatures (BOLT 3), over LDK's `chan_utils`: the one module that names `lightning::`.
//!
//! Numbers of commitments count up from 0, as lightningd counts them. Balances and HTLCs are in msat, outputs and fees in sat,
//! fee rates in sat per 1000 weight units.
//!
//! | file | subject |
//! |---|---|
//! | `terms.rs` | what two sides agreed upon before funding: everything below depends on it |
//! | `commitment.rs` | commitment transactions: which outputs there are, what is trimmed, the fee |
//! | `signature.rs` | signatures of a commitment and its HTLCs: made, verified, put in |
//! | `htlc.rs` | HTLC-success and HTLC-timeout transactions |
//! | `closing.rs` | the closing transaction |
//! | `output.rs` | what the outputs of a commitment on the chain are |
//! | `claim.rs` | transactions that bring an output of a commitment home: sweeps, HTLCs, penalties |
//! | `shachain.rs` | the secrets that the peer revealed, in as many rows as lightningd keeps |

mod claim;
mod closing;
mod commitment;
mod htlc;
mod output;
pub(crate) mod shachain;
mod signature;
mod terms;

pub use claim::{ANCHOR_SAT, Claim, PenaltyBase};
pub use closing::ClosingTransaction;
pub use commitment::{
    Commitment, CommitmentHtlc, CommitmentSpec, HtlcOutput, anchors_sat, commitment_fee_sat, is_trimmed,
};
pub use htlc::HtlcTransaction;
pub use output::{CommitmentOutput, commitment_number, commitment_outputs, preimage_in_witness};
pub use shachain::{BadSecret, KnownSecret, Shachain};
pub use signature::{BadSignature, CommitmentSignatures};
pub use terms::{ChannelConfig, ChannelType, Side, Terms, UnknownChannelType, funding_script};
