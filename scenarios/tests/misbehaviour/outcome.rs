//! What came of a case: as it was recorded, or as it is now.

use std::fmt::Debug;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::case::text;

/// Everything that can be seen of a case. Directories, process ids and request ids are aliased.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) log: Vec<String>,
    /// What `help` shows that it did not show before.
    pub(crate) help: Value,
    /// What `listconfigs` shows of the option `o1`.
    pub(crate) listconfigs: Value,
    /// The result of `plugin stop`.
    pub(crate) stop: Option<String>,
}

/// The answer to `plugin start`.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum Answer {
    #[default]
    None,
    /// It runs: its row of the list.
    Ok(Value),
    Error {
        code: i64,
        message: String,
    },
}

impl Outcome {
    /// Reads one from a recorded case.
    pub(crate) fn read(row: &Value) -> Self {
        let error = &row["error"];
        let answer = match row["ok"].get(0) {
            Some(entry) => Answer::Ok(entry.clone()),
            None if error.is_object() => {
                let code = error["code"].as_i64().expect("an error has a code");
                Answer::Error { code, message: aliased(&text(&error["message"])) }
            }
            None => Answer::None,
        };
        let log = row["log"].as_array().expect("every case has its log");
        Self {
            answer,
            log: log.iter().map(|line| aliased(&text(line))).collect(),
            help: row["help"].clone(),
            listconfigs: row["listconfigs"].clone(),
            stop: row["stop"].as_str().map(str::to_owned),
        }
    }

    /// What is not as expected, in words; empty if it is the same.
    pub(crate) fn differences(&self, expected: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, came: &dyn Debug, expected: &dyn Debug| {
            let (came, expected) = (format!("{came:#?}"), format!("{expected:#?}"));
            if came != expected {
                differences.push(format!("{what}: expected\n{expected}\nbut it is\n{came}"));
            }
        };
        compare("the answer to plugin start", &self.answer, &expected.answer);
        compare("the log", &self.log, &expected.log);
        compare("what help shows", &self.help, &expected.help);
        compare("what listconfigs shows", &self.listconfigs, &expected.listconfigs);
        compare("the answer to plugin stop", &self.stop, &expected.stop);
        differences
    }
}

/// What differs from run to run, and what stands for it. Compiling takes longer than a case.
static ALIASES: LazyLock<[(Regex, &str); 3]> = LazyLock::new(|| {
    let alias = |pattern: &str, alias| (Regex::new(pattern).expect("the patterns here are good"), alias);
    [
        alias(r"started\([^)]*\)", "started(<pid>)"),
        alias(r"/[^ ]*/libexec/c-lightning/plugins/", "$$BUILTIN_PLUGINS/"),
        alias(r#""[^" ]*cln:getmanifest#[0-9]+""#, "<id>"),
    ]
});

/// A text without what differs from run to run.
pub(crate) fn aliased(text: &str) -> String {
    let replaced =
        |text: String, (pattern, alias): &(Regex, &str)| pattern.replace_all(&text, *alias).into_owned();
    ALIASES.iter().fold(text.to_owned(), replaced)
}
