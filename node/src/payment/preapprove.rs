//! `preapproveinvoice`, `preapprovekeysend`: a signer that may refuse is asked before a payment. This node's own key never does
//! (`lightningd/hsm_control.c`, `lightningd/signmessage.c`).

use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::message::RpcError;
use serde_json::json;

/// `preapproveinvoice bolt11`.
pub(crate) struct Preapproveinvoice;

impl Command for Preapproveinvoice {
    const NAME: &'static str = "preapproveinvoice";
    const TAKES: &'static [Shape] = &[Shape::required("bolt11")];

    fn parse(_: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.reply(&request.client, &json!({}));
        Ok(())
    }
}

/// `preapprovekeysend destination payment_hash amount_msat`.
pub(crate) struct Preapprovekeysend;

impl Command for Preapprovekeysend {
    const NAME: &'static str = "preapprovekeysend";
    const TAKES: &'static [Shape] =
        &[Shape::required("destination"), Shape::required("payment_hash"), Shape::required("amount_msat")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        params.node_id("destination")?;
        params.sha256("payment_hash")?;
        params.msat("amount_msat")?;
        Ok(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.reply(&request.client, &json!({}));
        Ok(())
    }
}
