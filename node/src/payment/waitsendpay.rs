//! `waitsendpay`, and who waits (`lightningd/pay.c`).

use super::failure::Failure;
use super::show::payment_fields;
use super::store::{self, Payment, Status};
use super::{PaymentKey, code};
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::event::LogLevel;
use crate::input::{ConnectionId, Timer};
use crate::jsonrpc::{Client, RpcRequest};
use crate::output::Output;
use crate::state::State;
use leyden_bolt::onion::FailureCode;
use leyden_protocol::message::RpcError;
use std::collections::BTreeMap;
use std::time::Duration;

/// The clients that wait for a part, by a number that is not used again.
#[derive(Default)]
pub(crate) struct SendpayWaiters {
    waiting: BTreeMap<u64, (PaymentKey, Client)>,
    next: u64,
}

impl SendpayWaiters {
    /// Those who wait for this part, in the order in which they came.
    pub(super) fn take(&mut self, key: &PaymentKey) -> Vec<Client> {
        let all = std::mem::take(&mut self.waiting);
        let (theirs, others) = all.into_iter().partition(|(_, (waited, _))| waited == key);
        self.waiting = others;
        let theirs: BTreeMap<u64, (PaymentKey, Client)> = theirs;
        theirs.into_values().map(|(_, client)| client).collect()
    }

    /// A client has hung up.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        self.waiting.retain(|_, (_, client)| client.connection != connection);
    }
}

/// `waitsendpay payment_hash [timeout] [partid] [groupid]`.
pub(crate) struct Waitsendpay {
    payment_hash: [u8; 32],
    timeout: Option<Duration>,
    partid: u64,
    groupid: Option<u64>,
}

impl Command for Waitsendpay {
    const NAME: &'static str = "waitsendpay";
    const TAKES: &'static [Shape] = &[
        Shape::required("payment_hash"),
        Shape::optional("timeout"),
        Shape::optional("partid"),
        Shape::optional("groupid"),
    ];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let timeout = params.optional_integer("timeout")?;
        Ok(Self {
            payment_hash: params.sha256("payment_hash")?,
            timeout: timeout.map(|seconds| Duration::from_secs(seconds.into())),
            partid: params.optional_u64("partid")?.unwrap_or(0),
            groupid: params.optional_u64("groupid")?,
        })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { payment_hash, partid, .. } = self;
        let groupid = self.groupid.unwrap_or_else(|| store::last_groupid(node.stored(), &payment_hash));
        let key = PaymentKey { payment_hash, partid, groupid };
        let Some(payment) = store::find(node.stored(), &key) else {
            let hash = hex::encode(payment_hash);
            let text = format!("Never attempted payment part {partid} for '{hash}'");
            return Err(RpcError::new(code::NO_SUCH_PAYMENT, text));
        };
        let status = payment.status.stored();
        let text = format!("Payment part {partid}/{partid}/{groupid} status {status}");
        node.log_main(LogLevel::Debug, &text);
        match payment.status {
            Status::Pending => node.wait_for_part(key, &request.client, self.timeout),
            Status::Complete => {
                let fields = payment_fields(node, &payment);
                node.reply(&request.client, &fields);
            }
            Status::Failed => return Err(stored_failure(node, &payment)),
        }
        Ok(())
    }
}

/// How a part failed earlier.
fn stored_failure(node: &State, payment: &Payment) -> RpcError {
    if let Some(onion) = &payment.failure_onion {
        return Failure::Unreadable(onion.clone()).error(node, Some(payment));
    }
    let Some((failure, is_final, detail)) = store::failure_of(node.stored(), payment.created_index) else {
        return RpcError::new(code::UNSPECIFIED_ERROR, "Payment failure reason unknown");
    };
    let code = match is_final {
        _ if failure.code.0 & FailureCode::BADONION != 0 => code::UNPARSEABLE_ONION,
        true => code::DESTINATION_PERM_FAIL,
        false => code::TRY_OTHER_ROUTE,
    };
    Failure::Known { failure, code, detail }.error(node, Some(payment))
}

impl State {
    fn wait_for_part(&mut self, key: PaymentKey, client: &Client, timeout: Option<Duration>) {
        let waiters = &mut self.sendpay_waiters;
        let number = waiters.next;
        waiters.next += 1;
        waiters.waiting.insert(number, (key, client.clone()));
        if let Some(timeout) = timeout {
            self.out.push(Output::SetTimer(Timer::WaitSendpay(number), timeout));
        }
    }

    /// A client has waited for a part long enough.
    pub(crate) fn wait_sendpay_timeout(&mut self, number: u64) {
        if let Some((_, client)) = self.sendpay_waiters.waiting.remove(&number) {
            self.reply_error(&client, &RpcError::new(code::IN_PROGRESS, "Timed out while waiting"));
        }
    }
}
