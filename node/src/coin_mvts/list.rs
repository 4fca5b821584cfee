//! `listchainmoves` and `listchannelmoves` (`lightningd/coin_mvts.c`).

use super::store::Stored;
use crate::command::Command;
use crate::command::page::Page;
use crate::command::params::{Params, Shape, invalid};
use crate::indexes::Index;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};

const TAKES: &[Shape] = &[Shape::optional("index"), Shape::optional("start"), Shape::optional("limit")];

fn page(params: &Params, what: &str) -> Result<Page, RpcError> {
    let page = Page::parse(params)?;
    if page.index == Some(Index::Updated) {
        return Err(invalid(format!("index must be 'created', since {what} are never updated")));
    }
    Ok(page)
}

fn reply(node: &mut State, request: &RpcRequest, member: &str, moves: &[Stored]) {
    let entries: Vec<Value> = moves.iter().map(|stored| node.listed(stored)).collect();
    node.reply(&request.client, &json!({ member: entries }));
}

/// `listchainmoves [index] [start] [limit]`.
pub(crate) struct Listchainmoves(Page);

impl Command for Listchainmoves {
    const NAME: &'static str = "listchainmoves";
    const TAKES: &'static [Shape] = TAKES;

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        page(params, "chainmoves").map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let moves = node.chain_moves(self.0.start, self.0.limit);
        reply(node, request, "chainmoves", &moves);
        Ok(())
    }
}

/// `listchannelmoves [index] [start] [limit]`.
pub(crate) struct Listchannelmoves(Page);

impl Command for Listchannelmoves {
    const NAME: &'static str = "listchannelmoves";
    const TAKES: &'static [Shape] = TAKES;

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        page(params, "channelmoves").map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let moves = node.channel_moves(self.0.start, self.0.limit);
        reply(node, request, "channelmoves", &moves);
        Ok(())
    }
}
