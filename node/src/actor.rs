//! The heart of one node: takes inputs one at a time, commits what they change, then releases what they
//! ask for.
//!
//! It shares the node's thread with the I/O tasks, so that what comes in and what goes out crosses to no
//! other thread. While it works they wait, and while it waits for an input they work.
//!
//! The outbox rule: input, change of state, SQL, `db_write`, COMMIT, and only then outputs. `db_write` is
//! the one place where the actor waits for a plugin; every other input queues meanwhile.

mod commit;

use crate::chain::backend;
use crate::chain::bitcoind::{Asker, Question};
use crate::connections::ConnectionSource;
use crate::crash;
use crate::event::{Event, Exit};
use crate::gossip::store;
use crate::host::{Death, Host, KillSwitch};
use crate::input::{Input, PluginId, PluginInput, Timer};
use crate::jsonrpc::socket;
use crate::mailbox::Mailbox;
use crate::output::Output;
use crate::peer::connectd;
use crate::plugin::lifecycle::launched;
use crate::plugin::stdio::{self, Expects, PluginLink};
use crate::state::State;
use crate::strerror::strerror;
use crate::wait::Alarm;
use leyden_protocol::frame::TERMINATOR;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long the log's last lines may wait for their way to its files. To write each as it comes takes longer
/// than anything else about a hook; the host's ear hears them at once.
const LOG_REST: Duration = Duration::from_millis(5);

/// What only the actor touches.
pub(crate) struct Actor {
    state: State,
    host: Host,
    mailbox: Mailbox,
    inbox: mpsc::UnboundedReceiver<Input>,
    /// Inputs that come before those in `inbox`.
    queue: VecDeque<Input>,
    timers: BTreeMap<Timer, Due>,
    /// When the log is to be written, if there is something to be written.
    log_due: Option<Instant>,
    alarm: Alarm,
    plugins: BTreeMap<PluginId, PluginLink>,
    plugin_tasks: Vec<JoinHandle<()>>,
    clients: ConnectionSource<String>,
    rpc_listener: Option<JoinHandle<()>>,
    peers: ConnectionSource<Vec<u8>>,
    peer_socket: Option<std::net::TcpListener>,
    peer_listener: Option<JoinHandle<()>>,
    /// The built-in Bitcoin backend, if the node has it.
    backend: mpsc::UnboundedSender<(Question, Asker)>,
    backend_task: Option<JoinHandle<()>>,
    /// Turned from outside: the node is to stop dead.
    switch: KillSwitch,
}

/// When a timer runs out: when so much time has passed, or the node's clock says so. A test lets its clock jump ahead.
#[derive(Clone, Copy)]
struct Due {
    at: Instant,
    by_clock: SystemTime,
}

/// How a node ends.
enum End {
    /// By itself, or by `stop`.
    Exit(Exit),
    /// It is stopped dead.
    Dead(Death),
}

impl Actor {
    /// Sets everything up. Must be called inside the runtime.
    pub(crate) fn new(
        state: State,
        host: Host,
        mailbox: Mailbox,
        inbox: mpsc::UnboundedReceiver<Input>,
        switch: KillSwitch,
    ) -> Self {
        let (backend, questions) = mpsc::unbounded_channel();
        let patience = state.config.bitcoind_patience;
        let ignores_ibd = state.config.vars.boolean("dev-ignore-ibd") == Some(true);
        let serve = |bitcoind| {
            let mailbox = mailbox.clone();
            tokio::spawn(backend::run(bitcoind, state.profile, patience, ignores_ibd, questions, mailbox))
        };
        let backend_task = state.config.bitcoind.clone().map(serve);
        Self {
            state,
            host,
            mailbox,
            inbox,
            queue: VecDeque::from([Input::Start]),
            timers: BTreeMap::new(),
            log_due: None,
            alarm: Alarm::default(),
            plugins: BTreeMap::new(),
            plugin_tasks: Vec::new(),
            clients: ConnectionSource::new(0),
            rpc_listener: None,
            peers: ConnectionSource::new(1 << 32),
            peer_socket: None,
            peer_listener: None,
            backend,
            backend_task,
            switch,
        }
    }

