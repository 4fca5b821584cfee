//! What two nodes said in the same scenario.
//!
//! lightningd promises an order only to frames of one cause. So what is compared is, for each plugin, each method, hook and topic by itself,
//! requests and answers together; aliases count anew in each. The order among them is in the goldens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use leyden::Transcript;
use leyden::event::Direction;
use leyden::transcript::Frame;
use leyden_scenarios::Played;
use leyden_snapshots::Difference;
use libtest_mimic::Failed;
use serde_json::Value;

use crate::divergence::{Divergence, divergences};
use crate::noise;

/// The end of the name of what the test itself was answered.
const RPC: &str = ".rpc";

/// What came of it.
pub(crate) struct Comparison {
    pub(crate) frames: usize,
    pub(crate) answers: usize,
    pub(crate) explained: BTreeSet<Difference>,
    pub(crate) unexplained: Vec<String>,
    listed: Vec<Difference>,
}

/// The frames of a plugin about one subject.
type Streams = BTreeMap<String, Vec<(Frame, Value)>>;

impl Comparison {
    pub(crate) fn new(real: &Played, embedded: &Played, listed: Vec<Difference>) -> Self {
        let mut comparison =
            Self { frames: 0, answers: 0, explained: BTreeSet::new(), unexplained: Vec::new(), listed };
        let by_name = |played: &Played| -> BTreeMap<String, Streams> {
            played
                .said
                .iter()
                .map(|said| (said.name.clone(), streams(&said.name, &said.transcript)))
                .collect()
        };
        let (real, embedded) = (by_name(real), by_name(embedded));
        for name in real.keys().chain(embedded.keys()).collect::<BTreeSet<_>>() {
            let nothing = Streams::new();
            let (real, embedded) =
                (real.get(name).unwrap_or(&nothing), embedded.get(name).unwrap_or(&nothing));
            for topic in real.keys().chain(embedded.keys()).collect::<BTreeSet<_>>() {
                let of = |streams: &Streams| streams.get(topic).cloned().unwrap_or_default();
                comparison.stream(name, topic, &of(real), &of(embedded));
            }
        }
        comparison
    }

    fn stream(&mut self, name: &str, topic: &str, real: &[(Frame, Value)], embedded: &[(Frame, Value)]) {
        match name.ends_with(RPC) {
            true => self.answers += real.len(),
            false => self.frames += real.len(),
        }
        let nothing = Value::Null;
        for index in 0..real.len().max(embedded.len()) {
            let of = |frames: &[(Frame, Value)]| {
                frames.get(index).map_or(nothing.clone(), |frame| frame.1.clone())
            };
            let found = divergences(&of(real), &of(embedded));
            // What follows the first is mostly its consequence.
            if found.iter().any(|divergence| !self.is_explained(name, topic, index, divergence)) {
                return;
            }
        }
    }

    fn is_explained(&mut self, name: &str, topic: &str, index: usize, divergence: &Divergence) -> bool {
        let covers =
            |one: &&Difference| one.is_of(name) && one.frame == topic && one.field == divergence.field();
        if let Some(known) = self.listed.iter().find(covers) {
            self.explained.insert(known.clone());
            return true;
        }
        let Divergence { path, real, embedded } = divergence;
        self.unexplained.push(format!(
            "{name}: {topic}, frame {} of its kind: {path}\n  lightningd: {real}\n  embedded:   {embedded}",
            index + 1
        ));
        false
    }

    /// The first divergence of each subject that nobody has explained, and entries of the list that are wrong.
    pub(crate) fn verdict(&self) -> Result<(), Failed> {
        let mut complaint = self.unexplained.join("\n");
        for stale in
            self.listed.iter().filter(|one| one.scenario().is_some() && !self.explained.contains(one))
        {
            write!(complaint, "\ndifferences.toml: this no longer differs, delete it: {stale:?}")
                .expect("a String can grow");
        }
        if complaint.is_empty() { Ok(()) } else { Err(complaint.into()) }
    }
}

fn streams(name: &str, transcript: &Transcript) -> Streams {
    let progress = topics_by_id(transcript);
    let topic = |frame: &Frame| topic(frame, &progress);
    let topics: BTreeSet<String> = transcript.frames().iter().map(topic).collect();
    let mut streams = Streams::new();
    let compared =
        |of: &String| noise::is_no_race(name, of) && (!name.ends_with(RPC) || noise::answers_count(of));
    for of in topics.into_iter().filter(compared) {
        let only = transcript.clone().keep(|frame| topic(frame) == of);
        let mut stream = if name.ends_with(RPC) {
            noise::answers(&of, &only.values())
        } else {
            let values = only.values().into_iter().filter(|(frame, value)| noise::counts(frame, value));
            let counted = values.map(|(frame, value)| (frame.clone(), value)).collect();
            let counted = noise::without_last_words(noise::without_orphans(counted));
            noise::sorted(&of, noise::without_polls(&of, counted))
        };
        for (frame, value) in &mut stream {
            noise::without_chance(value);
            if frame.direction == Direction::FromPlugin {
                noise::without_own_words(value);
            }
        }
        streams.insert(of, noise::renumbered(stream));
    }
    streams
}

/// What each request is about, by its id.
fn topics_by_id(transcript: &Transcript) -> BTreeMap<String, String> {
    let requests = transcript.frames().iter().filter_map(|frame| {
        let envelope = frame.envelope()?;
        Some((envelope.id?.to_owned(), envelope.method_name()?))
    });
    requests.collect()
}

/// What a frame is about; garbage and answers to nobody are of one kind. A hook and a notification may bear the same name. What a plugin says while it
/// works on a request belongs to the request.
fn topic(frame: &Frame, by_id: &BTreeMap<String, String>) -> String {
    let Some(envelope) = frame.envelope() else { return String::new() };
    let name = frame.topic.clone().unwrap_or_default();
    match (envelope.id, envelope.method) {
        (None, Some(_)) => {
            let of_request =
                frame.params().and_then(|params| by_id.get(&params.get("id")?.to_string()).cloned());
            of_request.unwrap_or_else(|| format!("notification {name}"))
        }
        _ => name,
    }
}
