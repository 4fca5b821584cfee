//! `db_write` with several plugins: what one does while another is still waited for.

use leyden::{Backend, Mock, Net, Reply, Result};
use std::time::Duration;

/// Answers every write, but late enough for others to do something meanwhile.
fn slow() -> Mock {
    Mock::hook("db_write").reply(Reply::cont().delay(Duration::from_millis(30))).named("slow")
}

#[tokio::test]
async fn a_node_does_not_wait_for_a_plugin_that_died_while_another_was_waited_for() -> Result {
    let quitter = Mock::hook("db_write").reply(Reply::cont().then_exit(0)).named("quitter");
    let started = Net::builder()
        .nodes(["l1"])
        .backend(Backend::Embedded)
        .mount("l1", quitter)
        .mount("l1", slow())
        .may_fail("l1")
        .broken_log("l1", "terminated before replying to db_write")
        .start()
        .await;
    // Whether its end or the next write comes first is chance: one buries it, the other ends the node.
    match started {
        Ok(net) => net.finish().await,
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("l1 exited with code 1") && text.contains("db_write"), "{text}");
            Ok(())
        }
    }
}

#[tokio::test]
async fn what_a_plugin_says_behind_its_answer_is_heard_in_order() -> Result {
    // A line behind each answer, in pieces: they come while the other plugin is waited for.
    let answer = r#"{"jsonrpc":"2.0","id":%ID%,"result":{"result":"continue"}}"#;
    let line = r#"{"jsonrpc":"2.0","method":"log","params":{"message":"one more"}}"#;
    let talker = Mock::hook("db_write").reply(Reply::raw(format!("{answer}{line}")).in_pieces(9));
    let net = Net::builder()
        .nodes(["l1"])
        .backend(Backend::Embedded)
        .mount("l1", talker.named("talker"))
        .mount("l1", slow())
        .start()
        .await?;
    let [l1] = net.nodes();
    let writes = l1.mock("talker").expect("it is mounted").calls("db_write").len();
    assert!(writes > 3, "a new database takes several writes, not {writes}");
    for _ in 0..writes {
        l1.wait_for_log("plugin-talker: one more").await?;
    }
    net.finish().await
}
