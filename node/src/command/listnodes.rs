//! `listnodes`: what gossip tells of other nodes (`plugins/topology.c:json_listnodes`). Nodes without public
//! channels are not told of, so there are none.

use super::Command;
use super::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::message::RpcError;
use serde_json::json;

/// `listnodes [id]`.
pub(crate) struct Listnodes;

impl Command for Listnodes {
    const NAME: &'static str = "listnodes";
    const TAKES: &'static [Shape] = &[Shape::optional("id")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        params.optional_node_id("id")?;
        Ok(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.reply(&request.client, &json!({ "nodes": [] }));
        Ok(())
    }
}
