//! The files of the workspace, and the way in which rules complain about them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it belongs to what its crate compiles for others: no tests, benches, examples.
    pub(crate) fn is_source_of(&self, folder: &str) -> bool {
        self.is_rust() && self.path.starts_with(&format!("{folder}/src/"))
    }

    /// The names on the way to it, without extension: `a/src/b/c.rs` has `a`, `src`, `b`, `c`.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').map(|name| name.split_once('.').map_or(name, |(stem, _)| stem))
    }

    /// Lines with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    pub(crate) fn violation(&self, line: usize, what: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, what: what.into() }
    }
}

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Fails with every violation, the rule, and what to do.
pub(crate) fn enforce(rule: &str, what_to_do: &str, mut violations: Vec<Violation>) {
    violations.sort();
    let list: Vec<_> = violations.iter().map(|violation| format!("  {violation}\n")).collect();
    assert!(violations.is_empty(), "tidy: {rule}\n{}what to do: {what_to_do}", list.concat());
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

/// Every text file of the workspace, without what git does not keep.
pub(crate) fn files() -> Vec<File> {
    let mut files = Vec::new();
    collect(&root(), "", &mut files);
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "the workspace is read from its root");
    files
}

const HIDDEN_BUT_KEPT: [&str; 4] = [".cargo", ".ci", ".config", ".github"];

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("entries have names").to_string_lossy().into_owned();
        let relative = format!("{prefix}{name}");
        if path.is_dir() {
            // Cargo marks its target directory so, wherever it is.
            let built = path.join("CACHEDIR.TAG").exists();
            if !built && (!name.starts_with('.') || HIDDEN_BUT_KEPT.contains(&name.as_str())) {
                collect(&path, &format!("{relative}/"), files);
            }
        } else if !name.starts_with('.')
            && !name.ends_with(".snap.new")
            && !name.ends_with(".pending-snap")
            && let Ok(text) = fs::read_to_string(&path)
        {
            files.push(File { path: relative, text });
        }
    }
}

/// Exceptions that no longer excuse anything, for rules that keep a list of them.
pub(crate) fn stale<'a>(list: impl IntoIterator<Item = &'a str>, used: &[String]) -> Vec<Violation> {
    let unused = list.into_iter().filter(|path| !used.iter().any(|used| used == path));
    unused
        .map(|path| {
            File::new(path, "")
                .violation(1, "is excused from this rule and needs no excuse: take it off the list")
        })
        .collect()
}

#[test]
#[should_panic(
    expected = "tidy: files are blue\n  a.rs:1: is red\n  b.rs:2: is green\nwhat to do: paint them"
)]
fn a_broken_rule_says_where_and_what_to_do() {
    let violations =
        vec![File::new("b.rs", "").violation(2, "is green"), File::new("a.rs", "").violation(1, "is red")];
    enforce("files are blue", "paint them", violations);
}

#[test]
fn names_lead_to_a_file() {
    assert_eq!(File::new("a/src/b/c.rs", "").names().collect::<Vec<_>>(), ["a", "src", "b", "c"]);
}