    /// Runs the node until it ends. Gives `None` if it was stopped dead.
    pub(crate) async fn run(mut self) -> Option<Exit> {
        let end = loop {
            let Some(input) = self.next_input().await else { continue };
            if let Some(death) = self.switch.turned() {
                break End::Dead(death);
            }
            match input {
                Input::Plugin(plugin, PluginInput::Bytes(bytes)) => self.cut(plugin, &bytes),
                input => self.state.handle(input),
            }
            let crashes = match self.commit().await {
                Ok(crashes) => crashes,
                Err(end) => break end,
            };
            if let Some(exit) = self.release() {
                break End::Exit(exit);
            }
            if crashes {
                break End::Dead(Death::Crashed);
            }
        };
        let (exit, death) = match end {
            End::Exit(exit) => (Some(exit), None),
            End::Dead(death) => (None, Some(death)),
        };
        if exit.as_ref().is_some_and(Exit::is_signal) {
            let (dir, now) = (self.state.config.network_dir(), (self.state.clock)());
            // lightningd goes on without it, too.
            drop(crash::write(&dir, now, &self.state.log.book));
        }
        self.wind_up(death).await;
        exit
    }

    /// Makes inputs of the messages that are complete, to be handled before anything else: each is a
    /// transaction of its own.
    fn cut(&mut self, plugin: PluginId, bytes: &[u8]) {
        for input in self.state.plugin_frames(plugin, bytes).into_iter().rev() {
            self.queue.push_front(Input::Plugin(plugin, input));
        }
    }

    async fn next_input(&mut self) -> Option<Input> {
        if let Some(input) = self.queue.pop_front() {
            return Some(input);
        }
        let now = (self.state.clock)();
        let by_clock = self.timers.iter().min_by_key(|(_, due)| due.by_clock);
        if let Some(timer) = by_clock.filter(|(_, due)| due.by_clock <= now).map(|(timer, _)| *timer) {
            self.timers.remove(&timer);
            return Some(Input::Timer(timer));
        }
        let next = self.timers.iter().min_by_key(|(_, due)| due.at).map(|(timer, due)| (*timer, due.at));
        if let Some(input) = self.receive(next.map(|(_, at)| at)).await {
            return Some(input);
        }
        let (timer, _) = next?;
        self.timers.remove(&timer);
        Some(Input::Timer(timer))
    }

    /// The next input from outside, if there is one before `due`. Meanwhile the log is written to its files.
    async fn receive(&mut self, due: Option<Instant>) -> Option<Input> {
        loop {
            let log_due = self.log_due();
            let first = [due, log_due].into_iter().flatten().min();
            if let Some(input) = self.alarm.until(first, self.inbox.recv()).await {
                return input;
            }
            if first != log_due {
                return None;
            }
            self.state.log.write();
        }
    }

    fn log_due(&mut self) -> Option<Instant> {
        self.log_due = match self.state.log.is_written() {
            true => None,
            false => self.log_due.or_else(|| Some(Instant::now() + LOG_REST)),
        };
        self.log_due
    }

    /// Does what the input asked for. `Some` ends the node.
    fn release(&mut self) -> Option<Exit> {
        for output in std::mem::take(&mut self.state.out) {
            match output {
                Output::LaunchPlugin(id, launch) => self.launch_plugin(id, &launch),
                Output::ToPlugin(id, frame) => self.write_to_plugin(id, frame, Expects::Nothing),
                Output::AskPlugin(id, frame) => self.write_to_plugin(id, frame, Expects::Answer),
                Output::KillPlugin(id) => {
                    if let Some(link) = self.plugins.remove(&id) {
                        link.kill();
                    }
                }
                Output::ReleasePlugin(id) => drop(self.plugins.remove(&id)),
                Output::ListenRpc(path) => match socket::bind(&path) {
                    Ok(listener) => {
                        let task = socket::accept(listener, self.clients.clone(), self.mailbox.clone());
                        self.rpc_listener = Some(tokio::spawn(task));
                    }
                    Err(error) => {
                        let message = format!("Binding rpc socket to '{}': {error}", path.display());
                        return Some(Exit { code: 1, message: Some(message) });
                    }
                },
                Output::StopListeningRpc => stop(&mut self.rpc_listener),
                Output::ToClient(id, text) => self.clients.send(id, text),
                Output::CloseClient(id) => self.clients.close(id),
                Output::ListenPeers(address) => self.listen(address),
                Output::AcceptPeers => self.accept_peers(),
                Output::Dial(id, peer, address) => {
                    let keys = self.state.transport_keys();
                    let (peers, mailbox) = (self.peers.clone(), self.mailbox.clone());
                    let task =
                        connectd::dial(id, keys, peer, address, self.host.wire.clone(), peers, mailbox);
                    self.peers.spawn(task);
                }
                Output::ToPeer(id, message) => self.peers.send(id, message),
                Output::ClosePeer(id) => self.peers.close(id),
                Output::WriteGossipStore(writes) => {
                    if let Err(error) = store::write(&self.state.config.gossip_store_path(), &writes) {
                        let message = format!("Writing to gossip_store: {}", strerror(&error));
                        return Some(Exit { code: 1, message: Some(message) });
                    }
                }
                Output::AskBackend(question, asker) => drop(self.backend.send((question, asker))),
                Output::SetTimer(timer, after) => {
                    let by_clock = (self.state.clock)() + after;
                    self.timers.insert(timer, Due { at: Instant::now() + after, by_clock });
                }
                Output::CancelTimer(timer) => drop(self.timers.remove(&timer)),
                Output::Tell(event) => {
                    // Who waits for that may look into the log.
                    if matches!(event, Event::Started { .. }) {
                        self.state.log.write();
                    }
                    self.tell(event);
                }
                Output::Again(step) => self.queue.push_front(Input::Step(step)),
                Output::Exit(exit) => return Some(exit),
            }
        }
        None
    }

