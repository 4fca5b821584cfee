//! Writing and signing an invoice, field by field in lightningd's order.

use super::{DEFAULT_EXPIRY_SECONDS, Description, FIELD_LIMIT, Invoice, InvoiceError, RouteHop};
use crate::features::{Features, bit};
use bitcoin::bech32::Fe32;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use bitcoin::{Network, PubkeyHash, Script, ScriptBuf, ScriptHash};
use lightning_invoice::constants::{TAG_EXPIRY_TIME, TAG_MIN_FINAL_CLTV_EXPIRY_DELTA};
use lightning_invoice::{
    Currency, ExpiryTime, Fallback, MAX_TIMESTAMP, MinFinalCltvExpiryDelta, PaymentSecret, PositiveTimestamp,
    PrivateRoute, RawBolt11Invoice, RawDataPart, RawHrp, RawTaggedField, RouteHint, RouteHintHop,
    RoutingFees, Sha256, SiPrefix, TaggedField,
};
use lightning_types::features::Bolt11InvoiceFeatures;
use std::convert::Infallible;

/// One bitcoin in msat.
const BITCOIN_MSAT: u64 = 100_000_000_000;

impl Invoice {
    /// The text of the invoice, signed by the payee's node key.
    ///
    /// # Errors
    ///
    /// If a field does not fit, or has no form in BOLT 11.
    pub fn sign(&self, node_key: &SecretKey) -> Result<String, InvoiceError> {
        let raw = RawBolt11Invoice {
            hrp: self.human_readable_part()?,
            data: RawDataPart { timestamp: self.timestamp()?, tagged_fields: self.fields()? },
        };
        let secp = Secp256k1::signing_only();
        let signed = raw.sign(|message| Ok::<_, Infallible>(secp.sign_ecdsa_recoverable(message, node_key)));
        let Ok(signed) = signed;
        Ok(signed.to_string())
    }

    fn human_readable_part(&self) -> Result<RawHrp, InvoiceError> {
        let currency = match self.network {
            Network::Bitcoin => Currency::Bitcoin,
            Network::Testnet => Currency::BitcoinTestnet,
            Network::Signet => Currency::Signet,
            Network::Regtest => Currency::Regtest,
            got => return Err(InvoiceError::Network { got }),
        };
        let Some(msat) = self.amount_msat else {
            return Ok(RawHrp { currency, raw_amount: None, si_prefix: None });
        };
        let (amount, si_prefix) = shortest_amount(msat)?;
        Ok(RawHrp { currency, raw_amount: Some(amount), si_prefix })
    }

    fn timestamp(&self) -> Result<PositiveTimestamp, InvoiceError> {
        let (limit, got) = (MAX_TIMESTAMP, self.created_at);
        PositiveTimestamp::from_unix_timestamp(got).map_err(|_| InvoiceError::TooLarge {
            field: "created_at in seconds",
            limit,
            got,
        })
    }

    fn fields(&self) -> Result<Vec<RawTaggedField>, InvoiceError> {
        let known = RawTaggedField::KnownSemantics;
        let mut fields = vec![
            known(TaggedField::PaymentSecret(PaymentSecret(self.payment_secret))),
            known(TaggedField::PaymentHash(hash_field(self.payment_hash))),
        ];
        fields.extend(description_fields(&self.description)?.into_iter().map(known));
        fields.extend(self.payment_metadata.clone().map(TaggedField::PaymentMetadata).map(known));
        fields.extend(match self.expiry_seconds {
            DEFAULT_EXPIRY_SECONDS => None,
            0 => Some(zero_field(TAG_EXPIRY_TIME)),
            seconds => Some(known(TaggedField::ExpiryTime(ExpiryTime::from_seconds(seconds)))),
        });
        fields.push(match self.min_final_cltv_expiry {
            0 => zero_field(TAG_MIN_FINAL_CLTV_EXPIRY_DELTA),
            blocks => known(TaggedField::MinFinalCltvExpiryDelta(MinFinalCltvExpiryDelta(blocks.into()))),
        });
        for script in &self.fallbacks {
            fields.push(known(TaggedField::Fallback(fallback(script)?)));
        }
        for route in &self.routes {
            fields.push(known(TaggedField::PrivateRoute(private_route(route)?)));
        }
        fields.extend(self.features_field().map(TaggedField::Features).map(known));
        Ok(fields)
    }

