//! Invoices: the notification `invoice_creation`, and invoices that somebody else has written.

use leyden::{Mock, Net, Node, Result, Units};
use serde_json::{Value, json};

use crate::heard::heard;
use crate::payments::{PAYMENT_HASH, fail, route};
use crate::scenario::Scenario;
use crate::socket::Client;

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
    let made = l1.rpc("invoice", coffee).await?;
    let gift =
        json!({"amount_msat": "any", "label": "gift", "description": "a gift", "preimage": "22".repeat(32)});
    l1.rpc("invoice", gift).await?;
    let again = l1.rpc("invoice", json!([1, "gift", "another gift"])).await.expect_err("the label is taken");
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

pub(crate) fn invoice_signed() -> Scenario {
    Scenario::new(
        "a node signs an invoice that another one has written, and takes it for its own if it is given the preimage",
        || {
            Net::builder()
                .nodes(["l1", "l2"])
                .mount("l1", Mock::notification("invoice_creation").expect(1).named("clerk"))
        },
        |net| Box::pin(sign_invoices(net)),
    )
    .golden("l1", "clerk")
}

async fn sign_invoices(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let preimage = "33".repeat(32);
    let written = json!({"amount_msat": 7, "label": "there", "description": "a loan", "preimage": preimage});
    let written = l2.rpc("invoice", written).await?["bolt11"].take();
    let decoded = l1.rpc("decode", json!([written])).await?;
    assert_eq!(decoded["payee"], l2.id());

    let signed = l1.rpc("signinvoice", json!([written])).await?["bolt11"].take();
    let ours = l1.rpc("decode", json!([signed])).await?;
    assert_eq!((&ours["payee"], &ours["payment_hash"]), (&json!(l1.id()), &decoded["payment_hash"]));
    assert_eq!(l1.rpc("listinvoices", json!([])).await?, json!({"invoices": []}), "it is signed and no more");

    let wrong = l1.rpc("createinvoice", json!([written, "here", "44".repeat(32)])).await;
    let wrong = wrong.expect_err("that is not its preimage");
    assert!(wrong.code() == -32602 && wrong.to_string().contains("Incorrect preimage"), "{wrong}");
    let created = l1.rpc("createinvoice", json!([written, "here", preimage])).await?;
    assert_eq!(created["bolt11"], signed);
    assert_eq!((&created["label"], &created["status"]), (&json!("here"), &json!("unpaid")));
    assert_eq!((&created["description"], &created["amount_msat"]), (&json!("a loan"), &json!(7)));
    assert_eq!(l1.rpc("listinvoices", json!(["here"])).await?["invoices"], json!([created]));
    let again = l1.rpc("createinvoice", json!([written, "here", preimage])).await;
    let again = again.expect_err("the label is taken");
    assert!(again.code() == 900 && again.to_string().contains("Duplicate label"), "{again}");
    heard(net, "l1", "clerk", "invoice_creation", 1).await?;
    Ok(())
}

pub(crate) fn invoices_waited_for() -> Scenario {
    Scenario::new(
        "who waits for invoices is told of each that is made, paid, changed or deleted",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(wait_for_invoices(net)),
    )
}

async fn wait_for_invoices(net: &Net) -> Result {
    let [l1] = net.nodes();
    let (text, preimage) = ("a \"tip\"", "55".repeat(32));
    let invoice = json!({"amount_msat": 5, "label": text, "description": "thanks", "preimage": preimage});
    let (told, made) = wait_and("created", 1, &l1, "invoice", invoice).await?;
    let bolt11 = &made["bolt11"];
    assert_eq!(told, json!({"status": "unpaid", "label": text, "bolt11": bolt11}));
    let late = l1.rpc("wait", json!(["invoices", "created", 0])).await?;
    assert_eq!(late, json!({"subsystem": "invoices", "created": 1}));

    let (told, paid) = wait_and("updated", 1, &l1, "pay", json!([bolt11])).await?;
    assert_eq!(paid["payment_preimage"], preimage);
    assert_eq!(told, json!({"status": "paid", "label": text}));

    let forget = json!({"label": text, "status": "paid", "desconly": true});
    let (told, forgotten) = wait_and("updated", 2, &l1, "delinvoice", forget).await?;
    assert_eq!(forgotten.get("description"), None);
    assert_eq!(told, json!({"label": text, "description": "thanks"}));

    let (told, deleted) = wait_and("deleted", 1, &l1, "delinvoice", json!([text, "paid"])).await?;
    assert_eq!(&deleted["bolt11"], bolt11);
    assert_eq!(told, json!({"status": "paid", "label": text, "bolt11": bolt11}));
    Ok(())
}

