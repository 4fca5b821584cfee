//! Failures on their way back: made by the erring hop, wrapped by each hop before it, attributed by the origin (BOLT 4,
//! "Returning Errors").

use super::secret::{OnionSecret, apply_stream};
use crate::hmac::hmac_sha256;
use bitcoin::hex::DisplayHex;
use std::fmt;

/// A message is filled up to this length, so that its length tells nothing.
const PADDED_LENGTH: usize = 256;

/// The code that a failure message starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureCode(pub u16);

impl FailureCode {
    /// The onion could not be read: told with `update_fail_malformed_htlc`.
    pub const BADONION: u16 = 0x8000;
    /// Trying again is of no use.
    pub const PERM: u16 = 0x4000;
    /// It is about the node, not the channel.
    pub const NODE: u16 = 0x2000;
    /// A `channel_update` comes with it.
    pub const UPDATE: u16 = 0x1000;
}

macro_rules! codes {
    ($($name:ident = $code:expr, $text:literal;)+) => {
        impl FailureCode {
            $(
                #[doc = concat!("`", $text, "`")]
                pub const $name: Self = Self($code);
            )+

            /// The name in BOLT 4; `None` for a code that it does not have.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    TEMPORARY_NODE_FAILURE = Self::NODE | 2, "temporary_node_failure";
    PERMANENT_NODE_FAILURE = Self::PERM | Self::NODE | 2, "permanent_node_failure";
    REQUIRED_NODE_FEATURE_MISSING = Self::PERM | Self::NODE | 3, "required_node_feature_missing";
    INVALID_ONION_VERSION = Self::BADONION | Self::PERM | 4, "invalid_onion_version";
    INVALID_ONION_HMAC = Self::BADONION | Self::PERM | 5, "invalid_onion_hmac";
    INVALID_ONION_KEY = Self::BADONION | Self::PERM | 6, "invalid_onion_key";
    TEMPORARY_CHANNEL_FAILURE = Self::UPDATE | 7, "temporary_channel_failure";
    PERMANENT_CHANNEL_FAILURE = Self::PERM | 8, "permanent_channel_failure";
    REQUIRED_CHANNEL_FEATURE_MISSING = Self::PERM | 9, "required_channel_feature_missing";
    UNKNOWN_NEXT_PEER = Self::PERM | 10, "unknown_next_peer";
    AMOUNT_BELOW_MINIMUM = Self::UPDATE | 11, "amount_below_minimum";
    FEE_INSUFFICIENT = Self::UPDATE | 12, "fee_insufficient";
    INCORRECT_CLTV_EXPIRY = Self::UPDATE | 13, "incorrect_cltv_expiry";
    EXPIRY_TOO_SOON = Self::UPDATE | 14, "expiry_too_soon";
    INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS = Self::PERM | 15, "incorrect_or_unknown_payment_details";
    FINAL_INCORRECT_CLTV_EXPIRY = 18, "final_incorrect_cltv_expiry";
    FINAL_INCORRECT_HTLC_AMOUNT = 19, "final_incorrect_htlc_amount";
    CHANNEL_DISABLED = Self::UPDATE | 20, "channel_disabled";
    EXPIRY_TOO_FAR = 21, "expiry_too_far";
    INVALID_ONION_PAYLOAD = Self::PERM | 22, "invalid_onion_payload";
    MPP_TIMEOUT = 23, "mpp_timeout";
    INVALID_ONION_BLINDING = Self::BADONION | Self::PERM | 24, "invalid_onion_blinding";
}

/// A failure message under the layers of those who handed it on: `reason` of `update_fail_htlc`.
#[derive(Clone, PartialEq, Eq)]
pub struct FailureOnion(Vec<u8>);

/// A failure message, and who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributed {
    /// The place of the erring hop in the route, from 0.
    pub erring_hop: usize,
    /// Its message: a [`FailureCode`] and data that depend on it.
    pub message: Vec<u8>,
}

impl FailureOnion {
    /// The onion of the erring hop. `message` is a [`FailureCode`] and its data.
    ///
    /// # Panics
    ///
    /// If the message is longer than 65535 bytes, which no `update_fail_htlc` can carry.
    #[must_use]
    pub fn create(shared_secret: &OnionSecret, message: &[u8]) -> Self {
        let length = u16::try_from(message.len()).expect("a failure message fits into a wire message");
        let padding = vec![0; PADDED_LENGTH.saturating_sub(message.len())];
        let padding_length = u16::try_from(padding.len()).expect("at most 256");
        let body = [&length.to_be_bytes()[..], message, &padding_length.to_be_bytes(), &padding].concat();
        let hmac = hmac_sha256(&shared_secret.key("um"), &[&body]);
        Self([&hmac[..], &body].concat()).wrap(shared_secret)
    }

    /// Adds, or takes away, the layer of a hop.
    #[must_use]
    pub fn wrap(mut self, shared_secret: &OnionSecret) -> Self {
        apply_stream(&shared_secret.key("ammag"), 0, &mut self.0);
        self
    }

    /// Finds the hop that sent the failure. `route` are the secrets from [`super::OnionPacket::create`]; `None` if no hop did, or
    /// one on the way garbled it.
    #[must_use]
    pub fn attribute(&self, route: &[OnionSecret]) -> Option<Attributed> {
        let mut onion = self.clone();
        for (erring_hop, secret) in route.iter().enumerate() {
            onion = onion.wrap(secret);
            let (hmac, body) = onion.0.split_first_chunk::<32>()?;
            if hmac_sha256(&secret.key("um"), &[body]) == *hmac {
                let (length, rest) = body.split_first_chunk()?;
                let message = rest.get(..u16::from_be_bytes(*length).into())?.to_vec();
                return Some(Attributed { erring_hop, message });
            }
        }
        None
    }

    /// The onion as it goes over the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for FailureOnion {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for FailureOnion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FailureOnion({})", self.0.as_hex())
    }
}

impl Attributed {
    /// The code that the message starts with; `None` if it is shorter than that.
    #[must_use]
    pub fn code(&self) -> Option<FailureCode> {
        self.message.first_chunk().map(|code| FailureCode(u16::from_be_bytes(*code)))
    }
}
