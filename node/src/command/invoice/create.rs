//! `invoice` (`lightningd/invoice.c:json_invoice`).

use super::list::unescaped;
use super::store::{self, NewInvoice};
use crate::command::amount::parse_msat;
use crate::command::params::{Params, Shape, characters, invalid, wrong_token};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use crate::world::unix_seconds;
use bitcoin::address::{Address, NetworkUnchecked};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Network, ScriptBuf};
use leyden_bolt::Invoice;
use leyden_bolt::invoice::{Description, payment_secret};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Value, json};

/// Codes of `common/jsonrpc_errors.h`.
mod invoice_code {
    pub(super) const LABEL_ALREADY_EXISTS: i64 = 900;
    pub(super) const PREIMAGE_ALREADY_EXISTS: i64 = 901;
    pub(super) const HINTS_GAVE_NO_ROUTES: i64 = 902;
}

/// `expiry` if it is not given: seven days.
const EXPIRY_SECONDS: u64 = 604_800;

/// `cltv` if it is not given: lightningd's `--cltv-final` on a test network.
const CLTV_FINAL: u32 = 10;

/// The longest description in bytes (`BOLT11_FIELD_BYTE_LIMIT`).
const DESCRIPTION_LIMIT: usize = 639;

/// The parameters.
struct Wanted {
    amount_msat: Option<u64>,
    /// With its JSON escapes.
    label: String,
    description: String,
    hash_only: bool,
    expiry_seconds: u64,
    fallbacks: Vec<ScriptBuf>,
    preimage: Option<[u8; 32]>,
    cltv: u32,
}

impl Wanted {
    fn parse(params: &Params) -> Result<Self, RpcError> {
        let wanted = Self {
            amount_msat: amount(params)?,
            label: params.optional_label("label")?.unwrap_or_default(),
            description: params.optional_escaped_string("description")?.unwrap_or_default(),
            expiry_seconds: params.optional_u64("expiry")?.unwrap_or(EXPIRY_SECONDS),
            preimage: params.optional_bytes32("preimage", "should be 64 hex digits")?,
            cltv: params.optional_integer("cltv")?.unwrap_or(CLTV_FINAL),
            hash_only: hash_only(params)?,
            fallbacks: Vec::new(),
        };
        let length = wanted.description.len();
        if length > DESCRIPTION_LIMIT && !wanted.hash_only {
            return Err(invalid(format!(
                "Description greater than {DESCRIPTION_LIMIT} bytes invalid (description length {length})"
            )));
        }
        let wanted = Self { fallbacks: fallbacks(params)?, ..wanted };
        refuse_private_channels(params)?;
        Ok(wanted)
    }
}

fn amount(params: &Params) -> Result<Option<u64>, RpcError> {
    match characters(params.required_raw("amount_msat")?) {
        "any" => Ok(None),
        text => {
            let amount = parse_msat(text).filter(|amount| *amount > 0);
            amount.map(Some).ok_or_else(|| bad_amount(params))
        }
    }
}

fn bad_amount(params: &Params) -> RpcError {
    params.wrong("amount_msat", "should be positive msat or 'any'")
}

fn hash_only(params: &Params) -> Result<bool, RpcError> {
    let parse =
        |raw| json::boolean(raw).ok_or_else(|| params.wrong("deschashonly", "should be 'true' or 'false'"));
    params.raw("deschashonly").map_or(Ok(false), parse)
}

fn fallbacks(params: &Params) -> Result<Vec<ScriptBuf>, RpcError> {
    let Some(raw) = params.raw("fallbacks") else { return Ok(Vec::new()) };
    let elements = json::elements(raw).ok_or_else(|| params.wrong("fallbacks", "should be an array"))?;
    elements.into_iter().map(|element| fallback(characters(element))).collect()
}

fn fallback(text: &str) -> Result<ScriptBuf, RpcError> {
    let refused = |why: &str| RpcError::new(code::LIGHTNINGD, why);
    let address: Address<NetworkUnchecked> =
        text.parse().map_err(|_| refused("Fallback address not valid"))?;
    match address.require_network(Network::Regtest) {
        Ok(address) => Ok(address.script_pubkey()),
        // Only addresses of the old kind are told apart from nonsense.
        Err(_) if text.starts_with(['1', '3']) => {
            Err(refused("Fallback address does not match our network regtest"))
        }
        Err(_) => Err(refused("Fallback address not valid")),
    }
}

/// `exposeprivatechannels`: a boolean, a channel or several. There are no channels to be exposed.
fn refuse_private_channels(params: &Params) -> Result<(), RpcError> {
    let name = "exposeprivatechannels";
    let Some(raw) = params.raw(name).filter(|raw| json::boolean(raw).is_none()) else { return Ok(()) };
    match json::elements(raw) {
        Some(elements) => {
            if let Some(bad) = elements.iter().find(|element| !is_short_channel_id(characters(element))) {
                return Err(wrong_token(name, "should be a short channel id", bad));
            }
            if elements.is_empty() {
                return Ok(());
            }
        }
        None if is_short_channel_id(characters(raw)) => {}
        None => return Err(params.wrong(name, "should be a short_channel_id of form NxNxN")),
    }
    let text = "None of those hints were suitable local channels";
    Err(RpcError::new(invoice_code::HINTS_GAVE_NO_ROUTES, text))
}

