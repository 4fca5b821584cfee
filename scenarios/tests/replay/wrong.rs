//! Plugins that are deliberately wrong: the report names the mistake, the frames and the rule.

use leyden::replay::{Mistake, PaymentEnd, Report};
use leyden::{Call, Commit, Fault, Hook, Mock, Net, Plugin, Reply, Result};
use serde_json::json;
use std::future::ready;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// Whether a call is about an HTLC of which there was a call before.
fn is_again(call: &Call, last: &AtomicUsize) -> bool {
    let id = call.params()["htlc"]["id"].as_u64().unwrap_or_default() as usize;
    last.swap(id + 1, Ordering::SeqCst) == id + 1
}

/// Makes the mistakes' text the only thing that a test is about.
fn mistakes(report: &Report) -> Vec<String> {
    report.mistakes().map(ToString::to_string).collect()
}

#[tokio::test]
async fn another_answer_to_a_replayed_htlc_is_named_with_both_frames_and_the_rule() -> Result {
    let last = AtomicUsize::new(0);
    // It lets an HTLC pass, and when it is asked again it does not remember and fails it.
    let forgetful = Mock::hook("htlc_accepted")
        .reply(move |call: &Call| if is_again(call, &last) { Reply::fail("2002") } else { Reply::cont() });
    let net = Net::line(["l1", "l2"]).mount("l2", forgetful.named("forgetful")).start().await?;
    let [l1, l2] = net.nodes();
    let points = [Hook::called("htlc_accepted").into(), Hook::answered("htlc_accepted").into()];
    let report = net.replay(&l2, "forgetful").along([&l1, &l2]).at(points).run().await?;
    assert_eq!(
        report.to_string(),
        r#"forgetful on l2, payments l1 -> l2: crashes 2, mistakes 1
without a crash: paid
  htlc_accepted, HTLC 0 of <scid:l1-l2>: {"result":"continue"}
when htlc_accepted is called: failed with 204
  htlc_accepted, HTLC 1 of <scid:l1-l2>: no answer
  htlc_accepted, HTLC 1 of <scid:l1-l2>, asked again: {"result":"fail","failure_message":"2002"}
when htlc_accepted is answered: failed with 204
  htlc_accepted, HTLC 2 of <scid:l1-l2>: {"result":"continue"}
  htlc_accepted, HTLC 2 of <scid:l1-l2>, asked again: {"result":"fail","failure_message":"2002"}
  MISTAKE two verdicts: htlc_accepted, HTLC 2 of <scid:l1-l2>
    first: forgetful -> lightningd  result "cln:htlc_accepted#<1>" {"result":"continue"}
    then:  forgetful -> lightningd  result "cln:htlc_accepted#<2>" {"result":"fail","failure_message":"2002"}
    rule:  when lightningd starts, it asks again about every HTLC without a final verdict, and the answer has to be the same (CLN's hooks.md, htlc_accepted)"#
    );
    let error = report.check().expect_err("it is wrong");
    assert_eq!(error.fault(), Fault::Plugin);
    assert_eq!(
        error.headline(),
        "l2: what forgetful makes of 2 crashes: expected one verdict about each HTLC, and each effect once, but there are mistakes: 1"
    );
    net.finish().await
}

/// It pays out, which is a line in a file, before it lets an HTLC pass.
const GENEROUS: &str = r#"#!/bin/sh
while read -r message && read -r empty_line; do
    id=${message#*'"id":'}
    case $message in
    *'"getmanifest"'*) result='{"options":[],"rpcmethods":[],"hooks":[{"name":"htlc_accepted"}]}' ;;
    *'"htlc_accepted"'*) echo paid >>payouts; result='{"result":"continue"}' ;;
    *) result='{}' ;;
    esac
    echo '{"jsonrpc":"2.0","id":'"${id%%,*}"',"result":'"$result"'}'
done"#;

