//! `dev-ignore-htlcs`: HTLCs that are neither accepted nor refused (`lightningd/peer_htlcs.c:json_dev_ignore_htlcs`).

use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_protocol::message::{RpcError, code};
use serde_json::json;

/// `dev-ignore-htlcs id ignore`. What has come meanwhile stays where it is, until the node is started again.
pub(crate) struct DevIgnoreHtlcs {
    peer: PublicKey,
    ignore: bool,
}

impl Command for DevIgnoreHtlcs {
    const NAME: &'static str = "dev-ignore-htlcs";
    const TAKES: &'static [Shape] = &[Shape::required("id"), Shape::required("ignore")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let (peer, ignore) = (params.node_id("id")?, params.boolean("ignore")?);
        if node.channels.of_peer(&peer).next().is_none() {
            return Err(RpcError::new(code::LIGHTNINGD, "Could not find channel with that peer"));
        }
        Ok(Self { peer, ignore })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let ignored = &mut node.htlcs.ignored;
        if self.ignore {
            ignored.insert(self.peer)
        } else {
            ignored.remove(&self.peer)
        };
        node.reply(&request.client, &json!({}));
        Ok(())
    }
}
