//! What code may not do, or only in certain places.

use crate::tokens::{Token, find, tokens};
use crate::workspace::{File, Violation, enforce, files, stale};

/// Where a token sequence is forbidden: its tokens, and what to say.
type Ban = (&'static str, &'static str);

fn banned(files: &[File], concerns: impl Fn(&File) -> bool, bans: &[Ban]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && concerns(file)) {
        let tokens = tokens(file);
        for (pattern, why) in bans {
            for at in find(&tokens, pattern) {
                // `'static` is a lifetime.
                if at == 0 || tokens[at - 1].text != "'" {
                    let what = format!("`{}`: {why}", pattern.replace(" : : ", "::"));
                    violations.push(file.violation(tokens[at].line, what));
                }
            }
        }
    }
    violations
}

/// The same, but for files that are excused, each with a reason; the excuse must be needed.
fn banned_but(
    files: &[File],
    concerns: impl Fn(&File) -> bool,
    bans: &[Ban],
    excused: &[(&str, &str)],
) -> Vec<Violation> {
    let (excused_ones, mut violations): (Vec<_>, Vec<_>) = banned(files, concerns, bans)
        .into_iter()
        .partition(|found| excused.iter().any(|(path, _)| *path == found.path));
    let used: Vec<_> = excused_ones.into_iter().map(|found| found.path).collect();
    violations.extend(stale(excused.iter().map(|(path, _)| *path), &used));
    violations
}

#[test]
fn an_excuse_must_be_needed() {
    let found =
        |text, excused: &[_]| banned_but(&[File::new("a.rs", text)], |_| true, &[("a ( )", "why")], excused);
    assert_eq!(found("fn f() { a() }", &[]).len(), 1);
    assert_eq!(found("fn f() { a() }", &[("a.rs", "reason")]), []);
    assert_eq!(found("fn f() {}", &[("a.rs", "reason")]).len(), 1);
}

const STATICS: [Ban; 6] = [
    ("static", "state outlives its net"),
    ("thread_local", "state outlives its net"),
    ("lazy_static", "state outlives its net"),
    ("OnceLock", "state outlives its net"),
    ("LazyLock", "state outlives its net"),
    ("OnceCell", "state outlives its net"),
];

fn may_hold_state(file: &File) -> bool {
    file.is_source_of("node") || file.is_source_of("harness")
}

#[test]
fn nets_share_nothing() {
    enforce(
        "nothing in node/ and harness/ is static: nets in one process must not meet",
        "keep it in the net or the node, and hand it down",
        banned(&files(), may_hold_state, &STATICS),
    );
}

#[test]
fn a_static_is_found_and_a_lifetime_is_none() {
    let found = |text| banned(&[File::new("node/src/a.rs", text)], may_hold_state, &STATICS).len();
    assert_eq!(found("fn f(a: &'static str) {} // static"), 0);
    assert_eq!(found("static A: u8 = 1;"), 1);
    assert_eq!(found("struct S { cell: std::sync::OnceLock<u8> }"), 1);
    assert_eq!(found("fn f() { macro_of_ours! { static B: u8 = 1; } }"), 1);
}

const UNFINISHED: [Ban; 2] = [("todo !", "is not done"), ("unimplemented !", "is not done")];

#[test]
fn code_is_finished() {
    enforce(
        "no todo!, no unimplemented!",
        "write it, or leave it out",
        banned(&files(), |_| true, &UNFINISHED),
    );
}

#[test]
fn unfinished_code_is_found() {
    let file =
        File::new("a.rs", "fn f() {\n    todo!()\n}\nfn g() { \"todo!()\"; unimplemented!(\"later\") }");
    assert_eq!(banned(&[file], |_| true, &UNFINISHED).len(), 2);
}

const IO: [Ban; 11] = [
    ("std : : fs", "is I/O"),
    ("std : : process", "is I/O"),
    ("std : : thread", "is the caller's business"),
    ("std : : env", "is I/O"),
    ("tokio : :", "is I/O"),
    ("TcpStream", "is I/O"),
    ("TcpListener", "is I/O"),
    ("UnixStream", "is I/O"),
    ("UdpSocket", "is I/O"),
    ("Instant", "is a clock"),
    ("SystemTime", "is a clock"),
];

