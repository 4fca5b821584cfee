//! Waiting for what a plugin is told.

use leyden::env::Settings;
use leyden::event::{Direction, Event, EventKind};
use leyden::transcript::Frame;
use leyden::{Deadline, Net, Result};
use serde_json::Value;

/// Waits until a plugin has received so many requests or notifications called `method` since the net began.
#[track_caller]
pub(crate) fn heard(
    net: &Net,
    node: &str,
    plugin: &str,
    method: &str,
    times: usize,
) -> impl Future<Output = Result<u64>> + Send {
    heard_with(net, node, plugin, method, times, |_| true)
}

/// As [`heard`], but only those whose parameters are of interest. Gives the place of the last of them in the timeline.
#[track_caller]
pub(crate) fn heard_with(
    net: &Net,
    node: &str,
    plugin: &str,
    method: &str,
    times: usize,
    is_one: impl Fn(&Value) -> bool + Send + 'static,
) -> impl Future<Output = Result<u64>> + Send {
    let what = format!("{plugin} of {node} to receive {times} × {method}");
    let (owner, plugin, method) = (node.to_owned(), plugin.to_owned(), method.to_owned());
    let mut count = 0;
    let pick = move |event: &Event| {
        let EventKind::Frame { plugin: name, direction: Direction::ToPlugin, text } = &event.kind else {
            return None;
        };
        if event.node.as_ref() != Some(&owner) || *name != plugin {
            return None;
        }
        let frame: Value = serde_json::from_str(text).ok()?;
        if frame["method"] == method && is_one(&frame["params"]) {
            count += 1;
        }
        (count == times).then_some(event.seq)
    };
    let deadline = Deadline::standard(&Settings::from_env());
    net.timeline().wait_for(&what, Some(node), 0, deadline, pick).into_future()
}

/// Waits until a plugin has answered so many requests since the net began, `getmanifest` and `init` included.
#[track_caller]
pub(crate) fn answered(
    net: &Net,
    node: &str,
    plugin: &str,
    times: usize,
) -> impl Future<Output = Result<u64>> + Send {
    let what = format!("{plugin} of {node} to answer {times} requests");
    let (owner, plugin) = (node.to_owned(), plugin.to_owned());
    let mut count = 0;
    let pick = move |event: &Event| {
        let EventKind::Frame { plugin: name, direction: Direction::FromPlugin, text } = &event.kind else {
            return None;
        };
        let frame: Value = serde_json::from_str(text).ok()?;
        if frame.get("id").is_some() && event.node.as_ref() == Some(&owner) && *name == plugin {
            count += 1;
        }
        (count == times).then_some(event.seq)
    };
    let deadline = Deadline::standard(&Settings::from_env());
    net.timeline().wait_for(&what, Some(node), 0, deadline, pick).into_future()
}

/// Whether a frame contains a text: for views of a plugin that hears more than its scenario is about.
pub(crate) fn mentions(frame: &Frame, text: &str) -> bool {
    frame.text().is_some_and(|frame| frame.contains(text))
}
