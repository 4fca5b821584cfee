//! Invoices: the notification `invoice_creation`.

use leyden::{Mock, Net, Result};
use serde_json::json;

use crate::heard::heard;
use crate::scenario::Scenario;

pub(crate) fn invoice_created() -> Scenario {
    Scenario::new(
        "plugins hear of every invoice that is made, with its preimage, and with its amount if it has one",
        || {
            Net::builder()
                .nodes(["l1"])
                .mount("l1", Mock::notification("invoice_creation").expect(2).named("clerk"))
        },
        |net| Box::pin(make_invoices(net)),
    )
    .golden("l1", "clerk")
}

async fn make_invoices(net: &Net) -> Result {
    let [l1] = net.nodes();
    let coffee = json!({
        "amount_msat": 25_000,
        "label": "coffee \"to go\"",
        "description": "a coffee",
        "preimage": "11".repeat(32),
    });
    let made = l1.rpc("invoice", coffee.clone()).await?;
    let gift =
        json!({"amount_msat": "any", "label": "gift", "description": "a gift", "preimage": "22".repeat(32)});
    l1.rpc("invoice", gift).await?;
    let again = l1.rpc("invoice", coffee).await.expect_err("the label is taken");
    assert_eq!(again.code(), 900, "{again}");
    heard(net, "l1", "clerk", "invoice_creation", 2).await?;

    let listed = l1.rpc("listinvoices", json!({"label": "coffee \"to go\""})).await?;
    assert_eq!(listed["invoices"][0]["bolt11"], made["bolt11"]);
    assert_eq!(listed["invoices"][0]["status"], "unpaid");
    // SHA-256 of the preimage.
    let hash = "02d449a31fbb267c8f352e9968a79e3e5fc95c1bbeaa502fd6454ebde5a4bedc";
    assert_eq!(made["payment_hash"], hash);
    let decoded = l1.rpc("decode", json!([made["bolt11"]])).await?;
    assert_eq!((&decoded["payment_hash"], &decoded["amount_msat"]), (&json!(hash), &json!(25_000)));
    assert_eq!(decoded["payee"], l1.id());
    Ok(())
}
