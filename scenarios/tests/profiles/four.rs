//! Four nodes, one of each release, in one net.

use leyden::env::Settings;
use leyden::event::{Direction, Event, EventKind};
use leyden::{Backend, Deadline, Mock, MockChain, Net, NetBuilder, Node, Profile, Result};
use serde_json::{Value, json};

/// The names of the nodes, in the order of [`Profile::ALL`].
const NAMES: [&str; 4] = ["manual", "v010", "v2302", "v2606"];

/// The node to which one of the four connects: one of the same release, for an old one does not understand a new one.
pub(crate) fn peer_of(net: &Net, node: &Node) -> Node {
    net.node(&peer_name(node.name()))
}

fn peer_name(node: &str) -> String {
    format!("peer{node}")
}

/// A net of which the same is asked four times.
pub(crate) struct Four {
    net: NetBuilder,
}

impl Four {
    /// Four nodes.
    pub(crate) fn new() -> Self {
        Self::on(&MockChain::new())
    }

    /// Four nodes on a chain of the test's own.
    pub(crate) fn on(chain: &MockChain) -> Self {
        let net = Net::builder().nodes(NAMES).backend(Backend::Embedded).chain(chain);
        Self {
            net: NAMES
                .iter()
                .zip(Profile::ALL)
                .fold(net, |net, (name, profile)| net.node_profile(name, profile)),
        }
    }

    /// With a node for each of the four to connect to.
    pub(crate) fn with_peers(self) -> Self {
        let add = |net: NetBuilder, (name, profile): (&&str, Profile)| {
            let peer = peer_name(name);
            net.nodes([peer.clone()]).node_profile(&peer, profile)
        };
        Self { net: NAMES.iter().zip(Profile::ALL).fold(self.net, add) }
    }

    /// With a mock on each of the four.
    pub(crate) fn mount(self, mock: impl Fn() -> Mock) -> Self {
        Self { net: NAMES.iter().fold(self.net, |net, name| net.mount(name, mock())) }
    }

    /// With an option of lightningd on each of the four.
    pub(crate) fn option(self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        Self { net: NAMES.iter().fold(self.net, |net, node| net.option(node, name, value.clone())) }
    }

    /// Any of the four may end in any way.
    pub(crate) fn may_fail(self) -> Self {
        let net = NAMES.iter().fold(self.net, |net, node| net.may_fail(node).broken_log(node, "."));
        Self { net }
    }

    /// Looks at each node, and holds what was seen against what each release does: the manual's text, v0.10.1,
    /// v23.02 and v26.06.
    pub(crate) async fn look(
        self,
        look: impl AsyncFn(&Net, &Node) -> Result<String>,
        expected: [&str; 4],
    ) -> Result {
        let net = self.net.start().await?;
        let mut seen = Vec::new();
        for (name, profile) in NAMES.iter().zip(Profile::ALL) {
            seen.push(format!("{profile}: {}", look(&net, &net.node(name)).await?));
        }
        net.finish().await?;
        let expected: Vec<String> = Profile::ALL
            .iter()
            .zip(expected)
            .map(|(profile, expected)| format!("{profile}: {expected}"))
            .collect();
        assert_eq!(seen.join("\n"), expected.join("\n"), "what is seen (left) is not what each release does");
        Ok(())
    }
}

/// What a plugin was told of something: each frame as it was sent.
pub(crate) fn told(node: &Node, plugin: &str, method: &str) -> Vec<Value> {
    let transcript = node.transcript(plugin).direction(Direction::ToPlugin).only([method]);
    transcript.frames().iter().filter_map(|frame| serde_json::from_str(frame.text()?).ok()).collect()
}

/// Waits until a plugin has been told of something, and gives the first frame.
pub(crate) async fn first_told(net: &Net, node: &Node, plugin: &str, method: &str) -> Result<Value> {
    let (name, plugin, method) = (node.name().to_owned(), plugin.to_owned(), method.to_owned());
    let what = format!("{plugin} of {name} to be told of {method}");
    let deadline = Deadline::standard(&Settings::from_env());
    let pick = move |event: &Event| {
        let EventKind::Frame { plugin: heard, direction: Direction::ToPlugin, text } = &event.kind else {
            return None;
        };
        let frame: Value = serde_json::from_str(text).ok()?;
        let is_it = event.node.as_ref() == Some(&name) && *heard == plugin && frame["method"] == method;
        is_it.then_some(frame)
    };
    net.timeline().wait_for(&what, None, 0, deadline, pick).await
}

/// The members of an object in order, with their types: `id:string direction:string`.
pub(crate) fn members(object: &Value) -> String {
    let member = |(name, value): (&String, &Value)| {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        format!("{name}:{kind}")
    };
    object.as_object().into_iter().flatten().map(member).collect::<Vec<_>>().join(" ")
}

/// A text with `N` in place of each number.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character.is_ascii_digit() {
            true if shown.ends_with('N') => {}
            true => shown.push('N'),
            false => shown.push(character),
        }
    }
    shown
}

/// The lines that a node has logged under this source: level and text. All that led to its start are there once it is up;
/// wait for others.
pub(crate) fn logged(net: &Net, node: &Node, source: &str) -> Vec<(&'static str, String)> {
    let line = |event: &Event| match &event.kind {
        EventKind::Log(line) if event.node.as_deref() == Some(node.name()) && line.source == source => {
            Some((line.level.name(), line.text.clone()))
        }
        _ => None,
    };
    net.timeline().events().iter().filter_map(|event| line(event)).collect()
}

/// Waits until a node has killed a plugin, and says why, and how loudly it said so.
pub(crate) async fn killed(net: &Net, node: &Node, plugin: &str) -> Result<String> {
    let source = format!("plugin-{plugin}");
    let reason = leyden::eventually(format!("{} to kill {plugin}", node.name()), || async {
        let lines = logged(net, node, &source);
        let reason = |(level, text): &(&str, String)| {
            Some(format!("{level} {}", text.strip_prefix("Killing plugin: ")?))
        };
        let reason = lines.iter().find_map(reason);
        Ok(leyden::seen(reason, Option::is_some))
    });
    Ok(reason.await?.unwrap_or_default())
}

/// Starts a plugin that declares this, and says how it ends: `started`, or why not, without its path.
pub(crate) async fn started(node: &Node, name: &str, manifest: Value) -> Result<String> {
    let mock = Mock::plugin(name).on_getmanifest(leyden::Reply::result(manifest));
    match node.mount_scoped(mock).await {
        Ok(guard) => guard.finish().await.map(|()| "started".to_owned()),
        Err(error) => {
            let text = error.headline();
            let why = text.split_once(&format!("/{name}: ")).map_or(text.as_str(), |(_, why)| why);
            Ok(why.rsplit_once("\" (RPC code").map_or(why, |(why, _)| why).replace("\\\"", "\""))
        }
    }
}

/// A manifest with only what must be there, and `more`.
pub(crate) fn manifest(more: &Value) -> Value {
    let mut manifest =
        json!({ "options": [], "rpcmethods": [], "subscriptions": [], "hooks": [], "dynamic": true });
    for (name, value) in more.as_object().into_iter().flatten() {
        manifest[name] = value.clone();
    }
    manifest
}
