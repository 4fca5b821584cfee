//! What was recorded and what was played, side by side.

use crate::kind::Kind;
use crate::recording::{Recording, Run, Told};
use crate::{list, replay, shape, writes};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Of each kind every shape that was seen, and the order of kinds.
pub(crate) struct Comparison {
    release: String,
    kinds: BTreeMap<Kind, Pair<BTreeSet<String>>>,
    orders: BTreeMap<&'static str, Pair<Vec<String>>>,
    left_out: BTreeSet<Kind>,
    differences: Vec<String>,
}

#[derive(Default, PartialEq)]
struct Pair<T> {
    recorded: T,
    played: T,
}

impl<T: PartialEq> Pair<T> {
    fn is_equal(&self) -> bool {
        self.recorded == self.played
    }
}

impl Comparison {
    pub(crate) fn new(recording: &Recording, played: &Told) -> Self {
        let rules = list::not_compared();
        let compared = |frame: &Value| !rules.iter().any(|rule| rule.covers(frame));
        let mut kinds: BTreeMap<Kind, Pair<BTreeSet<String>>> = BTreeMap::new();
        let mut left_out = BTreeSet::new();
        for run in recording.told.runs() {
            kinds.entry(Kind::start()).or_default().recorded.insert(shape::of_start(run));
            left_out.extend(run.told.iter().filter(|frame| !compared(frame)).map(Kind::of));
            for frame in run.told.iter().filter(|frame| compared(frame)) {
                kinds.entry(Kind::of(frame)).or_default().recorded.insert(shape::of_frame(frame));
            }
        }
        for run in played.runs() {
            kinds.entry(Kind::start()).or_default().played.insert(shape::of_start(run));
            for frame in run.told.iter().filter(|frame| compared(frame)) {
                kinds.entry(Kind::of(frame)).or_default().played.insert(shape::of_frame(frame));
            }
        }
        left_out.retain(|kind| !kinds.contains_key(kind));
        let order = |told: &dyn Fn(&Told) -> Vec<String>| Pair {
            recorded: told(&recording.told),
            played: told(played),
        };
        let orders = BTreeMap::from([
            ("order of the story", order(&|told| story(&told.all_hooks[1][0], &compared))),
            ("order of a restart", order(&|told| until_init(&told.all_hooks[1][1], &compared))),
            ("connections", order(&|told| connections(&told.all_hooks[1]))),
            ("order of db_write", order(&|told| transactions(&told.db_write[0], &compared))),
            ("order of db_write after a restart", order(&|told| transactions(&told.db_write[1], &compared))),
            ("order of a replay", order(&|told| replay::steps(&told.replay))),
        ]);
        let differences = list::differences(&recording.release);
        Self { release: recording.release.clone(), kinds, orders, left_out, differences }
    }

    /// What is not equal, by name.
    fn unequal(&self) -> BTreeMap<String, String> {
        let kinds = self.kinds.iter().filter(|(_, pair)| !pair.is_equal());
        let kinds = kinds.map(|(kind, pair)| (kind.to_string(), shapes_that_differ(pair)));
        let orders = self.orders.iter().filter(|(_, pair)| !pair.is_equal());
        kinds.chain(orders.map(|(name, pair)| ((*name).to_owned(), both_orders(pair)))).collect()
    }

    /// # Panics
    /// If anything is unequal that `differences.txt` does not have, or equal that it has.
    pub(crate) fn judge(&self) {
        let unequal = self.unequal();
        let mut complaints: Vec<String> = unequal
            .iter()
            .filter(|(name, _)| !self.differences.contains(name))
            .map(|(name, how)| format!("{name} differs:\n{how}"))
            .collect();
        let stale = self.differences.iter().filter(|name| !unequal.contains_key(*name));
        complaints
            .extend(stale.map(|name| format!("differences.txt: '{} {name}' is equal now", self.release)));
        assert!(complaints.is_empty(), "{}:\n{}", self.release, complaints.join("\n"));
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |kinds: Vec<String>| kinds.join(", ");
        let equal = self.kinds.values().filter(|pair| pair.is_equal()).count();
        let ordered = self.orders.values().filter(|pair| pair.is_equal()).count();
        writeln!(
            f,
            "{}: {} kinds compared, {equal} equal; {} orders compared, {ordered} equal",
            self.release,
            self.kinds.len(),
            self.orders.len(),
        )?;
        writeln!(f, "  compared: {}", names(self.kinds.keys().map(Kind::to_string).collect()))?;
        write!(f, "  left out: {}", names(self.left_out.iter().map(Kind::to_string).collect()))
    }
}

