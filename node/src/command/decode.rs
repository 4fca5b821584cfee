//! `decode` of BOLT 11 invoices (`plugins/offers.c:json_decode`, `common/bolt11_json.c`).

use super::Command;
use super::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use bitcoin::{Address, Network, ScriptBuf};
use leyden_bolt::SignedInvoice;
use leyden_bolt::features::{FeatureError, Features};
use leyden_bolt::invoice::{Description, ExtraField, InvoiceError, RouteHop};
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::{Map, Value, json};

/// BOLT 12's prefixes, and that of chanbackup's `emergency.recover`.
const OTHER_PREFIXES: [&str; 4] = ["lno", "lnr", "lni", "clnemerg"];

/// The bytes of the hash that a rune begins with.
const RUNE_BYTES: usize = 32;

/// `decode string`.
pub(crate) struct Decode {
    invoice: SignedInvoice,
}

impl Command for Decode {
    const NAME: &'static str = "decode";
    const TAKES: &'static [Shape] = &[Shape::required("string")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let text = json::content(params.required_raw("string")?);
        let invoice = decode(text, &node.features.invoice).map_err(|why| params.wrong("string", &why))?;
        Ok(Self { invoice })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let shown = invoice_json(node, &self.invoice);
        node.reply(&request.client, &shown);
        Ok(())
    }
}

/// Reads an invoice. `Err` is lightningd's text.
fn decode(text: &str, ours: &Features) -> Result<SignedInvoice, String> {
    let bare = text.strip_prefix("lightning:").or_else(|| text.strip_prefix("LIGHTNING:")).unwrap_or(text);
    let prefix = bare.rsplit_once('1').map(|(prefix, _)| prefix.to_lowercase());
    match prefix.as_deref() {
        Some(prefix) if is_bolt11(prefix) => {}
        Some(prefix) if OTHER_PREFIXES.contains(&prefix) => return Err(not_here()),
        _ if URL_SAFE.decode(bare).is_ok_and(|bytes| bytes.len() >= RUNE_BYTES) => return Err(not_here()),
        _ => return Err("Unparsable string".to_owned()),
    }
    read_invoice(bare, ours, None)
}

/// Reads a BOLT 11 invoice, of a given chain if there is one (`common/bolt11.c:bolt11_decode`). `Err` is lightningd's text.
pub(crate) fn read_invoice(
    text: &str,
    ours: &Features,
    chain: Option<Network>,
) -> Result<SignedInvoice, String> {
    let invoice: SignedInvoice = text.parse().map_err(|error| explain(&error))?;
    if let Some(chain) = chain.filter(|chain| *chain != invoice.invoice.network) {
        let prefix = currency(invoice.invoice.network);
        return Err(format!("Prefix {prefix} is not for {chain}"));
    }
    match invoice.invoice.features.check(ours) {
        Err(FeatureError::Unsupported { bit }) => Err(format!("9: unknown feature bit {bit}")),
        // lightningd does not look at dependencies here.
        _ => Ok(invoice),
    }
}

fn not_here() -> String {
    "Leyden's node decodes BOLT 11 invoices only, no BOLT 12, no runes".to_owned()
}