    fn launch_plugin(&mut self, id: PluginId, launch: &crate::host::Launch) {
        let result = self.host.launcher.launch(launch).map(|running| {
            let pid = running.process.pid();
            let (link, task) = stdio::run(id, running, self.mailbox.clone());
            self.plugins.insert(id, link);
            self.plugin_tasks.retain(|task| !task.is_finished());
            self.plugin_tasks.push(task);
            pid
        });
        self.queue.push_back(Input::Plugin(id, launched(result)));
    }

    fn write_to_plugin(&mut self, id: PluginId, frame: String, expects: Expects) {
        if let Some(link) = self.plugins.get(&id) {
            link.write(frame + TERMINATOR, expects);
        }
    }

    fn listen(&mut self, address: std::net::SocketAddr) {
        let bound = std::net::TcpListener::bind(address).and_then(|socket| {
            socket.set_nonblocking(true)?;
            let local = socket.local_addr()?;
            self.peer_socket = Some(socket);
            Ok(local)
        });
        let result =
            bound.map_err(|error| format!("Failed to bind socket for {address}: {}", strerror(&error)));
        self.queue.push_front(Input::Listening(result));
    }

    fn accept_peers(&mut self) {
        let Some(socket) = self.peer_socket.take() else { return };
        match tokio::net::TcpListener::from_std(socket) {
            Ok(listener) => {
                let keys = self.state.transport_keys();
                let (tap, peers) = (self.host.wire.clone(), self.peers.clone());
                let task = connectd::accept(listener, keys, tap, peers, self.mailbox.clone());
                self.peer_listener = Some(tokio::spawn(task));
            }
            Err(error) => {
                let exit = Exit { code: 1, message: Some(format!("Taking peers: {error}")) };
                self.queue.push_front(Input::Failed(exit));
            }
        }
    }

    fn tell(&self, event: Event) {
        if let Some(events) = &self.host.events {
            events(event);
        }
    }

    /// Ends every task. A node that was killed writes nothing further; any other one first writes what it
    /// has released.
    async fn wind_up(mut self, death: Option<Death>) {
        // Awaited below: whoever starts the node again finds its port and its socket free.
        let listeners = [self.rpc_listener.take(), self.peer_listener.take()];
        listeners.iter().flatten().for_each(JoinHandle::abort);
        let asking = self.backend_task.take();
        let mut clients = self.clients.close_all();
        let mut peers = self.peers.close_all();
        let plugins = std::mem::take(&mut self.plugins);
        if death == Some(Death::Killed) {
            clients.abort_all();
            peers.abort_all();
            plugins.into_values().for_each(PluginLink::abandon);
        } else {
            drop(plugins);
        }
        if death == Some(Death::Crashed) {
            // It ends when it has asked what it was told to ask.
            drop(std::mem::replace(&mut self.backend, mpsc::unbounded_channel().0));
        } else {
            asking.iter().for_each(JoinHandle::abort);
        }
        let plugin_tasks = std::mem::take(&mut self.plugin_tasks);
        let ends = async move {
            for listener in listeners.into_iter().flatten() {
                // It was aborted: there is nothing to hear from it.
                drop(listener.await);
            }
            while clients.join_next().await.is_some() {}
            while peers.join_next().await.is_some() {}
            for task in plugin_tasks.into_iter().chain(asking) {
                // A task that panicked has nothing left to write.
                drop(task.await);
            }
        };
        // In vain, the tasks end with the runtime.
        _ = crate::wait::until(Instant::now() + Duration::from_secs(1), ends).await;
    }
}

fn stop(task: &mut Option<JoinHandle<()>>) {
    if let Some(task) = task.take() {
        task.abort();
    }
}
