//! BOLT 11 invoices: written as lightningd's `invoice` writes them, read into what its `decode` prints.
//!
//! The text format is the crate `lightning-invoice`'s; the order of the fields, which of them are left out, and what
//! is refused are lightningd's (`common/bolt11.c`). With the same key and the same fields the text is the same.
//! Two leniencies are the crate's: numbers with leading zeros are read, and of a repeated field the first counts.

mod decode;
mod encode;

use crate::features::Features;
use crate::short_channel_id::ShortChannelId;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::{Network, ScriptBuf};
use thiserror::Error;

/// `expiry` of an invoice that does not say, in seconds (BOLT 11).
pub const DEFAULT_EXPIRY_SECONDS: u64 = 3600;

/// `min_final_cltv_expiry` of an invoice that does not say (BOLT 11).
pub const DEFAULT_MIN_FINAL_CLTV_EXPIRY: u32 = 18;

/// The longest description that fits into a field, in bytes.
const FIELD_LIMIT: usize = 639;

/// The fields of an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// The chain; regtest is `bcrt` in lightningd's `currency`.
    pub network: Network,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Amount in msat; `None` lets the payer choose.
    pub amount_msat: Option<u64>,
    /// What the payment is for.
    pub description: Description,
    /// Seconds from `created_at`.
    pub expiry_seconds: u64,
    /// Blocks that the last HTLC must leave.
    pub min_final_cltv_expiry: u32,
    /// SHA-256 of the preimage.
    pub payment_hash: [u8; 32],
    /// Must come with the payment; see [`payment_secret`].
    pub payment_secret: [u8; 32],
    /// What the payer has to know. `option_payment_metadata` is written only with metadata.
    pub features: Features,
    /// Returned by the payer in the onion.
    pub payment_metadata: Option<Vec<u8>>,
    /// On-chain scripts to pay to instead, most preferred first.
    pub fallbacks: Vec<ScriptBuf>,
    /// Private routes to the payee.
    pub routes: Vec<Vec<RouteHop>>,
}

/// What an invoice is for: the text, or the hash of a text that is known otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Description {
    /// At most 639 bytes.
    Text(String),
    /// SHA-256 of the text.
    Hash([u8; 32]),
    /// Both: not written by lightningd, but read.
    Both {
        /// At most 639 bytes.
        text: String,
        /// SHA-256 of a text.
        hash: [u8; 32],
    },
}

impl Description {
    /// The hash of `text` instead of the text, as `deschashonly` asks for.
    pub fn hash_of(text: &str) -> Self {
        Self::Hash(sha256::Hash::hash(text.as_bytes()).to_byte_array())
    }

    /// The text, if there.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Both { text, .. } => Some(text),
            Self::Hash(_) => None,
        }
    }

    /// The hash, if there.
    pub fn hash(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Hash(hash) | Self::Both { hash, .. } => Some(hash),
            Self::Text(_) => None,
        }
    }
}

/// One channel of a private route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteHop {
    /// The node at the near end of the channel.
    pub pubkey: PublicKey,
    /// The channel, or its alias.
    pub short_channel_id: ShortChannelId,
    /// Fixed fee in msat.
    pub fee_base_msat: u32,
    /// Fee in millionths of the amount.
    pub fee_proportional_millionths: u32,
    /// Blocks that the hop wants to have.
    pub cltv_expiry_delta: u16,
}

/// A field with an unknown tag, or a known one of the wrong length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraField {
    /// Its bech32 letter.
    pub tag: char,
    /// Its data in bech32 letters.
    pub data: String,
}

/// An invoice that was read, its signature checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInvoice {
    /// The fields.
    pub invoice: Invoice,
    /// Who is paid: named in the invoice, or recovered from the signature.
    pub payee: PublicKey,
    /// lightningd prints it in DER (`serialize_der`).
    pub signature: Signature,
    /// Fields that have no meaning here, in the order they came.
    pub extra: Vec<ExtraField>,
}

/// Why an invoice cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvoiceError {
    /// A field does not fit.
    #[error("invoice: expected {field} of at most {limit}, got {got}")]
    TooLarge {
        /// Its name.
        field: &'static str,
        /// The most that fits.
        limit: u64,
        /// What was given.
        got: u64,
    },
    /// BOLT 11 has no name for this chain.
    #[error("invoice: expected bitcoin, testnet, signet or regtest, got {got}")]
    Network {
        /// The chain.
        got: Network,
    },
    /// An amount of zero; leave it out to let the payer choose.
    #[error("invoice: expected an amount above 0 msat, or none")]
    ZeroAmount,
    /// A script that has no form in an invoice.
    #[error("invoice: expected a P2PKH, P2SH or segwit script as fallback, got {got}")]
    Fallback {
        /// The script in hex.
        got: String,
    },
    /// Not the text of an invoice.
    #[error("invoice: expected the bech32 text of BOLT 11: {0}")]
    Format(String),
    /// The amount is not a whole number of msat, or too large.
    #[error("invoice: expected a whole number of msat, got {got}")]
    Amount {
        /// The part before the last `1`.
        got: String,
    },
    /// A field that every invoice needs is not there.
    #[error("invoice: expected a field {0}, it is missing")]
    Missing(&'static str),
    /// The signature is not that of the payee whom the invoice names.
    #[error("invoice: expected the signature of {payee} over these fields")]
    Signature {
        /// The key in the field `n`.
        payee: PublicKey,
    },
    /// The signature gives away no payee.
    #[error("invoice: expected a signature from which the payee can be recovered: {0}")]
    Unrecoverable(String),
}

/// The payment secret that lightningd makes for a preimage: its SHA-256 with the lowest bit of the first byte flipped.
pub fn payment_secret(preimage: &[u8; 32]) -> [u8; 32] {
    let mut flipped = *preimage;
    flipped[0] ^= 1;
    sha256::Hash::hash(&flipped).to_byte_array()
}
