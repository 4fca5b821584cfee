//! What happens in the demo, step by step; what is seen goes into the ledger.

use leyden::env::Settings;
use leyden::event::{Event, EventKind};
use leyden::{Deadline, Net, Node, Profile, Result, eventually, seen};
use serde_json::{Value, json};

use super::cast;
use super::ledger::Ledger;
use crate::{doorman, env};

/// What custom messages say: "leyden" and "jar".
const MESSAGE: &str = "6c657964656e";
const ANSWER: &str = "6a6172";

/// Plays everything. An error is what the scene cannot go on after; what merely differs stands in the ledger.
pub(super) async fn play(net: &Net, profile: Profile, ledger: &mut Ledger) -> Result {
    let [l1, l2, l3] = net.nodes();
    let mut scene = Scene { net, profile, ledger, l1, l2, l3 };
    scene.the_line_stands().await?;
    scene.the_doorman_greets().await?;
    scene.messages_go_both_ways().await?;
    scene.commands_are_changed().await?;
    scene.a_block_is_mined().await?;
    scene.a_peer_is_turned_away().await?;
    scene.python_keeps_a_log().await?;
    scene.they_part().await?;
    scene.channels_are_opened().await?;
    scene.a_payment_is_held().await?;
    scene.a_payment_is_refused().await?;
    scene.a_payment_is_resolved().await
}

pub(super) struct Scene<'a> {
    pub(super) net: &'a Net,
    /// The release that the nodes are of.
    profile: Profile,
    pub(super) ledger: &'a mut Ledger,
    pub(super) l1: Node,
    pub(super) l2: Node,
    pub(super) l3: Node,
}

