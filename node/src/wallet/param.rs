//! Parameters of the wallet's commands: amounts, addresses, outpoints (`common/json_param.c`).

use super::select::Value;
use crate::command::amount::parse_msat;
use crate::command::params::{Params, invalid};
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Network, OutPoint, ScriptBuf};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};

/// An amount in satoshi: a number alone is one; with a unit it must come to whole satoshi.
pub(crate) fn parse_sat(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    parse_msat(text).filter(|msat| msat % 1000 == 0).map(|msat| msat / 1000)
}

/// An amount in satoshi, or `all`.
pub(crate) fn parse_sat_or_all(text: &str) -> Option<Value> {
    if text == "all" { Some(Value::All) } else { parse_sat(text).map(Value::Sat) }
}

/// A required amount in satoshi.
pub(crate) fn sat(params: &Params, name: &str) -> Result<u64, RpcError> {
    let text = params.required_raw(name).map(json::content)?;
    parse_sat(text).ok_or_else(|| params.wrong(name, "should be a satoshi amount"))
}

/// An optional amount in satoshi.
pub(crate) fn optional_sat(params: &Params, name: &str) -> Result<Option<u64>, RpcError> {
    params.raw(name).map(|_| sat(params, name)).transpose()
}

/// A required amount in satoshi, or `all`.
pub(crate) fn sat_or_all(params: &Params, name: &str) -> Result<Value, RpcError> {
    let text = params.required_raw(name).map(json::content)?;
    parse_sat_or_all(text).ok_or_else(|| params.wrong(name, "should be a satoshi amount"))
}

/// Why an address is none.
pub(crate) enum BadAddress {
    Unreadable,
    OtherNetwork,
}

/// The script of an address of this chain.
pub(crate) fn parse_address(text: &str) -> Result<ScriptBuf, BadAddress> {
    let address: Address<NetworkUnchecked> = text.parse().map_err(|_| BadAddress::Unreadable)?;
    let address = address.require_network(Network::Regtest).map_err(|_| BadAddress::OtherNetwork)?;
    Ok(address.script_pubkey())
}

/// The script of an address, if there is one.
pub(crate) fn optional_address(params: &Params, name: &str) -> Result<Option<ScriptBuf>, RpcError> {
    let parse = |raw| {
        let text = parse_address(json::content(raw)).map_err(|bad| match bad {
            BadAddress::Unreadable => {
                format!("Could not parse destination address, {name} should be a valid address")
            }
            BadAddress::OtherNetwork => "Destination address is not on network regtest".to_owned(),
        });
        text.map_err(|text| RpcError::new(code::LIGHTNINGD, text))
    };
    params.raw(name).map(parse).transpose()
}

/// Places of outputs.
pub(crate) fn optional_outpoints(params: &Params, name: &str) -> Result<Option<Vec<OutPoint>>, RpcError> {
    let Some(raw) = params.raw(name) else { return Ok(None) };
    let elements = json::elements(raw).ok_or_else(|| {
        let raw = json::content(raw);
        invalid(format!(
            "Could not decode the outpoint array for {name}: \"{raw}\" is not a valid outpoint array."
        ))
    })?;
    let parse = |token: &&str| {
        let wrong =
            |_| invalid(format!("Could not decode outpoint \"{token}\", expected format: txid:output"));
        json::content(token).parse().map_err(wrong)
    };
    elements.iter().map(parse).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::parse_sat;

    #[test]
    fn a_number_alone_is_of_satoshi() {
        for (text, sat) in [
            ("1000", Some(1000)),
            ("1000sat", Some(1000)),
            ("1000msat", Some(1)),
            ("0.001btc", Some(100_000)),
        ] {
            assert_eq!(parse_sat(text), sat, "{text}");
        }
        for text in ["", "all", "1msat", "1.5", "-1"] {
            assert_eq!(parse_sat(text).filter(|_| !text.is_empty()), None, "{text}");
        }
    }
}
