//! Scripts: the shelf, and what is said about mistakes.

use crate::lightningd::Lightningd;
use leyden_mock_plugins::{Mock, MockPlugin};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub(crate) fn shelf() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    fs::read_dir(folder).expect("the shelf").map(|entry| entry.expect("an entry").path()).collect()
}

fn script(text: &str) -> Result<Mock, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mock.toml");
    fs::write(&path, text).expect("a file");
    Mock::script(&path).map_err(|error| {
        let text = error.to_string();
        text.replace(&format!("{}/", folder.path().display()), "")
    })
}

#[test]
fn mistakes_are_named_with_line_and_what_is_allowed() {
    let cases = [
        (
            "\n\nwhat = 1\n",
            "mock.toml:3: unknown field `what`, expected one of `name`, `dynamic`, `in_order`, `disable`, `topics`, `option`, `start`, `getmanifest`, `init`, `hook`, `method`, `notification`",
        ),
        (
            "[[hook]]\nname = \"peer_conected\"\n",
            "mock.toml:2: unknown hook `peer_conected`, expected one of `commitment_revocation`, `custommsg`, ",
        ),
        (
            "[[hook]]\nname = \"custommsg\"\nreply = { continue = true, hang = true }\n",
            "mock.toml:3: expected one verb in a reply, not `continue` and `hang`",
        ),
        (
            "[[hook]]\nname = \"custommsg\"\nreply = { continue = false }\n",
            "mock.toml:3: expected `true`; leave it out to say no",
        ),
        (
            "[[method]]\nname = \"hello\"\nexpect = \"1..3\"\n",
            "mock.toml:3: expected a number, \"1..=3\", \"2..\" or \"..=3\", not \"1..3\"",
        ),
        (
            "[[method]]\nname = \"hello\"\nexpect = true\n",
            "mock.toml:3: expected a number, \"1..=3\", \"2..\" or \"..=3\"",
        ),
        (
            "[[method]]\nname = \"hello\"\nwhen = { name = 1 }\n",
            "mock.toml:3: expected a JSON pointer such as \"/peer/id\", not \"name\"",
        ),
        (
            "[[option]]\nname = \"a\"\ntype = \"float\"\n",
            "mock.toml:3: unknown option type `float`, expected `string`, `string-conceal`, `int`, `bool` or `flag`",
        ),
        ("[[method]]\n\nusage = \"\"\n", "mock.toml:1: missing field `name`"),
        ("[init\n", "mock.toml:1: "),
    ];
    for (text, expected) in cases {
        let error = script(text).err().unwrap_or_default();
        assert!(error.starts_with(expected), "{text}\n  said {error}\n  not  {expected}");
    }
}

/// A language that grows an `if` is one too many: closures are the way out.
#[test]
fn the_verbs_are_few() {
    let error = script("[init]\nif = 1\n").err().unwrap_or_default();
    assert_eq!(
        error,
        "mock.toml:2: unknown field `if`, expected one of `result`, `error`, `continue`, `replace`, `return`, `raw`, \
         `hang`, `close_stdout`, `exit`, `delay_ms`, `log`, `progress`, `notify`, `in_pieces`, `twice`, `with`, \
         `without`, `times`"
    );
}

#[test]
fn a_script_that_is_not_there_is_named() {
    let error = Mock::script("/nowhere/mock.toml").err().expect("no such file");
    assert!(error.to_string().starts_with("/nowhere/mock.toml: cannot read the script: "), "{error}");
}

#[tokio::test]
async fn a_script_is_the_same_sentence() {
    let mock = script(
        r#"
name = "greeter"

[[method]]
name = "hello"
usage = "[name]"
when = { "/name" = "ann" }
reply = { result = { hi = "ann" }, log = { level = "info", message = "one" } }
then = [{ error = { code = 5, message = "enough" } }]
expect = 2

[[method]]
name = "hello"
reply = { result = "who?" }
expect = "1.."
"#,
    )
    .unwrap();
    let plugin = MockPlugin::new(mock);
    let mut lightningd = Lightningd::with(&plugin).await;
    assert_eq!(lightningd.call("hello", json!({"name": "bob"})).await["result"], "who?");
    lightningd.request("hello", json!({"name": "ann"})).await;
    assert_eq!(lightningd.read().await["params"], json!({"level": "info", "message": "one"}));
    assert_eq!(lightningd.read().await["result"], json!({"hi": "ann"}));
    assert_eq!(plugin.name(), "greeter");
    let unmet = plugin.verify().unwrap_err().to_string();
    assert!(unmet.contains("method hello: expected 2 calls, received 1 ("), "{unmet}");
    assert!(unmet.contains("mock.toml:5)"), "{unmet}");
    assert_eq!(lightningd.call("hello", json!({"name": "ann"})).await["error"]["message"], "enough");
    assert_eq!(plugin.verify(), Ok(()));
}

#[test]
fn each_script_of_the_shelf_can_be_executed_and_says_what_it_is() {
    for path in shelf() {
        let text = fs::read_to_string(&path).expect("a script");
        assert!(text.starts_with("#!/usr/bin/env mock-plugin\n# "), "{}", path.display());
        let mode = fs::metadata(&path).expect("a script").permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{}", path.display());
    }
}
