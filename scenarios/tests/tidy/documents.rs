//! ARCHITECTURE.md, the shelf of mock scripts, golden transcripts, workflows: they must not lag behind the code.

use crate::workspace::{File, Violation, enforce, files};
use regex::Regex;

/// Lines that a map may have before nobody reads it.
const MAP_LINES: usize = 200;

fn wrong_map(files: &[File]) -> Vec<Violation> {
    let Some(map) = files.iter().find(|file| file.path == "ARCHITECTURE.md") else {
        return vec![File::new("ARCHITECTURE.md", "").violation(1, "is missing")];
    };
    let mut violations = Vec::new();
    let length = map.text.lines().count();
    if length > MAP_LINES {
        violations.push(map.violation(MAP_LINES + 1, format!("has {length} lines, of {MAP_LINES} at most")));
    }
    let crates = files.iter().filter_map(|file| file.path.strip_suffix("/Cargo.toml"));
    let unnamed = crates.filter(|folder| !map.text.contains(&format!("`{folder}/`")));
    violations
        .extend(unnamed.map(|folder| map.violation(1, format!("does not name the folder `{folder}/`"))));
    let name = Regex::new("`([a-z0-9_/-]+\\.rs)`").expect("a pattern");
    for (number, line) in map.lines() {
        let names = name.captures_iter(line).map(|found| found[1].to_owned());
        let gone = names.filter(|name| {
            !files.iter().any(|file| file.path == *name || file.path.ends_with(&format!("/{name}")))
        });
        violations
            .extend(gone.map(|name| map.violation(number, format!("names `{name}`, which does not exist"))));
    }
    violations
}

#[test]
fn the_map_shows_the_land() {
    enforce(
        "ARCHITECTURE.md names every crate, no file that is gone, and is short",
        "bring the map up to date in the same commit",
        wrong_map(&files()),
    );
}

#[test]
fn a_map_that_lags_behind_is_found() {
    let found = |map: &str| {
        let files = [("ARCHITECTURE.md", map), ("a/Cargo.toml", ""), ("a/src/b/c.rs", "")];
        wrong_map(&files.map(|(path, text)| File::new(path, text))).len()
    };
    assert_eq!(found("`a/`: `b/c.rs`, `c.rs`, `a/src/b/c.rs`"), 0);
    assert_eq!(found("`c.rs`"), 1, "the folder is not named");
    assert_eq!(found("`a/`: `d.rs`"), 1);
    assert_eq!(found(&format!("`a/`{}", "\n".repeat(201))), 1);
}

/// Scripts that no scenario plays, or that the shelf's list leaves out.
fn unused_scripts(files: &[File]) -> Vec<Violation> {
    let complain = |script: &File| {
        let name = script.path.strip_prefix("mock-plugins/scripts/")?.strip_suffix(".toml")?;
        let played = |file: &File| file.is_source_of("scenarios") && file.text.contains(&format!("{name:?}"));
        let listed = |file: &File| {
            file.path == "mock-plugins/README.md" && file.text.contains(&format!("| `{name}.toml` |"))
        };
        if !files.iter().any(played) {
            return Some(script.violation(1, "no scenario plays it"));
        }
        (!files.iter().any(listed)).then(|| script.violation(1, "mock-plugins/README.md does not list it"))
    };
    files.iter().filter_map(complain).collect()
}

#[test]
fn every_script_of_the_shelf_is_used() {
    enforce(
        "every mock script is played by a scenario, and listed in mock-plugins/README.md",
        "let a scenario take it from the shelf, or delete it",
        unused_scripts(&files()),
    );
}

#[test]
fn a_script_that_nobody_plays_is_found() {
    let found = |scenario, list| {
        let script = File::new("mock-plugins/scripts/greet.toml", "");
        let (scenario, list) =
            (File::new("scenarios/src/a.rs", scenario), File::new("mock-plugins/README.md", list));
        unused_scripts(&[script, scenario, list]).len()
    };
    assert_eq!(found("shelf(\"greet\")", "| `greet.toml` | Says hello. |"), 0);
    assert_eq!(found("shelf(\"greet\")", ""), 1);
    assert_eq!(found("greetings(\"greeter\")", "| `greet.toml` | Says hello. |"), 1);
}

/// Golden transcripts of scenarios that are gone.
fn orphaned_goldens(files: &[File]) -> Vec<Violation> {
    let function = Regex::new(r"\bfn ([a-z0-9_]+)").expect("a pattern");
    let scenarios: Vec<_> = files.iter().filter(|file| file.is_source_of("scenarios")).collect();
    let names: Vec<_> = scenarios
        .iter()
        .flat_map(|file| function.captures_iter(&file.text))
        .map(|f| f[1].to_owned())
        .collect();
    let goldens =
        files.iter().filter(|file| file.path.starts_with("snapshots/") && file.path.ends_with(".snap"));
    let orphans = goldens.filter(|golden| !names.iter().any(|name| golden.path.contains(name.as_str())));
    orphans
        .map(|golden| golden.violation(1, "no function in scenarios/src has a name that is in its own"))
        .collect()
}

#[test]
fn every_golden_belongs_to_a_scenario() {
    enforce(
        "the name of a golden transcript contains the name of its scenario",
        "delete it with its scenario; rename both together",
        orphaned_goldens(&files()),
    );
}

#[test]
fn an_orphaned_golden_is_found() {
    let found = |golden: &str| {
        let scenario =
            File::new("scenarios/src/a.rs", "pub async fn a_peer_is_refused(net: &Net) -> Result {");
        orphaned_goldens(&[scenario, File::new(golden, "")]).len()
    };
    assert_eq!(found("snapshots/goldens/a_peer_is_refused.l1.snap"), 0);
    assert_eq!(found("snapshots/goldens/a_peer_is_welcome.l1.snap"), 1);
}

/// Actions whose version somebody else may move.
fn unpinned_actions(files: &[File]) -> Vec<Violation> {
    let action = Regex::new(r"^\s*(- )?uses: ").expect("a pattern");
    let pinned = Regex::new(r"uses: [\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+(\.\d+)+$").expect("a pattern");
    let complain = |file: &File| {
        let lines = file.lines().filter(|(_, line)| action.is_match(line) && !pinned.is_match(line));
        lines.map(|(number, line)| file.violation(number, line.trim())).collect::<Vec<_>>()
    };
    files.iter().filter(|file| file.path.starts_with(".github/workflows/")).flat_map(complain).collect()
}

#[test]
fn actions_are_pinned() {
    enforce(
        "workflows pin actions by commit, with the version as a comment",
        "write `uses: owner/name@<40 hex digits> # v1.2.3`",
        unpinned_actions(&files()),
    );
}

#[test]
fn an_unpinned_action_is_found() {
    let found = |line: &str| {
        unpinned_actions(&[File::new(".github/workflows/a.yml", &format!("      - {line}\n"))]).len()
    };
    assert_eq!(found("uses: a/b@0123456789abcdef0123456789abcdef01234567 # v1.2.3"), 0);
    assert_eq!(found("uses: a/b@0123456789abcdef0123456789abcdef01234567"), 1);
    assert_eq!(found("uses: a/b@v1"), 1);
    assert_eq!(found("run: cargo test"), 0);
}
