//! Files: the first line, the name, the length, the place in the module tree; `lib.rs` as a map.

use crate::tokens::stream;
use crate::workspace::{File, Violation, enforce, files, stale};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex::Regex;

/// Files that may be longer than [`LONG`], up to a number of lines, and why.
const LONG_FILES: [(&str, usize, &str); 0] = [];

/// Lines of Rust that one subject gets along with.
const LONG: usize = 400;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "commons", "helper", "helpers", "misc", "shared"];

fn without_opening(files: &[File]) -> Vec<Violation> {
    let says_nothing = |file: &&File| {
        let words = file.text.lines().next().and_then(|line| line.strip_prefix("//! "));
        words.is_none_or(|words| words.trim().is_empty())
    };
    let files = files.iter().filter(|file| file.is_rust()).filter(says_nothing);
    files.map(|file| file.violation(1, "does not begin with `//!` and what it is for")).collect()
}

#[test]
fn every_file_says_what_it_is_for() {
    enforce(
        "every Rust file begins with `//!`",
        "say in its first line what the file is for",
        without_opening(&files()),
    );
}

#[test]
fn a_file_without_a_word_is_found() {
    let files = ["//! What it is.\n", "use a;\n", "//!\n//! late\n", ""].map(|text| File::new("a.rs", text));
    assert_eq!(without_opening(&files).len(), 3);
}

/// Everything in a `lib.rs` that is neither documentation nor `mod` nor `use`, with its line.
fn logic(stream: TokenStream) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut tokens = stream.into_iter();
    while let Some(token) = tokens.next() {
        let TokenTree::Ident(word) = &token else {
            // Attributes, documentation, the brackets of `pub(crate)`.
            continue;
        };
        match word.to_string().as_str() {
            "pub" => continue,
            "use" => drop(tokens.by_ref().find(is_semicolon)),
            "mod" => {
                if let Some(TokenTree::Group(body)) =
                    tokens.by_ref().find(|token| is_semicolon(token) || is_body(token))
                {
                    found.extend(logic(body.stream()));
                }
            }
            other => {
                found.push((token.span().start().line, other.to_owned()));
                drop(tokens.by_ref().find(|token| is_semicolon(token) || is_body(token)));
            }
        }
    }
    found
}

fn is_semicolon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';')
}

fn is_body(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn maps_with_logic(files: &[File]) -> Vec<Violation> {
    let maps = files.iter().filter(|file| file.path.ends_with("/src/lib.rs"));
    let complain = |file: &File| {
        let items = logic(stream(file)).into_iter();
        let items =
            items.map(|(line, item)| file.violation(line, format!("has an item that begins with `{item}`")));
        items.collect::<Vec<_>>()
    };
    maps.flat_map(complain).collect()
}

#[test]
fn a_library_begins_with_a_map() {
    enforce(
        "a lib.rs holds documentation, `mod` and `use`, and nothing else",
        "move the item into a module that is about it",
        maps_with_logic(&files()),
    );
}

#[test]
fn logic_in_a_map_is_found() {
    let map = "//! A map.\n#![deny(x)]\n/// Doc.\npub mod a;\n#[doc(hidden)]\npub mod b {\n    pub use c::{d, e};\n}\n\
               mod f;\npub(crate) use a::{g, h};\n";
    let found = |extra: &str| maps_with_logic(&[File::new("x/src/lib.rs", &format!("{map}{extra}"))]);
    assert_eq!(found(""), []);
    let [violation] = &found("pub fn one() -> u8 {\n    1\n}\nuse z;\n")[..] else { panic!("one violation") };
    assert_eq!(violation.to_string(), "x/src/lib.rs:11: has an item that begins with `fn`");
    assert_eq!(found("const A: [u8; 1] = [1];\nmacro_rules! m { () => {} }\n").len(), 2);
    assert_eq!(found("mod tests {\n    fn f() {}\n}\n").len(), 1);
}

fn empty_names(files: &[File]) -> Vec<Violation> {
    let complain = |file: &File| {
        let name = file.names().find(|name| EMPTY_NAMES.contains(name))?.to_owned();
        Some(file.violation(1, format!("`{name}` says nothing about what is inside")))
    };
    files.iter().filter_map(complain).collect()
}

#[test]
fn names_say_what_is_inside() {
    enforce(
        "no file or folder is called utils, common or helpers",
        "name it after its subject",
        empty_names(&files()),
    );
}

#[test]
fn an_empty_name_is_found() {
    let files =
        ["a/src/utils.rs", "a/tests/common/mod.rs", "a/src/uncommon.rs"].map(|path| File::new(path, ""));
    assert_eq!(empty_names(&files).len(), 2);
}

fn too_long(files: &[File], excused: &[(&str, usize, &str)]) -> Vec<Violation> {
    let mut used = Vec::new();
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let length = file.text.lines().count();
        let excuse = excused.iter().find(|(path, ..)| *path == file.path);
        if length > LONG && excuse.is_some() {
            used.push(file.path.clone());
        }
        let limit = excuse.map_or(LONG, |(_, limit, _)| *limit);
        if length > limit {
            violations.push(file.violation(limit + 1, format!("has {length} lines, of {limit} at most")));
        }
    }
    violations.extend(stale(excused.iter().map(|(path, ..)| *path), &used));
    violations
}

