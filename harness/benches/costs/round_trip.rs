//! A node and a plugin, to and fro, against the same bytes between two bare pipes and an equal child.
//!
//! What a hook costs is what a command with the hook takes longer than the same command on a node without. Beside it stands what an event
//! loop takes that only passes the same bytes on, without a look at them: it has to wait for its client and for its child at once, while
//! the bare echo waits for its child alone, in `read`. Where all run on one core (`taskset -c 0`), which is the way to compare two builds,
//! that is about 1.8 times the echo. Where the system spreads them over cores it jumps between 2 and 6 times, for each wait may put a core
//! to sleep; a hook does so less, because the node stays awake for a moment after its request.

use crate::contest::{self, Effort, take_turns, timed};
use crate::event_loop::EventLoop;
use crate::node::{Client, read_message};
use crate::process::{Running, script};
use leyden::event::{Direction, EventKind};
use leyden::{Backend, Net, Node, Plugin};
use leyden_protocol::frame::TERMINATOR;
use leyden_protocol::{Envelope, FrameReader, message};
use std::io::{Read, Write};

const ROUNDS: usize = 60;
const REPEATS: usize = 100;

/// What is asked of the nodes of which one has a hook. It has little to do by itself.
const COMMAND: &str = "listpeers";

const HOOKED: &str =
    r#"{"options":[],"rpcmethods":[],"hooks":[{"name":"rpc_command"}],"dynamic":true,"nonnumericids":true}"#;
const METHOD: &str = r#"{"options":[],"rpcmethods":[{"name":"mirror","usage":"","description":"."}],"dynamic":true,"nonnumericids":true}"#;

/// The ratios of a hook and of a method to the bare pipes.
pub(crate) fn compare(effort: Effort) -> leyden::Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let net = runtime.block_on(async {
        Net::builder()
            .nodes(["l1", "l2", "l3"])
            .backend(Backend::Embedded)
            .plugin("l1", Plugin::script("hooked", script(&["plugin", HOOKED])?))
            .plugin("l3", Plugin::script("mirror", script(&["plugin", METHOD])?))
            .start()
            .await
    })?;
    measure(&net, effort)?;
    runtime.block_on(net.finish())
}

fn measure(net: &Net, effort: Effort) -> leyden::Result {
    let [l1, l2, l3] = net.nodes();
    let mut hooked = Client::connect(&l1.rpc_file(), COMMAND)?;
    let mut unhooked = Client::connect(&l2.rpc_file(), COMMAND)?;
    let mut method = Client::connect(&l3.rpc_file(), "mirror")?;
    for client in [&mut hooked, &mut unhooked, &mut method] {
        client.call()?;
    }
    let mut hook_echo = Echo::of(net, &l1, "hooked")?;
    let mut method_echo = Echo::of(net, &l3, "mirror")?;
    let mut far_child = Running::start(&["plugin", "{}"])?;
    let mut through = EventLoop::start(hook_echo.request.clone(), Some(far_child.take_pipes()))?;
    let mut back = EventLoop::start(hook_echo.request.clone(), None)?;
    let [hook, without, echo, passed, passed_echo, through_loop, back_from_loop] = take_turns(
        effort.of(ROUNDS),
        effort.of(REPEATS),
        [
            &mut || Ok(timed(|| hooked.call())?.0),
            &mut || Ok(timed(|| unhooked.call())?.0),
            &mut || Ok(timed(|| hook_echo.call())?.0),
            &mut || Ok(timed(|| method.call())?.0),
            &mut || Ok(timed(|| method_echo.call())?.0),
            &mut || Ok(timed(|| through.client.call())?.0),
            &mut || Ok(timed(|| back.client.call())?.0),
        ],
    )?;
    contest::compare("a hook round trip", &hook.without(&without), "the bare pipe echo", &echo);
    let bare = through_loop.without(&back_from_loop);
    contest::compare("the same of an event loop", &bare, "the bare pipe echo", &echo);
    contest::compare("a hook round trip", &hook.without(&without), "the same of an event loop", &bare);
    contest::compare("a method of a plugin", &passed, "the bare pipe echo", &passed_echo);
    contest::compare("a command of the node", &without, "the bare pipe echo", &echo);
    contest::compare("an event loop's answer", &back_from_loop, "the bare pipe echo", &echo);
    through.end()?;
    back.end()?;
    far_child.end()?;
    hook_echo.child.end()?;
    method_echo.child.end()
}

/// An equal child at the other end of two bare pipes.
struct Echo {
    child: Running,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Echo {
    /// One that is sent, byte for byte, what `node` has sent to `plugin` last.
    fn of(net: &Net, node: &Node, plugin: &str) -> leyden::Result<Self> {
        let events = net.timeline().events();
        let request = events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Frame { plugin: of, direction: Direction::ToPlugin, text }
                if of == plugin && event.node.as_deref() == Some(node.name()) =>
            {
                Some(format!("{text}{TERMINATOR}").into_bytes())
            }
            _ => None,
        });
        let child = Running::start(&["plugin", "{}"])?;
        Ok(Self { child, request: request.expect("it was called before"), answer: Vec::new() })
    }

    fn call(&mut self) -> leyden::Result {
        let pipes = self.child.pipes();
        pipes.stdin.write_all(&self.request)?;
        read_message(&mut pipes.stdout, &mut self.answer)
    }
}

/// A plugin that does nothing but answer: continue to hooks, and to methods too.
pub(crate) fn plugin(manifest: &str) -> leyden::Result {
    let (mut stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut frames = FrameReader::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match stdin.read(&mut chunk)? {
            0 => return Ok(()),
            length => frames.push(&chunk[..length]),
        }
        while let Some(frame) = frames.next_frame().map_err(std::io::Error::other)? {
            let Some(call) = Envelope::parse(&frame) else { continue };
            let Some(id) = call.id() else { continue };
            let result = match call.method_name().as_deref() {
                Some("getmanifest") => manifest,
                Some("init") => "{}",
                _ => r#"{"result":"continue"}"#,
            };
            let answer = message::response(&id, result) + TERMINATOR;
            stdout.write_all(answer.as_bytes())?;
            stdout.flush()?;
        }
    }
}
