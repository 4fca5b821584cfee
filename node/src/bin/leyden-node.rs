//! The embedded node as a program, with lightningd's command line.

use leyden_node::config::{Bitcoind, Config};
use leyden_node::event::{Event, Exit};
use leyden_node::options::{self, Instead};
use leyden_node::{Host, Node};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn main() -> ExitCode {
    let bitcoind = Bitcoind {
        rpc: SocketAddr::from(([127, 0, 0, 1], 18443)),
        user: String::new(),
        password: String::new(),
        poll: Duration::from_secs(30),
    };
    let mut config = Config::new(PathBuf::from("."), bitcoind);
    config.developer = false;
    let args: Vec<String> = std::env::args().skip(1).collect();
    match options::parse(&mut config, &args) {
        Ok(None) => run(config),
        Ok(Some(Instead::Version)) => say(&format!("{}\n", config.profile.version())),
        Err(why) => {
            complain(&format!("lightningd: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> ExitCode {
    let (exits, heard) = mpsc::channel();
    let ear = move |event| {
        if let Event::Exited(exit) = event {
            // The receiver lives until this has come.
            drop(exits.send(exit));
        }
    };
    let mut node = Node::start(config, Host { events: Some(Arc::new(ear)), ..Host::default() });
    node.join();
    let without_a_word = || Exit { code: 1, message: Some("the node ended without a word".to_owned()) };
    let exit = heard.try_recv().unwrap_or_else(|_| without_a_word());
    match &exit.message {
        Some(message) if exit.code == 0 => return say(message),
        Some(message) => complain(message),
        None => {}
    }
    if exit.code == Exit::ABORTED {
        std::process::abort();
    }
    u8::try_from(exit.code).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn say(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) {
    // Without standard error there is nobody to tell.
    drop(writeln!(std::io::stderr(), "{text}"));
}
