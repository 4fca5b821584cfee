//! A conversation as a real v26.06.6 has it, with everything that differs from run to run as a parameter.

use std::path::{Path, PathBuf};

use leyden::alias::Names;
use leyden::event::{Direction, EventKind};
use leyden::timeline::Timeline;
use proptest::prelude::*;

use Direction::{FromPlugin, ToPlugin};

/// What differs from run to run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) ids: [String; 3],
    pub(crate) hashes: [String; 4],
    pub(crate) port: u16,
    pub(crate) ephemeral: u16,
    pub(crate) time: u32,
    pub(crate) millis: u16,
    pub(crate) counter: u32,
    pub(crate) process: u32,
    pub(crate) dir: PathBuf,
    pub(crate) bolt11: String,
}

impl Run {
    pub(crate) fn example() -> Self {
        Self {
            ids: [
                "033845802d25b4e074ccfd7cd8b339a41dc75bf9978a034800444b51d42b07799a".into(),
                "038194b5f32bdf0aa59812c86c4ef7ad2f294104fa027d1ace9b469bb6f88cf37b".into(),
                "03cecbfdc68544cc596223b68ce0710c9e5d2c9cb317ee07822d95079acc703d31".into(),
            ],
            hashes: [
                "4c817f13ae9f2e83509489f350b3ebea7f7fdfb5aabfe5323123d289d6240d02".into(),
                "210af4d414edf46a9842f157dc61483cfbfa62bf423fbc23b3d6d8aec4290aca".into(),
                "ca0a29c4aed8d6b323bc3f42bf62fafb3c4861dc57f142986af4ed14d4f40a21".into(),
                "fc82a514d40d18618a4fec17b22692ed2718e4daa852ea54e25fdf29674053bd".into(),
            ],
            port: 40123,
            ephemeral: 49496,
            time: 1_795_251_661,
            millis: 749,
            counter: 20,
            process: 6516,
            dir: "/tmp/leyden-x1".into(),
            bolt11: format!("lnbcrt100n1{}", "p4szhwksp5".repeat(8)),
        }
    }

    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let id = "0[23][0-9a-f]{64}";
        let hash = "[1-9a-f][0-9a-f]{61}[0-9][a-f]";
        let keys = ([id, id, id], [hash, hash, hash, hash], "lnbcrt100n1[02-9ac-hj-np-z]{80,120}");
        let numbers = (20_000_u16..30_000, 30_001_u16.., 1_600_000_000_u32..2_000_000_000, 0_u16..1000);
        let counters = (0_u32..10_000, 1_u32..4_000_000, "/tmp/[a-zA-Z0-9]{4,12}");
        (keys, numbers, counters).prop_map(
            |((ids, hashes, bolt11), (port, ephemeral, time, millis), (counter, process, dir))| Self {
                ids,
                hashes,
                port,
                ephemeral,
                time,
                millis,
                counter,
                process,
                dir: dir.into(),
                bolt11,
            },
        )
    }

    pub(crate) fn names(&self) -> Names {
        Names::default().directory("l1", &self.dir.join("l1")).directory("run", &self.dir)
    }

    /// The conversation of `p.py` at l1, recorded.
    pub(crate) fn timeline(&self) -> Timeline {
        let timeline = Timeline::new();
        let plugin = self.dir.join("plugins").join("p.py");
        timeline.record(
            Some("l1"),
            EventKind::PluginLaunched {
                plugin: "p.py".into(),
                path: plugin,
                args: vec![],
                env: vec![("LIGHTNINGD_PLUGIN".into(), "1".into())],
                cwd: self.dir.join("l1").join("regtest"),
            },
        );
        for (node, id, port) in [("l1", &self.ids[0], self.port), ("l2", &self.ids[1], self.port + 1)] {
            timeline.record(Some(node), EventKind::NodeStarted { id: id.clone(), port });
        }
        for (direction, text) in self.frames() {
            record(&timeline, direction, &text);
        }
        timeline
    }

    fn frames(&self) -> Vec<(Direction, String)> {
        let Self { ids: [l1, l2, l3], hashes: [block, channel, txid, secret], port, ephemeral, .. } = self;
        let Self { time, millis, counter, process, bolt11, .. } = self;
        let (dir, second, third) = (self.dir.display(), counter + 1, counter + 2);
        let to = |text: String| (ToPlugin, text);
        let from = |text: String| (FromPlugin, text);
        vec![
            to(format!(
                r#"{{"jsonrpc":"2.0","id":"cln:getmanifest#{counter}","method":"getmanifest","params":{{"allow-deprecated-apis":false}}}}"#
            )),
            from(format!(
                r#"{{"jsonrpc": "2.0", "id": "cln:getmanifest#{counter}", "result": {{"options": [], "rpcmethods": [], "hooks": ["rpc_command"]}}}}"#
            )),
            to(format!(
                r#"{{"jsonrpc":"2.0","id":"cln:init#{second}","method":"init","params":{{"options":{{}},"configuration":{{"lightning-dir":"{dir}/l1/regtest","rpc-file":"lightning-rpc","startup":true}}}}}}"#
            )),
            to(format!(
                r#"{{"jsonrpc":"2.0","method":"plugin_started","params":{{"plugin_started":{{"plugin_name":"p.py","plugin_path":"{dir}/plugins/p.py","methods":["hello"]}}}}}}"#
            )),
            to(format!(
                r#"{{"jsonrpc":"2.0","id":"cli:connect#{process}/cln:rpc_command#{third}","method":"rpc_command","params":{{"rpc_command":{{"jsonrpc":"2.0","id":"cli:connect#{process}","method":"connect","params":["{l2}","127.0.0.1",{}]}}}}}}"#,
                port + 1
            )),
            from(format!(
                r#"{{"id":"cli:connect#{process}/cln:rpc_command#{third}","jsonrpc":"2.0","result":{{"result":"continue"}}}}"#
            )),
            to(format!(
                r#"{{"jsonrpc":"2.0","method":"block_added","params":{{"block_added":{{"hash":"{block}","height":101}}}}}}"#
            )),
            to(format!(
                r#"{{"jsonrpc":"2.0","method":"connect","params":{{"connect":{{"id":"{l3}","direction":"in","address":{{"type":"ipv4","address":"127.0.0.1","port":{ephemeral}}}}}}}}}"#
            )),
            to(format!(
                r#"{{"jsonrpc":"2.0","method":"log","params":{{"log":{{"level":"debug","time":"{time}.{millis:09}","timestamp":"2026-11-21T09:01:01.{millis:03}Z","source":"{l3}-connectd","log":"Connected in from 127.0.0.1:{ephemeral} to {l1}"}}}}}}"#
            )),
            to(format!(
                r#"{{"jsonrpc":"2.0","method":"coin_movement","params":{{"coin_movement":{{"account_id":"{channel}","utxo":"{txid}:0","output_msat":1000000000,"timestamp":{time},"blockheight":103}}}}}}"#
            )),
            to(format!(
                r#"{{"jsonrpc":"2.0","method":"onion","params":{{"payload":"2b020227100401740822{secret}2710","payment_secret":"{secret}","bolt11":"{bolt11}"}}}}"#
            )),
        ]
    }
}

pub(crate) fn record(timeline: &Timeline, direction: Direction, text: &str) {
    timeline.record(Some("l1"), EventKind::Frame { plugin: "p.py".into(), direction, text: text.into() });
}

/// A transcript of these frames and nothing else.
pub(crate) fn spoken(frames: &[&str]) -> leyden::Transcript {
    let timeline = Timeline::new();
    for text in frames {
        record(&timeline, ToPlugin, text);
    }
    leyden::Transcript::of(&timeline, "l1", None, Names::default().directory("l1", Path::new("/tmp/l1")))
}
