//! Reading an invoice.

use super::{
    DEFAULT_EXPIRY_SECONDS, DEFAULT_MIN_FINAL_CLTV_EXPIRY, Description, ExtraField, Invoice, InvoiceError,
    RouteHop, SignedInvoice,
};
use crate::features::Features;
use crate::short_channel_id::ShortChannelId;
use bitcoin::bech32::primitives::decode::CheckedHrpstring;
use bitcoin::bech32::{Fe32, Fe32IterExt};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::script::PushBytesBuf;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1};
use bitcoin::{Network, ScriptBuf, WitnessVersion};
use lightning_invoice::{
    Bolt11Bech32, Currency, ExpiryTime, Fallback, PrivateRoute, RawBolt11Invoice, RawTaggedField,
    SignedRawBolt11Invoice,
};
use std::str::FromStr;

/// Signature and recovery id, 65 bytes, in letters of five bits.
const SIGNATURE_LETTERS: usize = 104;

impl FromStr for SignedInvoice {
    type Err = InvoiceError;

    /// Reads the text in either case, with or without `lightning:` before it. Chain, expiry and features are for
    /// the caller to judge, see [`Features::check`].
    fn from_str(text: &str) -> Result<Self, InvoiceError> {
        let text =
            text.strip_prefix("lightning:").or_else(|| text.strip_prefix("LIGHTNING:")).unwrap_or(text);
        let signed = SignedRawBolt11Invoice::from_str(text)
            .map_err(|error| InvoiceError::Format(error.to_string()))?;
        let raw = signed.raw_invoice();
        // What is said is looked at before who says it, as lightningd does.
        let invoice = read_fields(raw)?;
        Ok(Self {
            invoice,
            payee: check_signature(&signed, &signed_digest(text)?)?,
            signature: signed.signature().0.to_standard(),
            extra: extra_fields(raw),
        })
    }
}

/// What was signed: prefix and data as they stand in the text.
///
/// The crate hashes its own encoding of what it read, which is another text where an integer is zero or has
/// leading zeros; the signature would then give away a wrong payee.
fn signed_digest(text: &str) -> Result<Message, InvoiceError> {
    let parsed = CheckedHrpstring::new::<Bolt11Bech32>(text);
    let parsed = parsed.map_err(|error| InvoiceError::Format(error.to_string()))?;
    let letters: Vec<Fe32> = parsed.fe32_iter::<std::vec::IntoIter<u8>>().collect();
    let letters = &letters[..letters.len() - SIGNATURE_LETTERS];
    let padding = [Fe32::Q; 7];
    let data = letters.iter().chain(&padding).copied().fes_to_bytes().take((letters.len() * 5).div_ceil(8));
    let prefix = parsed.hrp().to_lowercase().into_bytes();
    let digest = sha256::Hash::hash(&prefix.into_iter().chain(data).collect::<Vec<u8>>());
    Ok(Message::from_digest(digest.to_byte_array()))
}

fn read_fields(raw: &RawBolt11Invoice) -> Result<Invoice, InvoiceError> {
    let (network, amount_msat) = (network(raw)?, amount_msat(raw)?);
    let payment_hash = *raw.payment_hash().ok_or(InvoiceError::Missing("p (payment hash)"))?.0.as_ref();
    let payment_secret = raw.payment_secret().ok_or(InvoiceError::Missing("s (payment secret)"))?.0;
    Ok(Invoice {
        network,
        created_at: raw.data.timestamp.as_unix_timestamp(),
        amount_msat,
        description: description(raw)?,
        expiry_seconds: raw.expiry_time().map_or(DEFAULT_EXPIRY_SECONDS, ExpiryTime::as_seconds),
        min_final_cltv_expiry: min_final_cltv_expiry(raw)?,
        payment_hash,
        payment_secret,
        features: features(raw),
        payment_metadata: raw.payment_metadata().cloned(),
        fallbacks: raw.fallbacks().into_iter().map(script).collect(),
        routes: raw.private_routes().into_iter().map(route).collect(),
    })
}