    /// No field for no bits; `option_payment_metadata` is said only by invoices that have some.
    fn features_field(&self) -> Option<Bolt11InvoiceFeatures> {
        let with_metadata = self.payment_metadata.is_some();
        let bits: Vec<usize> =
            self.features.bits().filter(|bit| with_metadata || *bit & !1 != bit::PAYMENT_METADATA).collect();
        let features = Features::from_bits(&bits);
        (!features.is_empty()).then(|| Bolt11InvoiceFeatures::from_be_bytes(features.as_be_bytes().to_vec()))
    }
}

/// Whole bitcoins, or the largest multiplier that leaves no fraction.
fn shortest_amount(msat: u64) -> Result<(u64, Option<SiPrefix>), InvoiceError> {
    if msat == 0 {
        return Err(InvoiceError::ZeroAmount);
    }
    if msat.is_multiple_of(BITCOIN_MSAT) {
        return Ok((msat / BITCOIN_MSAT, None));
    }
    let units = [(SiPrefix::Milli, BITCOIN_MSAT / 1_000), (SiPrefix::Micro, 100_000), (SiPrefix::Nano, 100)];
    if let Some((prefix, unit)) = units.into_iter().find(|(_, unit)| msat.is_multiple_of(*unit)) {
        return Ok((msat / unit, Some(prefix)));
    }
    let limit = u64::MAX / 10;
    let amount = msat.checked_mul(10);
    let amount = amount.ok_or(InvoiceError::TooLarge { field: "amount in msat", limit, got: msat })?;
    Ok((amount, Some(SiPrefix::Pico)))
}

/// A field with the number 0 in one letter, as lightningd writes it; the crate would write none.
fn zero_field(tag: u8) -> RawTaggedField {
    let tag = Fe32::try_from(tag).expect("a tag is a letter");
    RawTaggedField::UnknownSemantics(vec![tag, Fe32::Q, Fe32::P, Fe32::Q])
}

fn hash_field(hash: [u8; 32]) -> Sha256 {
    Sha256(sha256::Hash::from_byte_array(hash))
}

fn description_fields(description: &Description) -> Result<Vec<TaggedField>, InvoiceError> {
    let mut fields = Vec::new();
    if let Some(text) = description.text() {
        let (limit, got) = (FIELD_LIMIT as u64, text.len() as u64);
        let text = lightning_invoice::Description::new(text.to_owned())
            .map_err(|_| InvoiceError::TooLarge { field: "description in bytes", limit, got })?;
        fields.push(TaggedField::Description(text));
    }
    fields.extend(description.hash().map(|hash| TaggedField::DescriptionHash(hash_field(*hash))));
    Ok(fields)
}

fn fallback(script: &ScriptBuf) -> Result<Fallback, InvoiceError> {
    let refused = || InvoiceError::Fallback { got: script.to_hex_string() };
    let hash = |range: std::ops::Range<usize>| -> [u8; 20] {
        script.as_bytes()[range].try_into().expect("the script is of the form that has 20 bytes there")
    };
    if script.is_p2pkh() {
        return Ok(Fallback::PubKeyHash(PubkeyHash::from_byte_array(hash(3..23))));
    }
    if script.is_p2sh() {
        return Ok(Fallback::ScriptHash(ScriptHash::from_byte_array(hash(2..22))));
    }
    let version = Script::witness_version(script).ok_or_else(refused)?;
    Ok(Fallback::SegWitProgram { version, program: script.as_bytes()[2..].to_vec() })
}

fn private_route(route: &[RouteHop]) -> Result<PrivateRoute, InvoiceError> {
    let hop = |hop: &RouteHop| RouteHintHop {
        src_node_id: hop.pubkey,
        short_channel_id: hop.short_channel_id.to_u64(),
        fees: RoutingFees {
            base_msat: hop.fee_base_msat,
            proportional_millionths: hop.fee_proportional_millionths,
        },
        cltv_expiry_delta: hop.cltv_expiry_delta,
        htlc_minimum_msat: None,
        htlc_maximum_msat: None,
    };
    PrivateRoute::new(RouteHint(route.iter().map(hop).collect())).map_err(|_| InvoiceError::TooLarge {
        field: "route in hops",
        limit: 12,
        got: route.len() as u64,
    })
}
