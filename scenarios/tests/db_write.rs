//! `db_write` on the embedded node: what one plugin does while another is still waited for; the numbers.

use leyden::backup::Answer;
use leyden::{Backend, Call, Mock, Net, Node, Reply, Result};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// What happens to a node that has a plugin with `db_write`.
#[derive(Debug, Clone)]
enum Happens {
    Write,
    /// It is killed, and started again.
    Kill,
    /// The plugin refuses a write, and the node is started again.
    Refusal,
    /// Its database is put near the end of the numbers, or anywhere else.
    Tamper(u32),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => Just(Happens::Write),
        1 => Just(Happens::Kill),
        2 => Just(Happens::Refusal),
        1 => (0..5u32).prop_map(|short| Happens::Tamper(u32::MAX - short)),
        1 => any::<u32>().prop_map(Happens::Tamper),
    ]
}

/// The number of the last transaction that was committed.
fn committed(l1: &Node) -> u32 {
    let rows = l1.db_query("SELECT intval & 4294967295 AS n FROM vars WHERE name = 'data_version'").unwrap();
    rows[0]["n"].as_u64().unwrap().try_into().unwrap()
}

/// A node, and what is known of its numbers.
struct Numbered<'a> {
    l1: &'a Node,
    refuses: &'a AtomicBool,
    /// How many calls have been looked at.
    seen: usize,
    /// The number of the last one that the plugin let pass.
    last: u32,
}

impl Numbered<'_> {
    /// Every number is one more than that of the last transaction that the plugin let pass.
    fn look(&mut self) {
        for (write, answer) in self.l1.db_writes("backup").into_iter().skip(self.seen) {
            assert_eq!(write.data_version, self.last.wrapping_add(1));
            if answer == Answer::None {
                // Its answer is on the way.
                break;
            }
            if answer == Answer::Continue {
                self.last = write.data_version;
            }
            self.seen += 1;
        }
    }

    async fn happen(&mut self, happened: &Happens) -> Result {
        let write = || self.l1.rpc("datastore", json!({"key": "k", "hex": "00", "mode": "create-or-append"}));
        match happened {
            Happens::Write => drop(write().await?),
            Happens::Kill => {
                self.l1.kill().await?;
                self.look();
                // It may have been killed between the answer and the commit.
                let committed = committed(self.l1);
                assert!(
                    [0, 1].contains(&self.last.wrapping_sub(committed)),
                    "{committed}, not {}",
                    self.last
                );
                (self.last, self.seen) = (committed, self.l1.db_writes("backup").len());
                self.l1.start().await?;
            }
            Happens::Refusal => {
                self.refuses.store(true, Ordering::SeqCst);
                write().await.expect_err("the node ends");
                self.l1.wait_for_exit().await?;
                self.refuses.store(false, Ordering::SeqCst);
                self.look();
                assert_eq!(committed(self.l1), self.last);
                self.l1.start().await?;
            }
            Happens::Tamper(data_version) => {
                self.l1.stop().await?;
                self.look();
                self.l1.set_data_version(*data_version)?;
                self.last = *data_version;
                self.l1.start().await?;
            }
        }
        self.look();
        Ok(())
    }
}

async fn play(l1: &Node, history: &[Happens], refuses: &AtomicBool) -> Result {
    // Whatever the case before has left behind.
    refuses.store(false, Ordering::SeqCst);
    drop(l1.kill().await);
    let mut numbered = Numbered { l1, refuses, seen: l1.db_writes("backup").len(), last: committed(l1) };
    l1.start().await?;
    for happened in history {
        numbered.happen(happened).await?;
    }
    Ok(())
}

#[test]
fn numbers_follow_what_was_committed_around_the_wrap_and_over_every_end() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refuses = Arc::new(AtomicBool::new(false));
    let refusing = Arc::clone(&refuses);
    let answer = move |_: &Call| match refusing.load(Ordering::SeqCst) {
        true => Reply::result(json!({"result": "fail"})),
        false => Reply::cont(),
    };
    let starting = Net::builder()
        .nodes(["l1"])
        .backend(Backend::Embedded)
        .may_fail("l1")
        .broken_log("l1", "")
        .mount("l1", Mock::hook("db_write").reply(answer).named("backup"))
        .start();
    let net = runtime.block_on(starting).unwrap();
    let [l1] = net.nodes();
    let mut runner = TestRunner::new(Config::with_cases(12));
    let histories = prop::collection::vec(happens(), 1..8);
    let result = runner.run(&histories, |history| {
        runtime
            .block_on(play(&l1, &history, &refuses))
            .map_err(|error| TestCaseError::fail(error.to_string()))
    });
    runtime.block_on(net.finish()).unwrap();
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