/// Who signed: the key in the `n` field if there is one, otherwise the one that the signature gives away.
fn check_signature(signed: &SignedRawBolt11Invoice, digest: &Message) -> Result<PublicKey, InvoiceError> {
    let secp = Secp256k1::verification_only();
    let signature = signed.signature().0;
    match signed.raw_invoice().payee_pub_key() {
        Some(payee) => secp
            .verify_ecdsa(digest, &signature.to_standard(), &payee.0)
            .map(|()| payee.0)
            .map_err(|_| InvoiceError::Signature { payee: payee.0 }),
        None => secp
            .recover_ecdsa(digest, &signature)
            .map_err(|error| InvoiceError::Unrecoverable(error.to_string())),
    }
}

fn network(raw: &RawBolt11Invoice) -> Result<Network, InvoiceError> {
    match raw.currency() {
        Currency::Simnet => Err(InvoiceError::Format("simnet is not one of lightningd's chains".to_owned())),
        currency => Ok(currency.into()),
    }
}

fn amount_msat(raw: &RawBolt11Invoice) -> Result<Option<u64>, InvoiceError> {
    if raw.hrp.raw_amount.is_none() {
        return Ok(None);
    }
    match raw.amount_pico_btc() {
        Some(pico) if pico % 10 == 0 => Ok(Some(pico / 10)),
        _ => Err(InvoiceError::Amount { got: raw.hrp.to_string() }),
    }
}

fn description(raw: &RawBolt11Invoice) -> Result<Description, InvoiceError> {
    let text = raw.description().map(|text| text.as_inner().0.clone());
    let hash = raw.description_hash().map(|hash| *hash.0.as_ref());
    match (text, hash) {
        (Some(text), None) => Ok(Description::Text(text)),
        (None, Some(hash)) => Ok(Description::Hash(hash)),
        (Some(text), Some(hash)) => Ok(Description::Both { text, hash }),
        (None, None) => Err(InvoiceError::Missing("d or h (description)")),
    }
}

fn min_final_cltv_expiry(raw: &RawBolt11Invoice) -> Result<u32, InvoiceError> {
    let Some(cltv) = raw.min_final_cltv_expiry_delta() else { return Ok(DEFAULT_MIN_FINAL_CLTV_EXPIRY) };
    let (limit, got) = (u32::MAX.into(), cltv.0);
    u32::try_from(got).map_err(|_| InvoiceError::TooLarge {
        field: "min_final_cltv_expiry in blocks",
        limit,
        got,
    })
}

fn features(raw: &RawBolt11Invoice) -> Features {
    let bytes = raw.features().map(|features| features.le_flags().iter().rev().copied().collect());
    Features::from_be_bytes(bytes.unwrap_or_default())
}

fn script(fallback: &Fallback) -> ScriptBuf {
    match fallback {
        Fallback::PubKeyHash(hash) => ScriptBuf::new_p2pkh(hash),
        Fallback::ScriptHash(hash) => ScriptBuf::new_p2sh(hash),
        Fallback::SegWitProgram { version, program } => witness_script(*version, program),
    }
}

/// Any version with any program: versions to come are passed through, not judged.
fn witness_script(version: WitnessVersion, program: &[u8]) -> ScriptBuf {
    let program = PushBytesBuf::try_from(program.to_vec()).expect("the format allows at most 40 bytes");
    ScriptBuf::builder().push_opcode(version.into()).push_slice(program).into_script()
}

fn route(route: &PrivateRoute) -> Vec<RouteHop> {
    let hops = route.clone().into_inner().0;
    hops.into_iter()
        .map(|hop| RouteHop {
            pubkey: hop.src_node_id,
            short_channel_id: ShortChannelId::from_u64(hop.short_channel_id),
            fee_base_msat: hop.fees.base_msat,
            fee_proportional_millionths: hop.fees.proportional_millionths,
            cltv_expiry_delta: hop.cltv_expiry_delta,
        })
        .collect()
}

/// Fields that the format does not interpret: tag (one letter), length (two letters), data.
fn extra_fields(raw: &RawBolt11Invoice) -> Vec<ExtraField> {
    let unknown = raw.data.tagged_fields.iter().filter_map(|field| match field {
        RawTaggedField::UnknownSemantics(letters) => Some(letters),
        RawTaggedField::KnownSemantics(_) => None,
    });
    unknown
        .map(|letters| {
            let mut letters = letters.iter().map(|letter| letter.to_char());
            let tag = letters.next().expect("a field begins with its tag");
            ExtraField { tag, data: letters.skip(2).collect() }
        })
        .collect()
}