impl Scene<'_> {
    /// Begins a chapter of the sequence.
    pub(super) fn chapter(&self, title: &str) {
        self.net.timeline().record(None, EventKind::Step(title.to_owned()));
    }

    async fn the_line_stands(&mut self) -> Result {
        self.chapter("the line stands: l1 - l2 - l3");
        for (node, peers) in [(&self.l1, 1), (&self.l2, 2), (&self.l3, 1)] {
            // Who was called may notice a little later than who called.
            let count = eventually(format!("{} has {peers} peers", node.name()), || async {
                let info = node.rpc("getinfo", json!({})).await?;
                Ok::<_, leyden::Error>(seen(info["num_peers"].clone(), |count| *count == json!(peers)))
            })
            .await?;
            self.ledger.same("peers of the node", node.name(), &peers, &count);
        }
        Ok(())
    }

    async fn the_doorman_greets(&mut self) -> Result {
        self.chapter("the Rust plugin is asked: it has its option, and its hook has seen l2");
        let said = self.l1.rpc(doorman::METHOD, json!({})).await?;
        self.ledger.same(
            "option of the Rust plugin",
            "l1 doorman",
            &cast::GREETING,
            &text(&said["greeting"]),
        );
        self.ledger.same("calls of its hook", "l1 doorman", &1, &said["guests"]);
        Ok(())
    }

    async fn messages_go_both_ways(&mut self) -> Result {
        self.chapter("custom messages, both ways");
        for (from, to, ear, text) in
            [(&self.l1, &self.l2, cast::PROMPTER, MESSAGE), (&self.l2, &self.l1, cast::EAR, ANSWER)]
        {
            let message = format!("{}{text}", cast::MESSAGE_TYPE);
            from.rpc("sendcustommsg", json!({"node_id": to.id(), "msg": message})).await?;
            let heard = eventually(format!("{}'s {ear} hears the message", to.name()), || async {
                let calls = to.mock(ear)?.calls("custommsg");
                calls.iter().map(cast::payload).find(|payload| **payload == message).map(str::to_owned)
            })
            .await?;
            self.ledger.same("message heard by a mock", &format!("{} {ear}", to.name()), &message, &heard);
        }
        Ok(())
    }

    async fn commands_are_changed(&mut self) -> Result {
        self.chapter("the mock changes commands: it answers ping itself, and makes getinfo of help");
        let pong = self.l2.rpc("ping", json!({"id": self.l1.id()})).await?;
        self.ledger.same("pong made by the mock", "l2", &cast::PONG_LENGTH, &pong["totlen"]);
        let replaced = self.l2.rpc("help", json!({})).await?;
        let id = self.alias(&replaced["id"]);
        self.ledger.same("id in help, replaced", "l2", &"<l2>", &id);
        Ok(())
    }

    async fn a_block_is_mined(&mut self) -> Result {
        self.chapter("a block is mined");
        let (timeline, deadline) = (self.net.timeline(), Deadline::standard(&Settings::from_env()));
        let (height, from) = (self.net.bitcoind().block_count().await? + 1, timeline.now());
        let hash =
            self.net.bitcoind().generate_block(1).await?.iter().map(ToString::to_string).collect::<String>();
        let what = "height of block_added";
        if !self.profile.has_topic("block_added") {
            self.ledger.skipped(what, "l1 doorman", &height, "the release does not tell of blocks");
            return Ok(());
        }
        // A real lightningd may tell of the block before only now.
        let told = move |event: &Event| match &event.kind {
            EventKind::Frame { plugin, text, .. } => {
                (plugin == cast::DOORMAN && text.contains(&hash)).then_some(())
            }
            _ => None,
        };
        timeline.wait_for("the doorman to be told of the block", Some("l1"), from, deadline, told).await?;
        // The doorman may answer a question while it still reads the notification.
        let noticed = eventually(format!("the doorman knows block {height}"), || async {
            let said = self.l1.rpc(doorman::METHOD, json!({})).await?;
            Ok::<_, leyden::Error>(seen(said["height"].clone(), |known| *known == json!(height)))
        })
        .await?;
        self.ledger.same(what, "l1 doorman", &height, &noticed);
        Ok(())
    }

    async fn a_peer_is_turned_away(&mut self) -> Result {
        self.chapter("a mock comes to l3 for a while, and turns l1 away");
        let bouncer = self.l3.mount_scoped(cast::bouncer()).await?;
        // The caller is told of it before or after its handshake has ended, as it happens.
        drop(self.l1.connect(&self.l3).await);
        eventually("l3 has asked the bouncer", || async { !bouncer.calls("peer_connected").is_empty() })
            .await?;
        let peers = eventually("l3 has let go of l1", || async {
            let peers = self.l3.rpc("listpeers", json!({})).await?;
            let connected = connected(&peers).map(|id| self.alias(id)).collect::<Vec<_>>().join(", ");
            Ok::<_, leyden::Error>(seen(connected, |peers| !peers.contains("<l1>")))
        })
        .await?;
        self.ledger.same("peers after the bouncer", "l3", &"<l2>", &peers);
        bouncer.finish().await
    }

    async fn python_keeps_a_log(&mut self) -> Result {
        self.chapter("a Python plugin without a library logs a disconnect and a connect of l3");
        let has_python = env::has_python3();
        if has_python {
            self.l3.start_plugin(cast::peer_log()).await?;
        }
        self.part(&self.l3, &self.l2).await?;
        self.l3.connect(&self.l2).await?;
        let (what, place, expected) =
            ("log of the Python plugin", "l3 peerlog.py", "disconnect <l2>, connect <l2>");
        if !has_python {
            self.ledger.skipped(what, place, &expected, "no python3");
            return Ok(());
        }
        let file = self.l3.lightning_dir().join("regtest/peers");
        let log = eventually("the Python plugin has written two lines", || async {
            let log = std::fs::read_to_string(&file).unwrap_or_default();
            seen(log, |log| log.lines().count() >= 2)
        })
        .await?;
        let entries: Vec<String> = log.lines().map(|line| self.entry(line)).collect();
        self.ledger.same(what, place, &expected, &entries.join(", "));
        self.l3.stop_plugin(cast::PEER_LOG).await?;
        let list = self.l3.rpc("plugin", json!({"subcommand": "list"})).await?.to_string();
        let left = if list.contains(cast::PEER_LOG) { "listed" } else { "not listed" };
        self.ledger.same("plugin after its stop", "l3", &"not listed", &left);
        Ok(())
    }

    async fn they_part(&mut self) -> Result {
        self.chapter("l1 parts from l2");
        self.part(&self.l1, &self.l2).await?;
        let told = |topic: &str| self.l2.mock(cast::PROMPTER).map_or(0, |mock| mock.calls(topic).len());
        let heard = eventually("the prompter has heard of every coming and going", || async {
            seen((told("connect"), told("disconnect")), |heard| heard.0 >= 3 && heard.1 >= 2)
        })
        .await?;
        let heard = format!("{} and {}", heard.0, heard.1);
        self.ledger.same("connects and disconnects told", "l2 prompter", &"3 and 2", &heard);
        Ok(())
    }

    /// Disconnects, and waits until the other has noticed too.
    async fn part(&self, from: &Node, to: &Node) -> Result {
        from.rpc("disconnect", json!({"id": to.id()})).await?;
        eventually(format!("{} has noticed that {} is gone", to.name(), from.name()), || async {
            let peers = to.rpc("listpeers", json!({})).await?;
            Ok::<_, leyden::Error>(connected(&peers).all(|id| *id != json!(from.id())))
        })
        .await
    }

    /// A line of the Python plugin, as topic and alias of the peer.
    fn entry(&self, line: &str) -> String {
        let (topic, message) = line.split_once(" notification: ").unwrap_or(("?", line));
        let message: Value = serde_json::from_str(message).unwrap_or_default();
        let params = &message["params"];
        // Releases wrap it in a member called as the topic, older ones do not.
        let id = params.pointer(&format!("/{topic}/id")).unwrap_or(&params["id"]);
        format!("{topic} {}", self.alias(id))
    }

    /// The id of a node of the net as `<l1>`.
    fn alias(&self, id: &Value) -> String {
        let nodes = [&self.l1, &self.l2, &self.l3];
        let known = nodes.iter().find(|node| *id == json!(node.id()));
        known.map_or_else(|| id.to_string(), |node| format!("<{}>", node.name()))
    }
}

/// The ids of the peers that are connected, of what `listpeers` answers.
fn connected(peers: &Value) -> impl Iterator<Item = &Value> {
    let peers = peers["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
    peers.iter().filter(|peer| peer["connected"] == json!(true)).map(|peer| &peer["id"])
}

/// A string without its quotes.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
