//! Texts of any kind: marks of unfinished work, what a merge left over, machines' paths, hosts.

use crate::workspace::{File, Violation, enforce, files, stale};
use regex::Regex;

/// These rules' own examples break them.
fn others(files: Vec<File>) -> Vec<File> {
    let mut files = files;
    files.retain(|file| !file.path.starts_with("scenarios/tests/tidy/") && file.path != "Cargo.lock");
    files
}

fn containing(files: &[File], pattern: &str, what: &str) -> Vec<Violation> {
    let pattern = Regex::new(pattern).expect("a pattern");
    let complain = |file: &File| {
        let lines = file.lines().filter(|(_, line)| pattern.is_match(line));
        lines
            .map(|(number, line)| file.violation(number, format!("{what}: {}", line.trim())))
            .collect::<Vec<_>>()
    };
    files.iter().flat_map(complain).collect()
}

const MARKS: &str = r"\b(TODO|FIXME|XXX)\b";

#[test]
fn nothing_is_left_for_later() {
    enforce(
        "no TODO, FIXME or XXX",
        "do it, or write an issue",
        containing(&others(files()), MARKS, "left for later"),
    );
}

const CONFLICT: &str = r"^(<{7}|>{7}|\|{7})( |$)";

#[test]
fn merges_are_complete() {
    enforce("no marks of a conflict", "finish the merge", containing(&others(files()), CONFLICT, "unmerged"));
}

/// Folders of a person or a machine, unless they are a part of a longer path.
const MACHINE_PATH: &str = r"(^|[^A-Za-z0-9_.}$*-])/(home|root|Users|work|mnt|media|srv)/";

/// Files in which such a path is not one, and why.
const NO_MACHINE_PATHS: [(&str, &str); 0] = [];

fn machine_paths(files: &[File], excused: &[(&str, &str)]) -> Vec<Violation> {
    let mut violations = containing(files, MACHINE_PATH, "a path of one machine");
    let is_excused = |violation: &Violation| excused.iter().any(|(path, _)| *path == violation.path);
    let used: Vec<_> =
        violations.iter().filter(|found| is_excused(found)).map(|found| found.path.clone()).collect();
    violations.retain(|violation| !is_excused(violation));
    violations.extend(stale(excused.iter().map(|(path, _)| *path), &used));
    violations
}

#[test]
fn no_path_of_a_machine_is_kept() {
    enforce(
        "no absolute path into somebody's machine",
        "take the path from the environment, the run directory or CARGO_MANIFEST_DIR",
        machine_paths(&others(files()), &NO_MACHINE_PATHS),
    );
}

const HOST: &str = r"\b[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*\.(org|com)\b";

/// Hosts that code and configuration may name, and why.
const HOSTS: [(&str, &str); 2] = [
    ("bitcoincore.org", "the official release of bitcoind, checked by its SHA-256"),
    ("github.com", "the official releases of lightningd; documents"),
];

fn hosts(files: &[File]) -> Vec<Violation> {
    let host = Regex::new(HOST).expect("a pattern");
    let extensions = [".rs", ".toml", ".sh", ".yml"];
    let concerns = |file: &&File| {
        file.path.starts_with(".ci/") || extensions.iter().any(|extension| file.path.ends_with(extension))
    };
    let mut violations = Vec::new();
    for file in files.iter().filter(concerns) {
        for (number, line) in file.lines() {
            let unknown = host.find_iter(line).map(|found| found.as_str());
            let unknown = unknown.filter(|name| !HOSTS.iter().any(|(known, _)| known == name));
            violations.extend(unknown.map(|name| file.violation(number, format!("names the host {name}"))));
        }
    }
    violations
}

#[test]
fn code_reaches_for_known_hosts_only() {
    enforce(
        "code and configuration name no host but those in HOSTS",
        "registries and mirrors are the user's choice: read them from the machine; add official sources to HOSTS",
        hosts(&others(files())),
    );
}

#[test]
fn broken_words_are_found() {
    let found = |pattern, text| containing(&[File::new("a.md", text)], pattern, "").len();
    assert_eq!(found(MARKS, "// TODO later\nTODOS\n"), 1);
    assert_eq!(found(CONFLICT, "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> branch\n| a table |\n"), 2);
    assert_eq!(
        found(MACHINE_PATH, "see /home/ann/x\n\"/home/bob/x\"\n$top/home/x\nhttps://a/home/\n/tmp/x\n"),
        2
    );
}

#[test]
fn an_excuse_for_a_path_must_be_needed() {
    let excused = [("a.rs", "why")];
    assert_eq!(machine_paths(&[File::new("a.rs", "\"/home/ann/x\"")], &excused), []);
    assert_eq!(machine_paths(&[File::new("a.rs", "")], &excused).len(), 1);
}

#[test]
fn an_unknown_host_is_found() {
    let found = |path, text| hosts(&[File::new(path, text)]).len();
    assert_eq!(found("a.rs", "const A: &str = \"https://mirror.example.org/x\";"), 1);
    assert_eq!(found(".ci/run", "curl https://example.com"), 1);
    assert_eq!(found("a.rs", "const A: &str = \"https://bitcoincore.org/bin\";"), 0);
    assert_eq!(found("a.rs", "self.organise(x.common)"), 0);
    assert_eq!(found("a.md", "https://example.com"), 0);
}