fn shapes_that_differ(pair: &Pair<BTreeSet<String>>) -> String {
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>, who: &str| {
        one.difference(other).map(|shape| format!("  only {who}: {shape}\n")).collect::<String>()
    };
    only(&pair.recorded, &pair.played, "recorded") + &only(&pair.played, &pair.recorded, "played  ")
}

fn both_orders(pair: &Pair<Vec<String>>) -> String {
    format!(
        "  recorded:\n    {}\n  played:\n    {}",
        pair.recorded.join("\n    "),
        pair.played.join("\n    ")
    )
}

/// What a plugin hears, except for what comes when it likes: other people's commands, new blocks behind the first, and
/// what becomes of channels and payments.
///
/// The part between the disconnect and the stop is left out: with a channel, lightningd connects again by itself.
fn story(run: &Run, compared: &dyn Fn(&Value) -> bool) -> Vec<String> {
    let mut steps = Vec::new();
    let mut listens = true;
    for frame in &run.told {
        let kind = Kind::of(frame);
        if kind.is("rpc_command") {
            listens |= frame["params"]["rpc_command"]["method"] == "stop";
            continue;
        }
        let is_late_block =
            kind.is("block_added") && steps.iter().any(|step: &String| step.contains("connect"));
        if listens && compared(frame) && !is_late_block && !kind.is_of_channels() {
            steps.push(step(&kind, frame));
        }
        listens &= !kind.is("disconnect");
    }
    steps
}

fn step(kind: &Kind, frame: &Value) -> String {
    let params = frame["params"].to_string();
    let ways = ["in", "out"].into_iter().find(|way| params.contains(&format!(r#""direction":"{way}""#)));
    ways.map_or_else(|| kind.to_string(), |way| format!("{kind} {way}"))
}

/// Who comes between one start and the next: which of two peers is first is chance.
fn connections(runs: &[Run]) -> Vec<String> {
    let of_run = |(number, run): (usize, &Run)| {
        let about_peers = |frame: &&Value| {
            let kind = Kind::of(frame);
            kind.is("peer_connected") || kind.is("connect")
        };
        let steps = run.told.iter().filter(about_peers).map(|frame| step(&Kind::of(frame), frame));
        let mut steps: Vec<String> = steps.map(|step| format!("run {number}: {step}")).collect();
        steps.sort();
        steps
    };
    runs.iter().enumerate().flat_map(of_run).collect()
}

fn until_init(run: &Run, compared: &dyn Fn(&Value) -> bool) -> Vec<String> {
    let kinds = run.told.iter().filter(|frame| compared(frame)).map(|frame| (Kind::of(frame), frame));
    let mut steps = Vec::new();
    for (kind, frame) in kinds.filter(|(kind, _)| !kind.is("rpc_command")) {
        steps.push(step(&kind, frame));
        if kind.is("init") {
            break;
        }
    }
    steps
}

/// Transactions, and where `init` stands among them. Up to `init` their numbers count from the first; behind it come
/// blocks, as many as there are, which have no place in the order.
fn transactions(run: &Run, compared: &dyn Fn(&Value) -> bool) -> Vec<String> {
    const OF_A_BLOCK: [&str; 4] = [
        "INSERT INTO blocks",
        "DELETE FROM utxoset",
        "UPDATE vars intval last_processed_block",
        "UPDATE vars intval data_version",
    ];
    let mut steps = Vec::new();
    let (mut first, mut initialised) = (None, false);
    for frame in run.told.iter().filter(|frame| compared(frame)) {
        let kind = Kind::of(frame);
        if !kind.is("db_write") {
            initialised |= kind.is("init");
            steps.push(kind.to_string());
            continue;
        }
        let targets = writes::of_writes(&frame["params"]);
        let number = frame["params"]["data_version"].as_u64().unwrap_or_default();
        let number = number - *first.get_or_insert(number);
        let is_of_a_block =
            targets.iter().all(|target| OF_A_BLOCK.iter().any(|block| target.starts_with(block)));
        match initialised {
            false => steps.push(format!("+{number}: {}", targets.join("; "))),
            true if !is_of_a_block => steps.push(targets.join("; ")),
            true => {}
        }
    }
    steps
}