#[tokio::test]
async fn a_plugin_that_pays_out_twice_is_found_as_the_author_counts_it() -> Result {
    let net = Net::line(["l1", "l2"]).plugin("l2", Plugin::script("generous.sh", GENEROUS)).start().await?;
    let [l1, l2] = net.nodes();
    let payouts = l2.lightning_dir().join("regtest/payouts");
    let count =
        move || ready(std::fs::read_to_string(&payouts).map_or(Ok(0), |lines| Ok(lines.lines().count())));
    let replay = net.replay(&l2, "generous.sh").along([&l1, &l2]).effect("a payout", count);
    let report = replay.at([Hook::answered("htlc_accepted").into(), Commit::nth(3).after()]).run().await?;
    assert_eq!(
        report.to_string(),
        r#"generous.sh on l2, payments l1 -> l2: crashes 2, mistakes 1
without a crash: paid; 1 × a payout
  htlc_accepted, HTLC 0 of <scid:l1-l2>: {"result":"continue"}
when htlc_accepted is answered: paid; 2 × a payout
  htlc_accepted, HTLC 1 of <scid:l1-l2>: {"result":"continue"}
  htlc_accepted, HTLC 1 of <scid:l1-l2>, asked again: {"result":"continue"}
  MISTAKE it happened 2 times: a payout
    last:  generous.sh -> lightningd  result "cln:htlc_accepted#<1>" {"result":"continue"}
    rule:  a plugin may be asked about the same HTLC again, and must not do again what it has done for it (CLN's hooks.md, htlc_accepted: idempotence)
after its commit 3: paid; 1 × a payout
  htlc_accepted, HTLC 2 of <scid:l1-l2>: {"result":"continue"}"#
    );
    assert_eq!(report.check().expect_err("it is wrong").fault(), Fault::Plugin);
    net.finish().await
}

#[tokio::test]
async fn a_plugin_that_pays_out_twice_is_found_by_its_commands() -> Result {
    // A mock speaks no RPC by itself. The answers are not read, and connections must not end before their requests are.
    let socket = Arc::new(OnceLock::<PathBuf>::new());
    let (path, connections) = (Arc::clone(&socket), Mutex::new(Vec::new()));
    let generous = Mock::hook("htlc_accepted").reply(move |call: &Call| {
        let key = json!(["paid", call.params()["htlc"]["id"].to_string(), call.nth().to_string()]);
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "datastore", "params": { "key": key, "string": "1" } });
        let mut connection = UnixStream::connect(path.get().expect("it is known")).expect("the node listens");
        connection.write_all(format!("{request}\n\n").as_bytes()).expect("the node reads");
        connections.lock().expect("nobody has panicked").push(connection);
        // The command goes first, on a busy machine too.
        Reply::cont().delay(Duration::from_millis(250))
    });
    let net = Net::line(["l1", "l2"]).mount("l2", generous.named("generous")).start().await?;
    let [l1, l2] = net.nodes();
    socket.set(l2.lightning_dir().join("regtest/lightning-rpc")).expect("it was not known");
    // Just before it is stored that the invoice is paid.
    let replay = net.replay(&l2, "generous").along([&l1, &l2]).at([Commit::nth(4).before()]);
    let report = replay.effect_rpc("datastore").run().await?;
    let [mistake] = &mistakes(&report)[..] else { panic!("{report}") };
    assert!(
        mistake.starts_with(
            "it happened 2 times: datastore\n  last:  lightningd -> replay-witness  rpc_command"
        ),
        "{mistake}"
    );
    assert!(mistake.contains(r#"{"key":["paid","1","3"],"string":"1"}"#), "{mistake}");
    net.finish().await
}

#[tokio::test]
async fn an_htlc_that_gets_no_verdict_when_it_is_asked_about_again_ends_the_replay() -> Result {
    let last = AtomicUsize::new(0);
    let mute = Mock::hook("htlc_accepted")
        .reply(move |call: &Call| if is_again(call, &last) { Reply::hang() } else { Reply::cont() });
    let net = Net::line(["l1", "l2"]).mount("l2", mute.named("mute")).start().await?;
    let [l1, l2] = net.nodes();
    let replay = net.replay(&l2, "mute").along([&l1, &l2]).patience(Duration::from_secs(3));
    let report = replay.run().await?;
    assert_eq!(report.attempts().len(), 2, "what comes behind would wait as well: {report}");
    let last = &report.attempts()[1];
    assert_eq!(last.end, PaymentEnd::Open("the payment had not ended after 3 s".into()));
    let [Mistake::Open { frame: Some(frame), .. }] = &last.mistakes[..] else { panic!("{report}") };
    assert!(frame.starts_with("lightningd -> mute  htlc_accepted \"cln:htlc_accepted#<1>\" {"), "{frame}");
    assert_eq!(report.check().expect_err("it is open").fault(), Fault::Plugin);
    net.finish().await
}

#[tokio::test]
async fn what_cannot_be_replayed_is_said() -> Result {
    let net =
        Net::line(["l1", "l2"]).mount("l2", Mock::notification("connect").named("deaf")).start().await?;
    let [l1, l2] = net.nodes();
    for (along, text) in [
        (vec![], "fewer than two"),
        (vec![&l2, &l1], "it is the payer"),
        (vec![&l1, &l2], "the payment passed without it"),
    ] {
        let refused = net.replay(&l2, "deaf").along(along).run().await.expect_err("it makes no sense");
        assert_eq!(refused.fault(), Fault::Test);
        assert!(refused.to_string().contains(text), "{refused}");
    }
    let json = json!({});
    let nothing = net.replay(&l2, "deaf").along([&l1, &l2]).invoices(move |_| ready(Ok(json.clone())));
    let refused = nothing.run().await.expect_err("there is nothing to pay");
    assert!(refused.to_string().contains("expected an object with a payment_hash"), "{refused}");
    net.finish().await
}
