//! Which crate may depend on which.

use crate::workspace::{File, Violation, enforce, root};
use cargo_metadata::{DependencyKind, MetadataCommand};
use std::fs;

/// A package, the packages of the workspace that it may use, and those that only its tests may use besides.
const EDGES: [(&str, &[&str], &[&str]); 8] = [
    ("leyden-protocol", &[], &[]),
    ("leyden-bolt", &[], &[]),
    ("leyden-mock-plugins", &["leyden-protocol"], &[]),
    ("leyden-node", &["leyden-bolt", "leyden-protocol"], &[]),
    ("leyden", &["leyden-mock-plugins", "leyden-node", "leyden-protocol"], &[]),
    // What lightningd takes ready-made, such as onion messages, they make themselves.
    ("leyden-scenarios", &["leyden", "leyden-bolt"], &[]),
    // It gets `leyden` through the scenarios anyway and names its types.
    ("leyden-snapshots", &["leyden", "leyden-scenarios"], &[]),
    ("leyden-playground", &["leyden"], &[]),
];

/// Crates from outside that only some packages may use, and why.
const RESERVED: [(&str, &[&str], &str); 8] = [
    ("lightning", &["leyden-bolt"], "only `bolt` knows BOLTs"),
    ("lightning-invoice", &["leyden-bolt"], "only `bolt` knows BOLTs"),
    ("lightning-types", &["leyden-bolt"], "only `bolt` knows BOLTs"),
    ("bitcoind", &["leyden"], "only `harness` starts daemons"),
    ("insta", &["leyden", "leyden-snapshots"], "`harness` compares transcripts, `snapshots` keeps them"),
    ("indicatif", &["leyden", "leyden-playground"], "a progress bar is for people"),
    (
        "clap",
        &["leyden-mock-plugins", "leyden-playground"],
        "only binaries for people have a command line to parse",
    ),
    (
        "tokio",
        &[
            "leyden-mock-plugins",
            "leyden-node",
            "leyden",
            "leyden-scenarios",
            "leyden-snapshots",
            "leyden-playground",
        ],
        "`protocol` and `bolt` do no I/O",
    ),
];

/// What one package depends on.
struct Package {
    name: String,
    manifest: File,
    /// Names; those of `[dev-dependencies]` are marked.
    dependencies: Vec<(String, bool)>,
}

fn wrong_edges(packages: &[Package]) -> Vec<Violation> {
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut violations = Vec::new();
    for package in packages {
        let Some((_, normal, dev)) = EDGES.iter().find(|(name, ..)| *name == package.name) else {
            violations.push(package.manifest.violation(1, format!("`{}` has no row in EDGES", package.name)));
            continue;
        };
        for (name, for_tests) in &package.dependencies {
            let allowed = normal.contains(&name.as_str()) || (*for_tests && dev.contains(&name.as_str()));
            if ours(name) && !allowed {
                violations.push(package.wrong(name, "no such edge in the design"));
            }
            let reserved = RESERVED.iter().find(|(reserved, ..)| reserved == name);
            if let Some((_, owners, why)) = reserved
                && !for_tests
                && !owners.contains(&package.name.as_str())
            {
                violations.push(package.wrong(name, why));
            }
        }
    }
    let gone = EDGES.iter().filter(|(name, ..)| !ours(name));
    violations.extend(
        gone.map(|(name, ..)| File::new("Cargo.toml", "").violation(1, format!("no package `{name}`"))),
    );
    violations
}

impl Package {
    fn wrong(&self, dependency: &str, why: &str) -> Violation {
        let declares = |line: &str| {
            let rest = line.trim_start().strip_prefix(dependency);
            rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        let line = self.manifest.lines().find(|(_, line)| declares(line)).map_or(1, |(number, _)| number);
        self.manifest.violation(line, format!("`{}` depends on `{dependency}`: {why}", self.name))
    }
}

/// What cargo says of the workspace; `--no-deps` needs neither network nor lock.
fn workspace() -> Vec<Package> {
    let metadata =
        MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo knows this workspace");
    let read = |package: &cargo_metadata::Package| {
        let path =
            package.manifest_path.strip_prefix(&metadata.workspace_root).expect("a member of the workspace");
        let text = fs::read_to_string(&package.manifest_path).expect("cargo has just read it");
        let dependencies = package.dependencies.iter();
        let dependencies =
            dependencies.map(|edge| (edge.name.clone(), edge.kind == DependencyKind::Development));
        Package {
            name: package.name.to_string(),
            manifest: File::new(path.as_str(), &text),
            dependencies: dependencies.collect(),
        }
    };
    metadata.workspace_packages().into_iter().map(read).collect()
}

#[test]
fn crates_depend_as_designed() {
    enforce(
        "crates depend on each other only along the edges of ARCHITECTURE.md",
        "move the code to the side of the edge where it belongs; a new edge is a change of the design",
        wrong_edges(&workspace()),
    );
}

/// The whole design, with `extra` in one of its manifests.
fn design_with(package: &str, extra: &str, for_tests: bool) -> Vec<Package> {
    let build = |(name, normal, _): &(&str, &[&str], &[&str])| {
        let manifest = File::new("x/Cargo.toml", &format!("[package]\n{extra}.workspace = true\n"));
        let mut dependencies: Vec<_> = normal.iter().map(|edge| ((*edge).to_owned(), false)).collect();
        if *name == package {
            dependencies.push((extra.to_owned(), for_tests));
        }
        Package { name: (*name).to_owned(), manifest, dependencies }
    };
    EDGES.iter().map(build).collect()
}

#[test]
fn an_edge_that_is_not_in_the_design_is_found() {
    let found = |package, extra, for_tests| wrong_edges(&design_with(package, extra, for_tests));
    let [violation] = &found("leyden-node", "leyden-mock-plugins", false)[..] else {
        panic!("one violation")
    };
    let expected =
        "x/Cargo.toml:2: `leyden-node` depends on `leyden-mock-plugins`: no such edge in the design";
    assert_eq!(violation.to_string(), expected);
    assert_eq!(found("leyden-node", "leyden-mock-plugins", true).len(), 1, "not even in tests");
    assert_eq!(found("leyden-protocol", "tokio", false).len(), 1);
    assert_eq!(found("leyden-protocol", "tokio", true), [], "a test may");
    assert_eq!(found("leyden-node", "serde", false), []);
}

#[test]
fn a_package_that_the_design_does_not_know_is_found() {
    let mut packages = design_with("", "", false);
    packages[0].name = "leyden-common".into();
    let found: Vec<_> = wrong_edges(&packages).iter().map(ToString::to_string).collect();
    let expected =
        ["x/Cargo.toml:1: `leyden-common` has no row in EDGES", "Cargo.toml:1: no package `leyden-protocol`"];
    assert_eq!(found, expected);
}