fn does_no_io(file: &File) -> bool {
    file.is_source_of("protocol") || file.is_source_of("bolt")
}

#[test]
fn protocols_do_no_io() {
    enforce(
        "protocol/ and bolt/ have no files, processes, sockets, threads or clocks",
        "take what is needed as an argument, and give back what is to be done",
        banned(&files(), does_no_io, &IO),
    );
}

#[test]
fn io_in_a_protocol_is_found() {
    let found = |path, text| banned(&[File::new(path, text)], does_no_io, &IO).len();
    assert_eq!(found("bolt/src/a.rs", "use std::fs;\nuse std::time::Instant;"), 2);
    assert_eq!(found("bolt/tests/a.rs", "use std::fs;"), 0);
    assert_eq!(found("node/src/a.rs", "use std::fs;"), 0);
}

const CHANCE: [Ban; 5] = [
    ("getrandom", "is chance"),
    ("HashMap", "its order is chance"),
    ("HashSet", "its order is chance"),
    ("SystemTime : : now", "is wall time"),
    ("Instant : : now", "is the machine's time"),
];

/// The node's core; `world` makes its clock, `actor` keeps its timers.
fn is_core(file: &File) -> bool {
    file.is_source_of("node") && !file.names().any(|name| ["actor", "world", "wait", "bin"].contains(&name))
}

/// Files of the core that may, and why.
const DRAWN_OUTSIDE: [(&str, &str); 2] = [
    ("node/src/plugin/stdio.rs", "it moves bytes: how long it looks out for an answer changes none"),
    ("node/src/plugin/stdio/lookout.rs", "its tests begin at some moment"),
];

#[test]
fn a_node_does_the_same_for_the_same_inputs() {
    enforce(
        "the core of node/ reads no clock, draws no chance and keeps nothing in an order of chance",
        "take time and chance from `world`; use BTreeMap",
        banned_but(&files(), is_core, &CHANCE, &DRAWN_OUTSIDE),
    );
}

#[test]
fn a_clock_in_the_core_is_found() {
    let found = |path| banned(&[File::new(path, "fn f() { Instant::now(); }")], is_core, &CHANCE).len();
    assert_eq!(
        (found("node/src/state.rs"), found("node/src/world.rs"), found("harness/src/wait.rs")),
        (1, 0, 0)
    );
}

const RELEASES: [Ban; 4] = [
    ("Profile : : Manual", "is one release of four"),
    ("Profile : : V0_10", "is one release of four"),
    ("Profile : : V23_02", "is one release of four"),
    ("Profile : : V26_06", "is one release of four"),
];

/// Files that may, and why.
const COMPARED: [(&str, &str); 0] = [];

fn asks_the_profile(file: &File) -> bool {
    file.is_source_of("node") || file.is_source_of("harness") || file.is_source_of("mock-plugins")
}

#[test]
fn releases_differ_in_one_file() {
    enforce(
        "only protocol/ compares releases",
        "add a method to `Profile` that answers the question",
        banned_but(&files(), asks_the_profile, &RELEASES, &COMPARED),
    );
}

#[test]
fn a_comparison_of_releases_is_found() {
    let comparison = "fn f(p: Profile) -> bool { p >= Profile::V23_02 }";
    let found = |path| banned(&[File::new(path, comparison)], asks_the_profile, &RELEASES).len();
    assert_eq!((found("node/src/a.rs"), found("protocol/src/profile.rs")), (1, 0));
}

/// Where sleeping, spawning and reading the environment may be expected by the lint.
const KEEPERS: [&str; 3] = ["wait", "process", "env"];

/// Files besides the keepers, and why.
const EXPECTED: [(&str, &str); 3] = [
    ("harness/benches/costs/process.rs", "runs itself again as the children of a benchmark"),
    ("harness/tests/sigkill.rs", "runs itself again as the runner that is then killed with SIGKILL"),
    ("node/tests/node/program.rs", "runs the node as the program that it is"),
];

