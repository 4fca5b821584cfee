//! The end of the scene: channels along the line, and what plugins do with payments that are forwarded.

use leyden::{Mock, Reply, Result};
use serde_json::{Value, json};

use super::scene::Scene;

/// How much each payment is about, in msat.
const AMOUNT_MSAT: u64 = 1_000_000;
/// A preimage, and what it hashes to.
const PREIMAGE: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const PAYMENT_HASH: &str = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
/// A hash that nobody knows the preimage of.
const LOST_HASH: &str = "1111111111111111111111111111111111111111111111111111111111111111";
/// `temporary_node_failure` (BOLT 4).
const TEMPORARY_NODE_FAILURE: u16 = 0x2002;
/// `waitsendpay` was not given enough time.
const STILL_PENDING: i64 = 200;

impl Scene<'_> {
    pub(super) async fn channels_are_opened(&mut self) -> Result {
        self.chapter("channels are opened along the line, and announced");
        let channels = self.net.join_nodes(&[&self.l1, &self.l2, &self.l3]).await?;
        self.ledger.same("channels in the line", "net", &2, &channels.len());
        Ok(())
    }

    pub(super) async fn a_payment_is_held(&mut self) -> Result {
        self.chapter("a payment from l1 to l3 is held by a plugin of l2, until the plugin goes");
        let holder = self.l2.mount_scoped(judge("holder", Reply::hang())).await?;
        let invoice = self.l3.rpc("invoice", json!([AMOUNT_MSAT, "held", "a payment that waits"])).await?;
        let hash = invoice["payment_hash"].as_str().unwrap_or_default().to_owned();
        self.send(&hash, &invoice["payment_secret"]).await?;
        holder.wait_for("htlc_accepted", 1).await?;
        let waited = self.l1.rpc("waitsendpay", json!([hash, 0])).await;
        let code = waited.err().map_or(0, |error| error.code());
        self.ledger.same("payment while it is held", "l1", &STILL_PENDING, &code);
        holder.finish().await?;
        let paid = self.l1.rpc("waitsendpay", json!([hash])).await?;
        self.ledger.same("payment after the holder went", "l1", &json!("complete"), &paid["status"]);
        Ok(())
    }

    pub(super) async fn a_payment_is_refused(&mut self) -> Result {
        self.chapter("a plugin of l2 refuses the next one");
        let refuser = judge("refuser", Reply::fail(format!("{TEMPORARY_NODE_FAILURE:04x}")));
        let refuser = self.l2.mount_scoped(refuser).await?;
        self.send(LOST_HASH, &json!(LOST_HASH)).await?;
        let refused = self.l1.rpc("waitsendpay", json!([LOST_HASH])).await;
        let seen = refused.map_or_else(|error| error.headline(), |paid| paid.to_string());
        let failure = "WIRE_TEMPORARY_NODE_FAILURE";
        let seen = if seen.contains(failure) { failure.to_owned() } else { seen };
        self.ledger.same("failure of the refused payment", "l1", &failure, &seen);
        refuser.finish().await
    }

    pub(super) async fn a_payment_is_resolved(&mut self) -> Result {
        self.chapter("a plugin of l2 resolves the last one: l3 never hears of it");
        let resolver = self.l2.mount_scoped(judge("resolver", Reply::resolve(PREIMAGE))).await?;
        self.send(PAYMENT_HASH, &json!(PREIMAGE)).await?;
        let paid = self.l1.rpc("waitsendpay", json!([PAYMENT_HASH])).await?;
        self.ledger.same(
            "preimage that l1 got",
            "l1",
            &PREIMAGE,
            &super::scene::text(&paid["payment_preimage"]),
        );
        for node in [&self.l1, &self.l2, &self.l3] {
            node.wait_for_htlcs().await?;
        }
        resolver.finish().await
    }

    /// Sends a payment from l1 along the line to l3, with more than enough of fee and time for l2.
    async fn send(&self, payment_hash: &str, payment_secret: &Value) -> Result {
        let (first, second) =
            (self.l1.get_channel_scid(&self.l2).await?, self.l2.get_channel_scid(&self.l3).await?);
        let payment = json!({
            "route": [
                {"id": self.l2.id(), "channel": first, "amount_msat": AMOUNT_MSAT + 1_000, "delay": 60},
                {"id": self.l3.id(), "channel": second, "amount_msat": AMOUNT_MSAT, "delay": 20},
            ],
            "payment_hash": payment_hash,
            "payment_secret": payment_secret,
        });
        self.l1.rpc("sendpay", payment).await.map(drop)
    }
}

/// A mock that has a say about one HTLC.
fn judge(name: &str, reply: Reply) -> Mock {
    Mock::hook("htlc_accepted").reply(reply).expect(1).named(name)
}
