//! Nodes with plugins in memory: what a plugin says is a function of what it is told.

use crate::chain::Chain;
use crate::running::{Client, config, next};
use leyden_node::event::{Event, Exit, LogLine};
use leyden_node::host::{Launch, PluginLauncher, PluginProcess, RunningPlugin};
use leyden_node::{Host, Node, options};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::{fs, io};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a plugin does about something that it is told.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// What any plugin says: its manifest, `continue` to a hook, `{}` to other requests.
    Usual,
    /// Nothing.
    Nothing,
    /// These bytes, with the request's id in the place of `%ID%`.
    Raw(String),
    /// The same, and it ends.
    Last(String),
    /// It closes its input, and stays.
    Deaf,
    /// It ends.
    Exit,
}

impl Says {
    /// These bytes.
    pub(crate) fn raw(text: &str) -> Self {
        Self::Raw(text.to_owned())
    }
}

type Script = Arc<dyn Fn(&Value) -> Says + Send + Sync>;

/// A directory for a node and its plugins.
pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    /// The chain that the node follows.
    pub(crate) chain: Chain,
    plugins: BTreeMap<PathBuf, (Value, Script)>,
    launches: Arc<Mutex<Vec<Launch>>>,
}

/// A node that runs on a stage.
pub(crate) struct Play {
    socket: PathBuf,
    client: Client,
    events: mpsc::UnboundedReceiver<Event>,
    log: Arc<Mutex<Vec<Arc<LogLine>>>>,
    node: Node,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("there is room for a directory");
        Self { dir, chain: Chain::new(), plugins: BTreeMap::new(), launches: Arc::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a plugin `name`, which may be a path below the stage, and gives its canonical path.
    pub(crate) fn plugin(
        &mut self,
        name: &str,
        manifest: Value,
        script: impl Fn(&Value) -> Says + Send + Sync + 'static,
    ) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("it is below the stage")).expect("the directory is ours");
        fs::write(&path, "#!/bin/false\n").expect("the directory is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        let path = path.canonicalize().expect("it is there");
        self.plugins.insert(path.clone(), (manifest, Arc::new(script)));
        path
    }

    /// Makes a plugin, and gives the option that starts it.
    pub(crate) fn with(
        &mut self,
        name: &str,
        manifest: Value,
        script: impl Fn(&Value) -> Says + Send + Sync + 'static,
    ) -> String {
        format!("--plugin={}", self.plugin(name, manifest, script).display())
    }

    /// How plugins were launched so far.
    pub(crate) fn launches(&self) -> Vec<Launch> {
        self.launches.lock().expect("nobody panics with it").clone()
    }

    /// A node with these options, which has to start.
    pub(crate) async fn start(&self, args: &[&str]) -> Play {
        match self.run(args).await {
            Ok(play) => play,
            Err((exit, lines)) => panic!("{args:?} must start, not end with {exit:?}: {lines:#?}"),
        }
    }

    /// How a node with these options ends that must not start, and what it has logged.
    pub(crate) async fn refusal(&self, args: &[&str]) -> (Exit, Vec<String>) {
        match self.run(args).await {
            Ok(_) => panic!("{args:?} must not start"),
            Err(end) => end,
        }
    }

    /// A node with these options, or how it ended and what it had logged.
    pub(crate) async fn run(&self, args: &[&str]) -> Result<Play, (Exit, Vec<String>)> {
        let mut config = config(self.path(), &self.chain).await;
        // As lightningd starts, unless it is told otherwise.
        config.developer = false;
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        options::parse(&mut config, &args).expect("the node knows its own options");
        let socket = config.network_dir().join("lightning-rpc");
        let (sender, mut events) = mpsc::unbounded_channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let book = Arc::clone(&log);
        let ear = move |event| {
            if let Event::Log(line) = &event {
                book.lock().expect("nobody panics with the log").push(Arc::clone(line));
            }
            drop(sender.send(event));
        };
        let launcher = Launcher { plugins: self.plugins.clone(), launches: Arc::clone(&self.launches) };
        let host = Host { launcher: Arc::new(launcher), events: Some(Arc::new(ear)), ..Host::default() };
        let mut node = Node::start(config, host);
        let outcome = next(&mut events, |event| match event {
            Event::Started { .. } => Some(None),
            Event::Exited(exit) => Some(Some(exit)),
            Event::Log(_) | Event::DbWrite { .. } => None,
        });
        if let Some(exit) = outcome.await {
            node.join();
            return Err((exit, lines(&log)));
        }
        let client = Client::connect(&socket).await;
        Ok(Play { socket, client, events, log, node })
    }
}

impl Play {
    /// Another connection, which the node has taken: one that stops drops those that still wait for that.
    pub(crate) async fn connect(&self) -> Client {
        let mut client = Client::connect(&self.socket).await;
        client.call("getinfo", &json!([])).await;
        client
    }

    /// The node's socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The result of a request.
    pub(crate) async fn ok(&mut self, method: &str, params: Value) -> Value {
        let mut reply = self.client.call(method, &params).await;
        assert!(reply.get("error").is_none(), "{method} {params}: {reply}");
        reply["result"].take()
    }