fn excuses_from_the_lint(files: &[File], expected: &[(&str, &str)]) -> Vec<Violation> {
    let mut used = Vec::new();
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let tokens = tokens(file);
        for at in find(&tokens, "disallowed_methods") {
            let level =
                tokens[..at].iter().rev().find(|token| ["expect", "allow"].contains(&token.text.as_str()));
            let is_keeper = file.path.contains("/src/") && file.names().any(|name| KEEPERS.contains(&name));
            if level.is_some_and(|level| level.text == "allow") {
                violations
                    .push(file.violation(tokens[at].line, "`allow` outlives its reason; `expect` does not"));
            } else if expected.iter().any(|(path, _)| *path == file.path) {
                used.push(file.path.clone());
            } else if !is_keeper {
                violations
                    .push(file.violation(tokens[at].line, "sleeps, spawns or reads the environment here"));
            }
        }
    }
    violations.extend(stale(expected.iter().map(|(path, _)| *path), &used));
    violations
}

#[test]
fn one_module_waits_one_spawns_one_reads_the_environment() {
    enforce(
        "only modules called wait, process and env are excused from the lint on disallowed methods",
        "ask the crate's module of that name to do it",
        excuses_from_the_lint(&files(), &EXPECTED),
    );
}

#[test]
fn an_excuse_in_another_module_is_found() {
    let excuse = |level| format!("#[{level}(clippy::disallowed_methods, reason = \"none\")]\nfn f() {{}}");
    let found = |path, level| excuses_from_the_lint(&[File::new(path, &excuse(level))], &[]).len();
    assert_eq!(found("a/src/net.rs", "expect"), 1);
    assert_eq!(found("a/src/wait.rs", "expect"), 0);
    assert_eq!(found("a/src/process/mod.rs", "expect"), 0);
    assert_eq!(found("a/src/wait.rs", "allow"), 1);
    assert_eq!(found("a/tests/wait.rs", "expect"), 1);
    let listed = [("a/tests/b.rs", "why")];
    assert_eq!(excuses_from_the_lint(&[File::new("a/tests/b.rs", &excuse("expect"))], &listed), []);
    assert_eq!(excuses_from_the_lint(&[File::new("a/tests/b.rs", "")], &listed).len(), 1, "stale");
}

/// Lines of a `Drop`, from its name to its last bracket.
const LONG_DROP: usize = 20;

fn clever_drops(files: &[File], architecture: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && file.path.contains("/src/")) {
        let tokens = tokens(file);
        for at in find(&tokens, "Drop for") {
            let Some(name) = tokens.get(at + 2) else { continue };
            if !architecture.contains(&format!("`{}`", name.text)) {
                violations.push(
                    file.violation(
                        name.line,
                        format!("ARCHITECTURE.md does not list Drop of `{}`", name.text),
                    ),
                );
            }
            let length = end_of_body(&tokens[at..]) + 1 - name.line;
            if length > LONG_DROP {
                violations
                    .push(file.violation(name.line, format!("Drop of `{}` has {length} lines", name.text)));
            }
        }
    }
    violations
}

/// The line of the bracket that closes the first body.
fn end_of_body(tokens: &[Token]) -> usize {
    let mut depth = 0;
    for token in tokens {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return token.line,
            "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.last().map_or(0, |token| token.line)
}

#[test]
fn drops_are_listed_and_short() {
    let files = files();
    let architecture = files.iter().find(|file| file.path == "ARCHITECTURE.md").expect("ARCHITECTURE.md");
    enforce(
        "every Drop is listed in ARCHITECTURE.md and shorter than a moment's thought",
        "only kill, let go and keep evidence there; checks belong into `finish().await`",
        clever_drops(&files, &architecture.text),
    );
}

#[test]
fn a_drop_that_is_unknown_or_long_is_found() {
    let drop = |lines: usize| {
        let body = "        a();\n".repeat(lines);
        [File::new(
            "a/src/b.rs",
            &format!("impl Drop for Guard {{\n    fn drop(&mut self) {{\n{body}    }}\n}}\n"),
        )]
    };
    assert_eq!(clever_drops(&drop(1), "| `Guard` |"), []);
    assert_eq!(clever_drops(&drop(1), "| `Other` |").len(), 1);
    assert_eq!(clever_drops(&drop(20), "`Guard`").len(), 1);
}
