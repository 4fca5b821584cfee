//! Payments between nodes of a net.

use std::panic::Location;

use serde_json::{Value, json};

use crate::amount::{Amount, Units};
use crate::error::{Error, Result};
use crate::event::EventKind;
use crate::node::Node;

impl Node {
    /// Lets another node make an invoice over an amount and pays it with `pay`, which finds the way; gives the answer of `pay` when no HTLC is
    /// left at either end.
    ///
    /// ```no_run
    /// # async fn test(l1: leyden::Node, l3: leyden::Node) -> leyden::Result {
    /// use leyden::Units;
    /// let paid = l1.pay(&l3, 1_000.sat()).await?;
    /// assert_eq!(paid["status"], "complete");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Node::rpc`]: the payment's failure has the code that `pay` answers.
    #[track_caller]
    pub fn pay(&self, to: &Node, amount: Amount) -> impl Future<Output = Result<Value>> + Send + use<> {
        let at = Location::caller();
        let (node, to) = (self.clone(), to.clone());
        async move {
            let invoice = to.invoice_at(amount, at).await?;
            let paid = node.rpc_at("pay", json!([invoice["bolt11"]]), at).await;
            node.wait_for_htlcs().await.and(to.wait_for_htlcs().await).map_err(|error| error.at(at))?;
            paid
        }
    }

    /// Pays everything that it can to another node with which it has a channel; gives the sum.
    ///
    /// # Errors
    /// As [`Node::pay`].
    #[track_caller]
    pub fn drain(&self, to: &Node) -> impl Future<Output = Result<Amount>> + Send + use<> {
        let at = Location::caller();
        let (node, to) = (self.clone(), to.clone());
        async move {
            let mut total = Amount::default();
            loop {
                let channel = node.channel(&to).await.map_err(|error| error.at(at))?;
                let spendable = channel["spendable_msat"].as_u64().unwrap_or_default().msat();
                if spendable == Amount::default() {
                    return Ok(total);
                }
                node.pay(&to, spendable).await.map_err(|error| error.at(at))?;
                total = total + spendable;
            }
        }
    }

    /// Makes an invoice whose label and description are new in the net: the place of this step on the timeline.
    pub(crate) async fn invoice_at(&self, amount: Amount, at: &'static Location<'static>) -> Result<Value> {
        let label = format!("leyden-{}", self.timeline().now());
        self.record(EventKind::Step(format!("invoice {label}")));
        let invoice = self.rpc_at("invoice", json!([amount, label, label]), at).await?;
        if invoice["bolt11"].is_string() {
            return Ok(invoice);
        }
        Err(Error::node(format!("{}: invoice", self.name()))
            .expected("a bolt11")
            .came(invoice.to_string())
            .at(at))
    }
}