#[test]
fn a_file_is_one_subject() {
    enforce(
        "a Rust file has 400 lines at most",
        "split it by subject; if it is one subject, say so in LONG_FILES",
        too_long(&files(), &LONG_FILES),
    );
}

#[test]
fn a_long_file_and_a_needless_excuse_are_found() {
    let file = |lines| [File::new("a.rs", &"\n".repeat(lines))];
    assert_eq!(too_long(&file(400), &[]), []);
    assert_eq!(too_long(&file(401), &[]).len(), 1);
    assert_eq!(too_long(&file(401), &[("a.rs", 410, "why")]), []);
    assert_eq!(too_long(&file(411), &[("a.rs", 410, "why")]).len(), 1);
    assert_eq!(too_long(&file(400), &[("a.rs", 410, "why")]).len(), 1);
}

/// Files that no `mod` names: cargo does not compile them and says nothing.
fn forgotten(files: &[File]) -> Vec<Violation> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let complain = |file: &File| {
        let (folder, name) = file.path.rsplit_once('/')?;
        let (parent_folder, folder_name) = folder.rsplit_once('/').unwrap_or(("", folder));
        let is_root = matches!(name, "lib.rs" | "main.rs" | "build.rs")
            || matches!(folder_name, "tests" | "examples" | "benches" | "bin" | "fuzz_targets")
                && parent_folder.matches('/').count() < 2;
        if is_root {
            return None;
        }
        let (module, home) =
            if name == "mod.rs" { (folder_name, parent_folder) } else { (name.strip_suffix(".rs")?, folder) };
        let declared = Regex::new(&format!(r"(?m)^\s*(pub(\([a-z]+\))? )?mod {module}( \{{|;)"))
            .expect("a module's name");
        let parents = ["mod.rs", "lib.rs", "main.rs"].map(|name| format!("{home}/{name}"));
        let parents = parents.into_iter().chain([format!("{home}.rs")]);
        let known = parents.filter_map(|path| text(&path)).any(|text| declared.is_match(text));
        (!known).then(|| file.violation(1, format!("no `mod {module};` names it, so it is never compiled")))
    };
    files.iter().filter(|file| file.is_rust()).filter_map(complain).collect()
}

#[test]
fn every_file_is_compiled() {
    enforce("every Rust file is part of a crate", "declare it with `mod`, or delete it", forgotten(&files()));
}

#[test]
fn a_forgotten_file_is_found() {
    let mut files = vec![
        File::new("a/src/lib.rs", "pub mod b;\nmod d;\n"),
        File::new("a/src/b.rs", "mod c;\n"),
        File::new("a/src/b/c.rs", ""),
        File::new("a/src/d/mod.rs", ""),
        File::new("a/src/bin/tool.rs", ""),
        File::new("a/tests/one.rs", ""),
        File::new("a/tests/many/main.rs", "mod part;\n"),
        File::new("a/tests/many/part.rs", ""),
    ];
    assert_eq!(forgotten(&files), []);
    files.push(File::new("a/tests/many/lost.rs", ""));
    files.push(File::new("a/src/d/lost.rs", ""));
    assert_eq!(forgotten(&files).len(), 2);
}
