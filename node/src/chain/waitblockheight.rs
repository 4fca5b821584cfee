//! `waitblockheight` (`lightningd/peer_control.c`).

use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::input::{ConnectionId, Timer};
use crate::jsonrpc::{Client, RpcRequest};
use crate::output::Output;
use crate::state::State;
use leyden_protocol::message::{RpcError, code};
use serde_json::json;
use std::time::Duration;

/// How long a client waits that does not say, in seconds.
const TIMEOUT: u32 = 60;

/// A client that waits for a height.
pub(crate) struct Waiter {
    number: u64,
    height: u32,
    client: Client,
}

/// `waitblockheight blockheight [timeout]`.
pub(crate) struct Waitblockheight {
    height: u32,
    /// In seconds.
    timeout: u32,
}

impl Command for Waitblockheight {
    const NAME: &'static str = "waitblockheight";
    const TAKES: &'static [Shape] = &[Shape::required("blockheight"), Shape::optional("timeout")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self {
            height: params.optional_integer("blockheight")?.unwrap_or_default(),
            timeout: params.optional_integer("timeout")?.unwrap_or(TIMEOUT),
        })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let height = node.topology.height();
        if self.height <= height {
            node.reply(&request.client, &json!({ "blockheight": height }));
            return Ok(());
        }
        let number = node.topology.next_waiter;
        node.topology.next_waiter += 1;
        node.topology.waiters.push(Waiter { number, height: self.height, client: request.client.clone() });
        let timeout = Duration::from_secs(self.timeout.into());
        node.out.push(Output::SetTimer(Timer::WaitBlockHeight(number), timeout));
        Ok(())
    }
}

impl State {
    /// The chain has this height: those who waited for it are answered.
    pub(crate) fn answer_waiters(&mut self, height: u32) {
        for waiter in self.take_waiters(|waiter| waiter.height <= height) {
            self.reply(&waiter.client, &json!({ "blockheight": height }));
        }
    }

    /// A client has waited long enough.
    pub(crate) fn block_height_timeout(&mut self, number: u64) {
        for waiter in self.take_waiters(|waiter| waiter.number == number) {
            self.reply_error(&waiter.client, &RpcError::new(code::WAIT_TIMEOUT, "Timed out."));
        }
    }

    /// A client has hung up.
    pub(crate) fn forget_waiters(&mut self, connection: ConnectionId) {
        self.take_waiters(|waiter| waiter.client.connection == connection);
    }

    fn take_waiters(&mut self, wanted: impl Fn(&Waiter) -> bool) -> Vec<Waiter> {
        let taken: Vec<Waiter> = self.topology.waiters.extract_if(.., |waiter| wanted(waiter)).collect();
        for waiter in &taken {
            self.out.push(Output::CancelTimer(Timer::WaitBlockHeight(waiter.number)));
        }
        taken
    }
}
