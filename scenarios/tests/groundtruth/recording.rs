//! The recordings, as they were kept.

use leyden::Profile;
use serde_json::Value;
use std::path::Path;

/// The folders of `scenarios/groundtruth/`.
pub(crate) const RELEASES: [&str; 4] = ["v0.10.1", "v0.10.1-deprecated-apis", "v23.02.2", "v26.06.6"];

/// What one plugin was told between its start and its end.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Run {
    /// How it was run: `argv`, `env`, `cwd_tail`.
    pub(crate) start: Value,
    /// Every frame from lightningd, in order.
    pub(crate) told: Vec<Value>,
}

/// What the plugins of one story were told.
pub(crate) struct Told {
    /// The plugin with every hook and topic, on each of the three nodes.
    pub(crate) all_hooks: [Vec<Run>; 3],
    /// The plugin with `db_write` alone.
    pub(crate) db_write: Vec<Run>,
    /// The plugin that is asked about an HTLC, and is asked again after the node was killed. Its frames are compared one by one.
    pub(crate) replay: Vec<Run>,
}

impl Told {
    /// Every run of the plugins of the long story.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.all_hooks.iter().flatten().chain(&self.db_write)
    }
}

/// What was recorded of one release.
pub(crate) struct Recording {
    pub(crate) release: String,
    pub(crate) told: Told,
    /// What the plugin with every hook and topic declared.
    pub(crate) manifest: Value,
    /// What the plugin that is asked again declared.
    pub(crate) replay_manifest: Value,
}

impl Recording {
    pub(crate) fn read(release: &str) -> Self {
        let lines = |file: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("groundtruth").join(release).join(file);
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            let parse =
                |line: &str| serde_json::from_str(line).unwrap_or_else(|why| panic!("{file}: {why}: {line}"));
            text.lines().map(parse).collect::<Vec<Value>>()
        };
        let all_hooks = ["l1", "l2", "l3"].map(|node| lines(&format!("line-graph.{node}.jsonl")));
        let replay = lines("htlc-replay.l2.jsonl");
        let manifest = |lines: &[Value]| {
            let answer = lines.iter().find(|line| line["dir"] == "plugin->host");
            answer.expect("the plugin has answered getmanifest")["frame"]["result"].clone()
        };
        let (manifest, replay_manifest) = (manifest(&all_hooks[1]), manifest(&replay));
        Self {
            release: release.to_owned(),
            told: Told {
                all_hooks: all_hooks.map(|lines| runs(&lines)),
                db_write: runs(&lines("db-write.jsonl")),
                replay: runs(&replay),
            },
            manifest,
            replay_manifest,
        }
    }

    /// The release whose words the embedded node is to use.
    pub(crate) fn profile(&self) -> Profile {
        match self.release.as_str() {
            "v23.02.2" => Profile::V23_02,
            "v26.06.6" => Profile::V26_06,
            _ => Profile::V0_10,
        }
    }

    /// Whether the node allowed deprecated APIs.
    pub(crate) fn deprecated_apis(&self) -> bool {
        self.release.ends_with("-deprecated-apis")
    }

    /// Whether the story has a payment without an invoice.
    pub(crate) fn has_keysend(&self) -> bool {
        self.release == "v23.02.2"
    }

    /// Whether nodes tell at each start what they have.
    pub(crate) fn has_balance_snapshot(&self) -> bool {
        !self.release.starts_with("v0.10.1")
    }

    /// Whether it goes on until the coins of the channel that one side closed are in the wallet.
    pub(crate) fn has_sweep(&self) -> bool {
        self.release != "v23.02.2"
    }

    /// How many blocks a node that starts again reads once more: pyln-testing, with which the later releases ran, says so.
    pub(crate) fn rescanned_blocks(&self) -> u32 {
        if self.release.starts_with("v0.10.1") { 30 } else { 1 }
    }

    /// Whether the nodes made their own `hsm_secret`.
    pub(crate) fn made_secrets(&self) -> bool {
        self.release != "v23.02.2"
    }
}

fn runs(lines: &[Value]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for line in lines {
        match (line["dir"].as_str(), runs.last_mut()) {
            (Some("start"), _) => runs.push(Run { start: line.clone(), told: Vec::new() }),
            (Some("host->plugin"), Some(run)) => run.told.push(line["frame"].clone()),
            _ => {}
        }
    }
    runs
}
