//! Who plays: three nodes in a line, two mocks, the doorman in Rust, the peer log in Python.

use leyden::{Backend, Call, Filter, Mock, Net, NetBuilder, Plugin, Reply, Result};
use serde_json::json;

use crate::cli::DemoArgs;
use crate::doorman;

/// What the doorman is told to say by its option.
pub(super) const GREETING: &str = "welcome to the bench";
/// The length of a pong that only a mock can claim to have seen.
pub(super) const PONG_LENGTH: u64 = 70_000;
/// The type of the custom messages: odd, so that a node may ignore it.
pub(super) const MESSAGE_TYPE: &str = "fe8d";
/// The names of the mocks and plugins.
pub(super) const EAR: &str = "ear";
pub(super) const PROMPTER: &str = "prompter";
pub(super) const DOORMAN: &str = "doorman";
pub(super) const PEER_LOG: &str = "peerlog.py";

/// The net before it starts.
pub(super) fn builder(args: &DemoArgs, backend: Backend) -> Result<NetBuilder> {
    let doorman = Plugin::script(DOORMAN, doorman::script()?).option(doorman::OPTION, GREETING);
    let mut builder = Net::line(["l1", "l2", "l3"])
        .without_channels()
        .backend(backend)
        .plugin("l1", doorman)
        .mount("l1", ear())
        .mount("l2", prompter());
    if let Some(profile) = args.net.release_profile {
        builder = builder.profile(profile);
    }
    Ok(if args.keep { builder.keep() } else { builder })
}

/// A mock that hears the scene's messages and changes two commands. What it expects is checked when the net finishes.
fn prompter() -> Mock {
    // Releases without filters ask about every command: `when` has the last word.
    let only = |command: &str| [Filter::Method(command.to_owned())];
    Mock::hook("rpc_command")
        .filters(only("ping"))
        .when(|call: &Call| command(call) == "ping")
        .reply(Reply::return_(json!({"totlen": PONG_LENGTH})))
        .expect(1)
        .and(
            Mock::hook("rpc_command")
                .filters(only("help"))
                .when(|call: &Call| command(call) == "help")
                .reply(Reply::replace("getinfo", json!({})))
                .expect(1),
        )
        .and(Mock::hook("custommsg").when(is_ours).expect(1))
        .and(Mock::notification("connect").expect(4))
        .and(Mock::notification("disconnect").expect(2..))
        .named(PROMPTER)
}

/// A mock that hears the scene's messages.
fn ear() -> Mock {
    Mock::hook("custommsg").when(is_ours).expect(1).named(EAR)
}

/// Whether a message is one of the scene's: a real lightningd sends its own, copies of its peers' backups.
fn is_ours(call: &Call) -> bool {
    payload(call).starts_with(MESSAGE_TYPE)
}

/// The message that a `custommsg` hook is about, in hex with its type. Before v0.10 it was called `message`.
pub(super) fn payload(call: &Call) -> &str {
    ["payload", "message"].iter().find_map(|name| call.params()[*name].as_str()).unwrap_or_default()
}

/// The command that an `rpc_command` hook is about.
fn command(call: &Call) -> &str {
    call.params()["rpc_command"]["method"].as_str().unwrap_or_default()
}

/// A mock that turns every peer away, once.
pub(super) fn bouncer() -> Mock {
    let refusal = json!({"result": "disconnect", "error_message": "not in these shoes"});
    Mock::hook("peer_connected").reply(Reply::result(refusal)).expect(1).named("bouncer")
}

/// The plugin without a library.
pub(super) fn peer_log() -> Plugin {
    Plugin::script(PEER_LOG, include_str!("../../plugins/peerlog.py"))
}