    /// Code and message of the error of a request.
    pub(crate) async fn error(&mut self, method: &str, params: Value) -> (i64, String) {
        let reply = self.client.call(method, &params).await;
        let error = &reply["error"];
        let code = error["code"].as_i64().unwrap_or_else(|| panic!("{method} {params}: {reply}"));
        (code, error["message"].as_str().unwrap_or_default().to_owned())
    }

    /// Sends a request that may never be answered.
    pub(crate) async fn request(&mut self, method: &str, params: Value) {
        self.client.request(method, &params).await;
    }

    /// Every line so far, as `LEVEL source: text`.
    pub(crate) fn log(&self) -> Vec<String> {
        lines(&self.log)
    }

    /// Waits for a line that has this in it, as `LEVEL source: text`.
    pub(crate) async fn log_has(&mut self, text: &str) {
        if self.log().iter().any(|line| line.contains(text)) {
            return;
        }
        let found = next(&mut self.events, |event| match event {
            Event::Log(line) => printed(&line).contains(text).then_some(()),
            Event::Exited(exit) => panic!("the node ended without saying {text:?}: {exit:?}"),
            _ => None,
        });
        found.await;
    }

    /// The lines so far that say why a plugin was killed.
    pub(crate) fn kills(&self) -> Vec<String> {
        self.log().into_iter().filter(|line| line.contains("Killing plugin")).collect()
    }

    /// Whether a plugin runs, by its name; `None` if it is not registered.
    pub(crate) async fn is_active(&mut self, name: &str) -> Option<bool> {
        let list = self.ok("plugin", json!(["list"])).await;
        let named =
            |entry: &&Value| entry["name"].as_str().is_some_and(|path| path.ends_with(&format!("/{name}")));
        list["plugins"].as_array().and_then(|list| list.iter().find(named)?["active"].as_bool())
    }

    /// Waits for the end.
    pub(crate) async fn exit(&mut self) -> Exit {
        let exit = next(&mut self.events, |event| match event {
            Event::Exited(exit) => Some(exit),
            _ => None,
        });
        let exit = exit.await;
        self.node.join();
        exit
    }
}

fn lines(log: &Mutex<Vec<Arc<LogLine>>>) -> Vec<String> {
    log.lock().expect("nobody panics with the log").iter().map(|line| printed(line)).collect()
}

fn printed(line: &LogLine) -> String {
    format!("{} {}: {}", line.level.name().to_uppercase(), line.source, line.text)
}

/// Serves plugins in memory.
struct Launcher {
    plugins: BTreeMap<PathBuf, (Value, Script)>,
    launches: Arc<Mutex<Vec<Launch>>>,
}

impl PluginLauncher for Launcher {
    fn launch(&self, launch: &Launch) -> io::Result<RunningPlugin> {
        let found = self.plugins.get(&launch.path);
        let (manifest, script) = found.cloned().ok_or(io::ErrorKind::NotFound)?;
        self.launches.lock().expect("nobody panics with it").push(launch.clone());
        let (stdin, told) = tokio::io::duplex(1 << 16);
        let (stdout, said) = tokio::io::duplex(1 << 16);
        let task = tokio::spawn(perform(manifest, script, told, stdout));
        Ok(RunningPlugin {
            stdin: Box::new(stdin),
            stdout: Box::new(said),
            process: Box::new(Performance(task)),
        })
    }
}

struct Performance(JoinHandle<()>);

impl PluginProcess for Performance {
    fn pid(&self) -> Option<u32> {
        None
    }

    fn kill(&mut self) {
        self.0.abort();
    }

    fn release(self: Box<Self>) {}
}

async fn perform(manifest: Value, script: Script, mut told: DuplexStream, mut said: DuplexStream) {
    let mut unread = Vec::new();
    loop {
        while let Some(end) = unread.windows(2).position(|bytes| bytes == b"\n\n") {
            let frame: Vec<u8> = unread.drain(..end + 2).take(end).collect();
            let frame: Value = serde_json::from_slice(&frame).expect("a node speaks JSON");
            let says = script(&frame);
            let is_last = matches!(says, Says::Last(_) | Says::Exit);
            if matches!(says, Says::Deaf) {
                drop(told);
                return std::future::pending().await;
            }
            let text = words(&manifest, &frame, says);
            if said.write_all(text.as_bytes()).await.is_err() || is_last {
                return;
            }
        }
        match told.read_buf(&mut unread).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

fn words(manifest: &Value, frame: &Value, says: Says) -> String {
    let respond =
        |result: &Value| json!({ "jsonrpc": "2.0", "id": frame["id"], "result": result }).to_string();
    match says {
        Says::Usual if frame["method"] == "getmanifest" => respond(manifest),
        Says::Usual if frame.get("id").is_some() => respond(&json!({ "result": "continue" })),
        Says::Usual | Says::Nothing | Says::Deaf | Says::Exit => String::new(),
        Says::Raw(text) | Says::Last(text) => text.replace("%ID%", &frame["id"].to_string()),
    }
}
