//! The two lists beside the recordings: what is not compared, and what is not equal.

use crate::kind::Kind;
use regex::Regex;
use serde_json::Value;
use std::fmt;

/// Recorded frames that are left out: `<kind>[ where <regex>]: <reason>`.
#[derive(Debug)]
pub(crate) struct Rule {
    kind: String,
    /// What the frame's text must have in it.
    condition: Option<Regex>,
    reason: String,
}

impl Rule {
    pub(crate) fn covers(&self, frame: &Value) -> bool {
        let holds = |regex: &Regex| regex.is_match(&frame.to_string());
        Kind::of(frame).to_string() == self.kind && self.condition.as_ref().is_none_or(holds)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(regex) = &self.condition {
            write!(f, " where {regex}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// `not-compared.txt`.
pub(crate) fn not_compared() -> Vec<Rule> {
    let rule = |line: &str| {
        let (what, reason) =
            line.split_once(": ").unwrap_or_else(|| panic!("not-compared.txt: '{line}' has no reason"));
        let (kind, condition) =
            what.split_once(" where ").map_or((what, None), |(kind, rest)| (kind, Some(rest)));
        let condition =
            condition.map(|regex| Regex::new(regex).unwrap_or_else(|why| panic!("not-compared.txt: {why}")));
        Rule { kind: kind.to_owned(), condition, reason: reason.to_owned() }
    };
    lines(include_str!("../../groundtruth/not-compared.txt")).map(rule).collect()
}

/// `differences.txt`: what of a release is not equal, and why: `<release> <kind or order>: <reason>`.
pub(crate) fn differences(release: &str) -> Vec<String> {
    let of_release =
        |line: &str| Some(line.strip_prefix(release)?.strip_prefix(' ')?.split_once(": ")?.0.to_owned());
    lines(include_str!("../../groundtruth/differences.txt")).filter_map(of_release).collect()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}
