//! The commands about a net that stays, named as in `contrib/startup_regtest.sh` of Core Lightning.

use std::io::Write;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::cli::{CallArgs, StartArgs};
use crate::control::{self, BITCOIND, Order};
use crate::doorman::quoted;
use crate::home::Home;
use crate::process;

/// `start_ln`: a net that stays until `stop_ln`.
pub(crate) fn start_ln(args: &StartArgs, out: &mut impl Write) -> Result<()> {
    let home = Home::from_env();
    if control::is_running(&home) {
        bail!("a net runs in {} already: end it with `leyden stop_ln`", home.path().display());
    }
    home.destroy()?;
    home.create()?;
    control::relay(process::start_host(&home, &args.for_host())?, out)?;
    writeln!(out, "Useful commands:")?;
    for (command, what) in [
        ("fund_nodes", "give every node coins, and each a channel with the next"),
        ("connect 1 2", "connect l1 and l2"),
        ("cli 1 getinfo", "call an RPC method of l1"),
        ("bt-cli getblockcount", "call an RPC method of bitcoind"),
        ("stop_ln", "shut down"),
        ("destroy_ln", "remove what was left for you to look at"),
    ] {
        writeln!(out, "  leyden {command:<22}{what}")?;
    }
    writeln!(
        out,
        r#"  eval "$(leyden env)"        all of these as commands of your shell, with l1-cli and l1-log"#
    )?;
    Ok(())
}

/// `fund_nodes`
pub(crate) fn fund_nodes(out: &mut impl Write) -> Result<()> {
    let opened = control::give(&Home::from_env(), &Order::FundNodes)?;
    for line in opened.as_array().into_iter().flatten() {
        writeln!(out, "{}", line.as_str().unwrap_or_default())?;
    }
    Ok(())
}

/// `connect`
pub(crate) fn connect(from: &str, to: &str, out: &mut impl Write) -> Result<()> {
    let order = Order::Connect { from: node_name(from), to: node_name(to) };
    print(&control::give(&Home::from_env(), &order)?, out)
}

/// `cli`
pub(crate) fn cli(node: &str, call: &CallArgs, out: &mut impl Write) -> Result<()> {
    self::call(node_name(node), call, out)
}

/// `bt-cli`
pub(crate) fn bt_cli(call: &CallArgs, out: &mut impl Write) -> Result<()> {
    self::call(BITCOIND.to_owned(), call, out)
}

fn call(whom: String, call: &CallArgs, out: &mut impl Write) -> Result<()> {
    let order = Order::Call { whom, method: call.method.clone(), params: params(&call.params) };
    print(&control::give(&Home::from_env(), &order)?, out)
}

/// `stop_ln`
pub(crate) fn stop_ln() -> Result<()> {
    control::give(&Home::from_env(), &Order::Stop).map(drop)
}

/// `destroy_ln`
pub(crate) fn destroy_ln() -> Result<()> {
    let home = Home::from_env();
    if control::is_running(&home) {
        bail!("the net in {} still runs: end it with `leyden stop_ln`", home.path().display());
    }
    Ok(home.destroy()?)
}

/// `env`: the commands as functions of a shell.
pub(crate) fn env(out: &mut impl Write) -> Result<()> {
    let home = Home::from_env();
    let leyden = quoted(&std::env::current_exe()?);
    for verb in ["start_ln", "fund_nodes", "connect", "stop_ln", "destroy_ln", "bt-cli"] {
        writeln!(out, r#"{verb}() {{ {leyden} {verb} "$@"; }}"#)?;
    }
    for node in nodes(&home) {
        let log = quoted(&home.node(&node).join("log"));
        writeln!(out, r#"{node}-cli() {{ {leyden} cli {node} "$@"; }}"#)?;
        writeln!(out, r#"{node}-log() {{ "${{PAGER:-less}}" {log}; }}"#)?;
    }
    Ok(())
}

/// The nodes that there are, by their links.
fn nodes(home: &Home) -> Vec<String> {
    let all = (1..).map(|number| format!("l{number}"));
    all.take_while(|name| home.node(name).is_dir()).collect()
}

/// `1` is `l1`.
fn node_name(given: &str) -> String {
    if given.chars().all(|char| char.is_ascii_digit()) { format!("l{given}") } else { given.to_owned() }
}

/// Parameters as on the command line of `lightning-cli`: by name if each is `name=value`, else by position. What is JSON is
/// taken as such, all else as text.
fn params(given: &[String]) -> Value {
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    let named: Option<Vec<(&str, &str)>> = given.iter().map(|param| param.split_once('=')).collect();
    match named {
        Some(named) => named.into_iter().map(|(name, text)| (name.to_owned(), value(text))).collect(),
        None => given.iter().map(|text| value(text)).collect(),
    }
}

fn print(answer: &Value, out: &mut impl Write) -> Result<()> {
    match answer {
        Value::String(text) => writeln!(out, "{text}")?,
        other => writeln!(out, "{other:#}")?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params_of(given: &[&str]) -> Value {
        params(&given.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn parameters_are_given_by_name_or_by_place() {
        assert_eq!(params_of(&["100msat", "a label", "7", "[1]"]), json!(["100msat", "a label", 7, [1]]));
        assert_eq!(
            params_of(&["amount_msat=any", "label=x=y"]),
            json!({"amount_msat": "any", "label": "x=y"})
        );
        assert_eq!(params_of(&[]), json!({}));
        assert_eq!((node_name("12"), node_name("l2")), ("l12".to_owned(), "l2".to_owned()));
    }
}