/// `ln`, a chain, and perhaps an amount.
fn is_bolt11(prefix: &str) -> bool {
    let rest = prefix.strip_prefix("ln").unwrap_or_default();
    // The longer ones first: `bc` begins `bcrt`.
    let chains = ["bcrt", "tbs", "bc", "tb"];
    let Some(amount) = chains.iter().find_map(|chain| rest.strip_prefix(chain)) else { return false };
    let digits = amount.strip_suffix(['m', 'u', 'n', 'p']).unwrap_or(amount);
    amount.is_empty() || (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// lightningd's words for what is wrong.
fn explain(error: &InvoiceError) -> String {
    match error {
        InvoiceError::Missing(field) if field.starts_with('p') => "No valid 'p' field found".to_owned(),
        InvoiceError::Missing(field) if field.starts_with('s') => {
            "Missing required payment secret (s field)".to_owned()
        }
        InvoiceError::Missing(_) => "must have either 'd' or 'h' field".to_owned(),
        InvoiceError::Signature { .. } => "invalid signature".to_owned(),
        InvoiceError::Unrecoverable(_) => "signature recovery failed".to_owned(),
        InvoiceError::Amount { got } => {
            let amount = got.trim_start_matches(|letter: char| !letter.is_ascii_digit());
            format!("Invalid sub-millisatoshi amount '{amount}'")
        }
        _ => "Bad bech32 string".to_owned(),
    }
}

/// The fields in lightningd's order.
fn invoice_json(node: &State, signed: &SignedInvoice) -> Map<String, Value> {
    let invoice = &signed.invoice;
    let mut json = Map::new();
    let mut add = |name: &str, value: Value| drop(json.insert(name.to_owned(), value));
    add("type", "bolt11 invoice".into());
    add("currency", currency(invoice.network).into());
    add("created_at", invoice.created_at.into());
    add("expiry", invoice.expiry_seconds.into());
    add("payee", signed.payee.to_string().into());
    if let Some(amount_msat) = invoice.amount_msat {
        add("amount_msat", node.amount(amount_msat));
    }
    add_description(&mut add, &invoice.description);
    add("min_final_cltv_expiry", invoice.min_final_cltv_expiry.into());
    add("payment_secret", hex::encode(invoice.payment_secret).into());
    if !invoice.features.is_empty() {
        add("features", invoice.features.to_string().into());
    }
    if let Some(metadata) = &invoice.payment_metadata {
        add("payment_metadata", hex::encode(metadata).into());
    }
    if !invoice.fallbacks.is_empty() {
        let fallback = |script| fallback_json(script, invoice.network);
        add("fallbacks", invoice.fallbacks.iter().map(fallback).collect());
    }
    if !invoice.routes.is_empty() {
        let route = |route: &Vec<RouteHop>| route.iter().map(hop_json).collect::<Value>();
        add("routes", invoice.routes.iter().map(route).collect());
    }
    if !signed.extra.is_empty() {
        let extra = |field: &ExtraField| json!({ "tag": field.tag.to_string(), "data": field.data });
        add("extra", signed.extra.iter().map(extra).collect());
    }
    add("payment_hash", hex::encode(invoice.payment_hash).into());
    add("signature", hex::encode(signed.signature.serialize_der()).into());
    add("valid", true.into());
    json
}

fn currency(network: Network) -> &'static str {
    match network {
        Network::Bitcoin => "bc",
        Network::Signet => "tbs",
        Network::Regtest => "bcrt",
        _ => "tb",
    }
}

fn add_description(add: &mut impl FnMut(&str, Value), description: &Description) {
    if let Some(text) = description.text() {
        add("description", text.into());
    }
    if let Some(hash) = description.hash() {
        add("description_hash", hex::encode(hash).into());
    }
}

fn fallback_json(script: &ScriptBuf, network: Network) -> Value {
    let mut json = Map::new();
    if let Ok(address) = Address::from_script(script, network) {
        if let Some(kind) = address.address_type() {
            json.insert("type".to_owned(), kind.to_string().to_uppercase().into());
        }
        json.insert("addr".to_owned(), address.to_string().into());
    }
    json.insert("hex".to_owned(), script.to_hex_string().into());
    Value::Object(json)
}

fn hop_json(hop: &RouteHop) -> Value {
    json!({
        "pubkey": hop.pubkey.to_string(),
        "short_channel_id": hop.short_channel_id.to_string(),
        "fee_base_msat": hop.fee_base_msat,
        "fee_proportional_millionths": hop.fee_proportional_millionths,
        "cltv_expiry_delta": hop.cltv_expiry_delta,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use leyden_bolt::FeatureSet;

    /// What lightningd v26.06.6 says of each.
    #[test]
    fn what_cannot_be_decoded_is_told_in_lightningds_words() {
        let coffee = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqw\
                      zqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy\
                      8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vg\
                      pfna3rh";
        let ours = FeatureSet::lightningd_v26_06().invoice;
        let refusal = |text: &str| decode(text, &ours).unwrap_err();
        assert_eq!(decode(coffee, &ours).unwrap().invoice.amount_msat, Some(250_000_000));
        assert_eq!(refusal(&coffee.replace("na3rh", "na3rq")), "Bad bech32 string");
        assert_eq!(refusal(&coffee.replace("lnbc2500u1p", "LNBC2500U1P")), "Bad bech32 string");
        for text in ["lnbc1", "lnbcrt1", "lnbcrt10n"] {
            assert_eq!(refusal(text), "Bad bech32 string", "{text}");
        }
        for text in ["", "foo", "5", "lnbc", "lnbcrt20n", "lnxx1x", "lnbc2500x1pvjluez", "lnbcm1q"] {
            assert_eq!(refusal(text), "Unparsable string", "{text}");
        }
    }

    #[test]
    fn what_is_no_invoice_is_not_decoded_here() {
        let ours = FeatureSet::lightningd_v26_06().invoice;
        for text in ["lno1qqq", "lni1q", "tMYxlE_H2xf6Rn_qFd5jL8HhJqLMTAz9AzjXEQ9Nf_k9MA=="] {
            let why = decode(text, &ours).unwrap_err();
            assert_eq!(why, "Leyden's node decodes BOLT 11 invoices only, no BOLT 12, no runes", "{text}");
        }
    }
}