/// Block (24 bits), transaction (24) and output (16).
fn is_short_channel_id(text: &str) -> bool {
    let parts: Vec<Option<u32>> = text.split('x').map(|part| part.parse().ok()).collect();
    let fits = |part: Option<u32>, bits: u32| part.is_some_and(|part| part >> bits == 0);
    matches!(parts[..], [block, transaction, output]
        if fits(block, 24) && fits(transaction, 24) && fits(output, 16))
}

impl State {
    /// `invoice amount_msat label description [expiry] [fallbacks] [preimage] [exposeprivatechannels] [cltv]
    /// [deschashonly]`.
    pub(crate) fn command_invoice(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let required = ["amount_msat", "label", "description"].map(Shape::required);
        let optional = ["expiry", "fallbacks", "preimage", "exposeprivatechannels", "cltv", "deschashonly"];
        let shape = [&required[..], &optional.map(Shape::optional)].concat();
        let params = Params::parse(request, &shape, false)?;
        let wanted = Wanted::parse(&params)?;
        let preimage = wanted.preimage.unwrap_or_else(|| self.entropy.draw());
        let payment_hash = sha256::Hash::hash(&preimage).to_byte_array();
        self.refuse_duplicate(&wanted, &payment_hash)?;

        let created_at = unix_seconds((self.clock)());
        let expires_at = created_at.checked_add(wanted.expiry_seconds).map(i64::try_from);
        let Some(Ok(expires_at)) = expires_at else {
            return Err(params.wrong("expiry", "should end in this era"));
        };
        let invoice = self.bolt11_invoice(&wanted, created_at, payment_hash, payment_secret(&preimage));
        // All else that may not fit has been looked at.
        let bolt11 = invoice.sign(&self.node_key).map_err(|_| bad_amount(&params))?;
        let features = invoice.features.as_be_bytes();
        let profile = self.profile;
        let created_index = store::insert(
            self.db(),
            profile,
            &NewInvoice {
                payment_hash,
                preimage,
                amount_msat: wanted.amount_msat,
                label: &wanted.label,
                expires_at,
                bolt11: &bolt11,
                description: &wanted.description,
                features,
            },
        );
        self.expire_invoices();
        self.notify_of_invoice(&wanted, &preimage);
        let result = json!({
            "payment_hash": hex::encode(payment_hash),
            "expires_at": expires_at,
            "bolt11": bolt11,
            "payment_secret": hex::encode(invoice.payment_secret),
            "created_index": created_index,
            "warning_capacity": "Insufficient incoming channel capacity to pay invoice",
        });
        self.reply(&request.client, &result);
        Ok(())
    }

    fn refuse_duplicate(&mut self, wanted: &Wanted, payment_hash: &[u8; 32]) -> Result<(), RpcError> {
        if store::exists(self.db(), "payment_hash", payment_hash) {
            return Err(RpcError::new(invoice_code::PREIMAGE_ALREADY_EXISTS, "preimage already used"));
        }
        if store::exists(self.db(), "label", &wanted.label) {
            let text = format!("Duplicate label '{}'", wanted.label);
            return Err(RpcError::new(invoice_code::LABEL_ALREADY_EXISTS, text));
        }
        Ok(())
    }

    fn bolt11_invoice(
        &self,
        wanted: &Wanted,
        created_at: u64,
        payment_hash: [u8; 32],
        payment_secret: [u8; 32],
    ) -> Invoice {
        let description = if wanted.hash_only {
            Description::hash_of(&wanted.description)
        } else {
            Description::Text(wanted.description.clone())
        };
        Invoice {
            network: Network::Regtest,
            created_at,
            amount_msat: wanted.amount_msat,
            description,
            expiry_seconds: wanted.expiry_seconds,
            min_final_cltv_expiry: wanted.cltv,
            payment_hash,
            payment_secret,
            features: self.features.invoice.clone(),
            payment_metadata: None,
            fallbacks: wanted.fallbacks.clone(),
            routes: Vec::new(),
        }
    }

    fn notify_of_invoice(&mut self, wanted: &Wanted, preimage: &[u8; 32]) {
        let mut fields = json!({});
        if let Some(amount_msat) = wanted.amount_msat {
            fields["msat"] = self.profile.invoice_msat(amount_msat);
        }
        fields["preimage"] = Value::from(hex::encode(preimage));
        fields["label"] = Value::from(unescaped(&wanted.label));
        self.notify("invoice_creation", fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_channel_id_has_three_parts_that_fit() {
        assert!(is_short_channel_id("1x2x3") && is_short_channel_id("16777215x16777215x65535"));
        for text in ["", "1x2", "1x2x3x4", "axbxc", "16777216x0x0", "0x16777216x0", "0x0x65536"] {
            assert!(!is_short_channel_id(text), "{text}");
        }
    }

    /// Each was asked of lightningd v26.06.6.
    #[test]
    fn fallbacks_are_of_our_network() {
        for text in ["2N2PJEucf6QY2kNFuJ4chQEBoyZWszRQE16", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"] {
            assert!(fallback(text).is_ok(), "{text}");
        }
        let why = |text| fallback(text).unwrap_err().message;
        let foreign = "Fallback address does not match our network regtest";
        assert_eq!(why("17VZNX1SN5NtKa8UQFxwQbFeFc3iqRYhem"), foreign);
        assert_eq!(why("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"), "Fallback address not valid");
        assert_eq!(why("bad"), "Fallback address not valid");
    }
}
