//! `waitinvoice`, `waitanyinvoice`, and who waits (`lightningd/invoice.c`, `wallet/invoices.c`).

use super::list::invoice_json;
use super::store::{self, Status, StoredInvoice};
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::input::Timer;
use crate::jsonrpc::{Client, RpcRequest};
use crate::output::Output;
use crate::state::State;
use leyden_protocol::message::{RpcError, code};
use std::collections::BTreeMap;
use std::time::Duration;

/// Codes of `common/jsonrpc_errors.h`.
mod invoice_code {
    pub(super) const EXPIRED_DURING_WAIT: i64 = 903;
    pub(super) const WAIT_TIMED_OUT: i64 = 904;
}

/// The clients that wait for invoices to be paid.
#[derive(Default)]
pub(crate) struct InvoiceWaiters {
    /// For one invoice, by its `created_index`, in the order in which they came.
    one: Vec<(i64, Client)>,
    /// For the next one, by a number that is not used again.
    any: BTreeMap<u64, Client>,
    next: u64,
}

impl InvoiceWaiters {
    fn take(&mut self, created_index: i64) -> Vec<Client> {
        self.one.extract_if(.., |(waited, _)| *waited == created_index).map(|(_, client)| client).collect()
    }
}

/// `waitinvoice label`.
pub(crate) struct Waitinvoice {
    invoice: StoredInvoice,
}

impl Command for Waitinvoice {
    const NAME: &'static str = "waitinvoice";
    const TAKES: &'static [Shape] = &[Shape::required("label")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let label = params.label("label")?;
        let invoice = store::labelled(node.stored(), &label);
        let invoice = invoice.ok_or_else(|| RpcError::new(code::LIGHTNINGD, "Label not found"))?;
        Ok(Self { invoice })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        match self.invoice.status {
            Status::Expired => return Err(expired(node, &self.invoice)),
            Status::Paid => {
                let paid = invoice_json(node, &self.invoice);
                node.reply(&request.client, &paid);
                return Ok(());
            }
            Status::Unpaid => {}
        }
        node.invoice_waiters.one.push((self.invoice.created_index, request.client.clone()));
        node.expire_invoices();
        Ok(())
    }
}

/// `waitanyinvoice [lastpay_index] [timeout]`.
pub(crate) struct Waitanyinvoice {
    lastpay_index: u64,
    timeout: Option<Duration>,
}

impl Command for Waitanyinvoice {
    const NAME: &'static str = "waitanyinvoice";
    const TAKES: &'static [Shape] = &[Shape::optional("lastpay_index"), Shape::optional("timeout")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self {
            lastpay_index: params.optional_u64("lastpay_index")?.unwrap_or(0),
            timeout: params.optional_u64("timeout")?.map(Duration::from_secs),
        })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let last = i64::try_from(self.lastpay_index).unwrap_or(i64::MAX);
        if let Some(paid) = store::paid_after(node.stored(), last) {
            let paid = invoice_json(node, &paid);
            node.reply(&request.client, &paid);
            return Ok(());
        }
        let waiters = &mut node.invoice_waiters;
        let number = waiters.next;
        waiters.next += 1;
        waiters.any.insert(number, request.client.clone());
        if let Some(timeout) = self.timeout {
            node.out.push(Output::SetTimer(Timer::WaitAnyInvoice(number), timeout));
        }
        Ok(())
    }
}

impl State {
    /// Somebody has waited for any invoice long enough.
    pub(crate) fn wait_any_invoice_timeout(&mut self, number: u64) {
        if let Some(client) = self.invoice_waiters.any.remove(&number) {
            let text = "Timed out while waiting for invoice to be paid";
            self.reply_error(&client, &RpcError::new(invoice_code::WAIT_TIMED_OUT, text));
        }
    }

    /// An invoice is paid.
    pub(super) fn tell_waiters_paid(&mut self, created_index: i64) {
        let Some(invoice) = store::numbered(self.stored(), created_index) else { return };
        let paid = invoice_json(self, &invoice);
        let one = self.invoice_waiters.take(created_index);
        let any = std::mem::take(&mut self.invoice_waiters.any);
        for number in any.keys() {
            self.out.push(Output::CancelTimer(Timer::WaitAnyInvoice(*number)));
        }
        for client in one.iter().chain(any.values()) {
            self.reply(client, &paid);
        }
    }

    /// An invoice has expired.
    pub(super) fn tell_waiters_expired(&mut self, created_index: i64) {
        let Some(invoice) = store::numbered(self.stored(), created_index) else { return };
        for client in self.invoice_waiters.take(created_index) {
            let error = expired(self, &invoice);
            self.reply_error(&client, &error);
        }
    }

    /// An invoice is no longer there.
    pub(super) fn tell_waiters_deleted(&mut self, created_index: i64) {
        for client in self.invoice_waiters.take(created_index) {
            self.reply_error(&client, &RpcError::new(code::LIGHTNINGD, "Invoice deleted during wait"));
        }
    }
}

fn expired(node: &State, invoice: &StoredInvoice) -> RpcError {
    let error = RpcError::new(invoice_code::EXPIRED_DURING_WAIT, "invoice expired during wait");
    RpcError { data: Some(invoice_json(node, invoice)), ..error }
}