/// Waits for a count of invoices, and has a command done that raises it. Gives what the waiter is told of the invoice, and the
/// command's result.
async fn wait_and(
    index: &str,
    next: u64,
    node: &Node,
    method: &str,
    params: Value,
) -> Result<(Value, Value)> {
    let mut client = Client::connect(node).await?;
    let request = |id, method, params| {
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
    };
    // A node takes up the requests of a connection in their order.
    client.send(&request("waiter", "wait", json!(["invoices", index, next]))).await?;
    client.send(&request("cause", method, params)).await?;
    let (mut told, mut result) = (Value::Null, Value::Null);
    for _ in 0..2 {
        let answer: Value = serde_json::from_str(&client.next().await?)?;
        assert_eq!(answer.get("error"), None);
        let place = if answer["id"] == "waiter" { &mut told } else { &mut result };
        *place = answer["result"].clone();
    }
    assert_eq!((&told["subsystem"], &told[index]), (&json!("invoices"), &json!(next)), "{told}");
    Ok((told["invoices"].take(), result))
}

pub(crate) fn invoice_over_private_channel() -> Scenario {
    Scenario::new(
        "an invoice shows the way over a channel that nobody was told of, and that way is paid",
        || Net::builder().nodes(["l1", "l2", "l3"]),
        |net| Box::pin(show_the_way(net)),
    )
}

async fn show_the_way(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    net.join_nodes(&[&l1, &l2]).await?;
    net.fundchannel(&l2, &l3, 1_000_000.sat()).announce_channel(false).await?;
    let channel = l3.channel(&l2).await?;
    let look = || async {
        let channel = l3.channel(&l2).await?;
        Ok::<_, leyden::Error>(leyden::seen(channel, |channel| channel["updates"]["remote"].is_object()))
    };
    leyden::eventually("l2 has told l3 its fees", look).await?;
    let way = json!([[{
        "pubkey": l2.id(),
        "short_channel_id": channel["alias"]["remote"],
        "fee_base_msat": 1,
        "fee_proportional_millionths": 10,
        "cltv_expiry_delta": 6,
    }]]);
    let over = json!([channel["short_channel_id"]]);
    for (label, exposed) in [("unless", Value::Null), ("all", json!(true)), ("this", over)] {
        let mut asked = json!({"amount_msat": 1_000_000, "label": label, "description": "d"});
        if !exposed.is_null() {
            asked["exposeprivatechannels"] = exposed;
        }
        let made = l3.rpc("invoice", asked).await?;
        let decoded = l1.rpc("decode", json!([made["bolt11"]])).await?;
        assert_eq!(decoded["routes"], way, "{label}");
    }
    let hidden =
        json!({"amount_msat": 1_000_000, "label": "no", "description": "d", "exposeprivatechannels": false});
    let hidden = l3.rpc("invoice", hidden).await?;
    assert!(hidden["warning_private_unused"].is_string(), "{hidden}");
    assert_eq!(l1.rpc("decode", json!([hidden["bolt11"]])).await?.get("routes"), None);

    let shown = l3.rpc("listinvoices", json!(["unless"])).await?;
    let paid = l1.rpc("pay", json!([shown["invoices"][0]["bolt11"]])).await?;
    assert_eq!((&paid["status"], &paid["amount_sent_msat"]), (&json!("complete"), &json!(1_000_011)));

    for node in [&l1, &l2] {
        node.wait_for_htlcs().await?;
    }
    // Where it was funded is nobody's business: by that name it is not there.
    let real = route(&[&l1, &l2, &l3], 1_000_000).await?;
    assert_eq!(real[1]["channel"], channel["short_channel_id"]);
    let refused = fail(&l1, &real, PAYMENT_HASH).await?;
    assert!(refused.headline().contains("WIRE_UNKNOWN_NEXT_PEER"), "{refused}");
    Ok(())
}
