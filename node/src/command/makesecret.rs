//! `makesecret`: secrets for plugins, derived from the node's own (`lightningd/hsm_control.c:json_makesecret`).

use super::Command;
use super::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::message::RpcError;
use serde_json::json;

/// `makesecret [hex] [string]`.
pub(crate) struct Makesecret {
    info: Vec<u8>,
}

impl Command for Makesecret {
    const NAME: &'static str = "makesecret";
    const TAKES: &'static [Shape] = &[Shape::optional("hex"), Shape::optional("string")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let info = match (params.optional_hex("hex"), params.optional_string("string")) {
            (Some(_), Some(_)) => return Err(invalid("Cannot have both hex and string")),
            (Some(hex), None) => hex,
            (None, Some(string)) => string.into_bytes(),
            (None, None) => return Err(invalid("Must have either hex or string")),
        };
        Ok(Self { info })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let secret = node.hsm_secret.derived_secret(&self.info);
        node.reply(&request.client, &json!({ "secret": hex::encode(secret) }));
        Ok(())
    }
}
