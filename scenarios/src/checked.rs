//! What nodes have said in a net, held against the catalogue of hooks and topics, and against CLN's schemas where they are at hand.

use std::collections::{BTreeMap, BTreeSet};

use leyden::event::{Direction, EventKind};
use leyden::transcript::Frame;
use leyden::{Backend, Net, Node, Profile, Transcript, catalogue};
use serde_json::Value;

use crate::schemas::{Schemas, Subject};

/// What plugins of every release are asked, beside what they have registered.
const ALWAYS: [&str; 4] = ["getmanifest", "init", "check", "setconfig"];

/// How much was looked at, and what was wrong.
#[derive(Debug, Default)]
pub struct Checked {
    /// How often each subject was validated.
    pub valid: BTreeMap<Subject, usize>,
    /// Methods and topics for which CLN has published no schema.
    pub without_schema: BTreeSet<Subject>,
    /// What was wrong, a line each.
    pub violations: Vec<String>,
}

impl Checked {
    /// Looks at all that the nodes of a net have said so far: the embedded ones are held against the catalogue, all against CLN's schemas. These
    /// are of the newest release, so other profiles are not.
    pub fn of(net: &Net, schemas: Option<&Schemas>) -> Self {
        let mut checked = Self::default();
        for node in net.all_nodes() {
            let schemas = schemas.filter(|_| node.profile() == Profile::default());
            let declared = Declared::by_plugins_of(node);
            for plugin in node.plugins_heard() {
                for frame in node.transcript(&plugin).direction(Direction::ToPlugin).frames() {
                    checked.frame(node, frame, &declared, schemas);
                }
            }
            if let Some(schemas) = schemas {
                checked.answers(net, node, &declared, schemas);
            }
        }
        checked
    }

    /// Takes what another net has shown.
    pub fn add(&mut self, other: Self) {
        for (subject, count) in other.valid {
            *self.valid.entry(subject).or_default() += count;
        }
        self.without_schema.extend(other.without_schema);
        self.violations.extend(other.violations);
    }

    fn frame(&mut self, node: &Node, frame: &Frame, declared: &Declared, schemas: Option<&Schemas>) {
        let Some(envelope) = frame.envelope() else { return };
        let (Some(name), params) = (envelope.method_name(), frame.params().unwrap_or_default()) else {
            return;
        };
        let who = format!("{} -> {}", node.name(), frame.plugin);
        if envelope.id.is_none() {
            if catalogue::topic_of(node.profile(), &name).is_some() {
                let told = params.get(&name).cloned().unwrap_or_default();
                self.validate(&who, Subject::Notification(name), &told, schemas);
            } else if node.backend() == Backend::Embedded
                && !declared.topics.contains(&name)
                && !node.profile().has_bundled_topic(&name)
            {
                self.violations.push(format!("{who}: {} has no topic '{name}'", node.profile()));
            }
        } else if declared.hooks.contains(&name) {
            match catalogue::hook_of(node.profile(), &name) {
                Some(_) => self.validate(&who, Subject::Hook(name), &params, schemas),
                None => self.violations.push(format!("{who}: {} has no hook '{name}'", node.profile())),
            }
        } else if !declared.methods.contains(&name) && !ALWAYS.contains(&name.as_str()) {
            self.violations.push(format!("{who}: nobody has registered '{name}'"));
        }
    }

    /// What the node itself has answered; plugins answer what they like.
    fn answers(&mut self, net: &Net, node: &Node, declared: &Declared, schemas: &Schemas) {
        for event in net.timeline().events() {
            let EventKind::RpcAnswered { method, answer: Ok(result), .. } = &event.kind else { continue };
            let by_plugin = declared.methods.contains(method) || declared.taken_over.contains(method);
            if event.node.as_deref() != Some(node.name()) || by_plugin {
                continue;
            }
            let result: Value = serde_json::from_str(result).unwrap_or_default();
            self.validate(node.name(), Subject::Method(method.clone()), &result, Some(schemas));
        }
    }

    fn validate(&mut self, who: &str, subject: Subject, value: &Value, schemas: Option<&Schemas>) {
        let Some(schemas) = schemas else { return };
        match schemas.complaints(&subject, value) {
            Some(complaints) => {
                let told = |complaint: String| format!("{who}: {subject} {complaint}\n  in {value}");
                self.violations.extend(complaints.into_iter().map(told));
                *self.valid.entry(subject).or_default() += 1;
            }
            None => _ = self.without_schema.insert(subject),
        }
    }
}

/// What plugins have registered in their manifests.
#[derive(Default)]
struct Declared {
    hooks: BTreeSet<String>,
    methods: BTreeSet<String>,
    topics: BTreeSet<String>,
    /// Commands that a plugin has replaced or answered.
    taken_over: BTreeSet<String>,
}

impl Declared {
    fn by_plugins_of(node: &Node) -> Self {
        let mut declared = Self::default();
        for plugin in node.plugins_heard() {
            let manifests = node.transcript(&plugin).direction(Direction::FromPlugin).only(["getmanifest"]);
            for manifest in manifests.frames().iter().filter_map(Frame::result) {
                declared.hooks.extend(names(&manifest["hooks"], "name"));
                declared.methods.extend(names(&manifest["rpcmethods"], "name"));
                declared.topics.extend(names(&manifest["notifications"], "method"));
            }
            declared.taken_over.extend(taken_over(&node.transcript(&plugin)));
        }
        declared
    }
}

/// The commands about which a plugin has said something else than `continue`.
fn taken_over(transcript: &Transcript) -> Vec<String> {
    let asked = transcript.clone().only(["rpc_command"]);
    let mut commands = BTreeMap::new();
    let mut taken = Vec::new();
    for frame in asked.frames() {
        let id = frame.envelope().and_then(|envelope| envelope.id.map(str::to_owned)).unwrap_or_default();
        if let Some(params) = frame.params() {
            commands.insert(id, params["rpc_command"]["method"].as_str().unwrap_or_default().to_owned());
        } else if frame.result().is_none_or(|result| result["result"] != "continue") {
            taken.extend(commands.remove(&id));
        }
    }
    taken
}

/// The elements of a list, by name if they are objects.
fn names(listed: &Value, member: &str) -> Vec<String> {
    let name = |element: &Value| element.as_str().or(element[member].as_str()).map(str::to_owned);
    listed.as_array().into_iter().flatten().filter_map(name).collect()
}
