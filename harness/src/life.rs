//! The life of a node: start, stop, kill, restart.

use std::panic::Location;
use std::sync::PoisonError;

use serde_json::Value;

use crate::backend::{self, ConfiguredPlugin};
use crate::error::{Error, Result};
use crate::event::{Event, EventKind};
use crate::node::Node;

impl Node {
    /// Starts it, and waits until its plugins have answered `init` and it takes peers.
    ///
    /// # Errors
    /// If it ends instead, with what it said; if it runs already.
    #[track_caller]
    pub fn start(&self) -> impl Future<Output = Result> + Send + use<> {
        let at = Location::caller();
        let node = self.clone();
        async move {
            let started = match node.launch() {
                Ok(from) => node.ready(from, at).await,
                Err(error) => Err(error.at(at)),
            };
            node.noted(started)
        }
    }

    /// Starts it and gives the place in the timeline from where on it may be ready.
    pub(crate) fn launch(&self) -> Result<u64> {
        let from = self.timeline().now();
        let mut life = self.life();
        // One that has ended by itself may be started again.
        if life.daemon.is_some() && self.is_running() {
            return Err(Error::test(format!("starting {}", self.name())).came("it runs already"));
        }
        // Children and sockets belong to the net's runtime, whichever runtime the test has.
        let _entered = self.0.surroundings.runtime.enter();
        let config = self.0.config.lock().unwrap_or_else(PoisonError::into_inner).clone();
        life.daemon = Some(backend::start(self.0.backend, config, &self.0.surroundings)?);
        Ok(from)
    }

    /// Adds a plugin to those of its start.
    pub(crate) fn start_with(&self, plugin: ConfiguredPlugin) {
        self.0.config.lock().unwrap_or_else(PoisonError::into_inner).plugins.push(plugin);
    }

    pub(crate) async fn ready(&self, from: u64, at: &'static Location<'static>) -> Result {
        let name = self.name();
        let started = |event: &Event| match &event.kind {
            EventKind::NodeStarted { id, port } if event.node.as_deref() == Some(name) => {
                Some((id.clone(), *port))
            }
            _ => None,
        };
        let wait =
            self.timeline().wait_for(&format!("{name} to start"), Some(name), from, self.deadline(), started);
        let (id, port) = wait.at(at).await?;
        let mut life = self.life();
        (life.id, life.port) = (id, port);
        Ok(())
    }

    /// Stops it by RPC and waits for its end.
    ///
    /// # Errors
    /// If it does not end, or not with exit code 0.
    #[track_caller]
    pub fn stop(&self) -> impl Future<Output = Result> + Send + use<> {
        let (node, at) = (self.clone(), Location::caller());
        async move {
            let stopped = node.stop_at(at).await;
            // Let go of it: what it has left behind is killed.
            node.life().daemon = None;
            node.noted(stopped)
        }
    }

    pub(crate) async fn stop_at(&self, at: &'static Location<'static>) -> Result {
        let from = self.last_launch();
        let asked = self.rpc_at("stop", Value::Null, at).await;
        if !self.0.rules.may_fail {
            asked?;
        }
        let (_, code) = self.ended(from, at).await?;
        if code == Some(0) || self.0.rules.may_fail {
            return Ok(());
        }
        let came = code.map_or("a signal ended it".into(), |code| format!("it was {code}"));
        Err(Error::node(format!("stopping {}", self.name())).expected("exit code 0").came(came).at(at))
    }

    /// Kills it, as `kill -9` does, and waits for its end.
    ///
    /// # Errors
    /// If it does not run.
    #[track_caller]
    pub fn kill(&self) -> impl Future<Output = Result> + Send + use<> {
        let at = Location::caller();
        let node = self.clone();
        async move {
            let from = node.last_launch();
            let killed = node.life().daemon.as_ref().map(|daemon| daemon.kill());
            if killed.is_none() {
                return Err(Error::test(format!("killing {}", node.name())).came("it does not run").at(at));
            }
            let (end, _) = node.ended(from, at).await?;
            let mut life = node.life();
            life.wanted_ends.push(end);
            life.daemon = None;
            Ok(())
        }
    }

    /// Waits for an end that it comes to by itself, over a plugin's fatal answer for example, and gives its last words. That end is no
    /// complaint; it can be started again.
    ///
    /// # Errors
    /// If it does not end.
    #[track_caller]
    pub fn wait_for_exit(&self) -> impl Future<Output = Result<String>> + Send + use<> {
        let at = Location::caller();
        let node = self.clone();
        async move {
            let ended = node.ended(node.last_launch(), at).await;
            let (end, _) = node.noted(ended)?;
            let mut life = node.life();
            life.wanted_ends.push(end);
            life.daemon = None;
            let last = node.timeline().since(end).into_iter().next().map(|event| event.kind.clone());
            match last {
                Some(EventKind::NodeExited { message, .. }) => Ok(message.unwrap_or_default()),
                _ => Ok(String::new()),
            }
        }
    }

    /// [`Node::stop`] and [`Node::start`]. Id, port, database and the plugins of its start stay.
    ///
    /// # Errors
    /// As these.
    #[track_caller]
    pub fn restart(&self) -> impl Future<Output = Result> + Send + use<> {
        let (stop, start) = (self.stop(), self.start());
        async move {
            stop.await?;
            start.await
        }
    }

    /// The place in the timeline from which on its end is that of this life: it may come by itself at any moment.
    fn last_launch(&self) -> u64 {
        let events = self.timeline().events();
        let is_launch = |event: &Event| {
            event.kind == EventKind::NodeLaunched && event.node.as_deref() == Some(self.name())
        };
        events.iter().rev().find(|event| is_launch(event)).map_or(0, |event| event.seq)
    }

    /// Waits for its end at or after a place in the timeline; gives the end's place and the exit code.
    pub(crate) async fn ended(
        &self,
        from: u64,
        at: &'static Location<'static>,
    ) -> Result<(u64, Option<i32>)> {
        let name = self.name();
        let exited = |event: &Event| match event.kind {
            EventKind::NodeExited { code, .. } if event.node.as_deref() == Some(name) => {
                Some((event.seq, code))
            }
            _ => None,
        };
        self.timeline().wait_for(&format!("{name} to end"), None, from, self.deadline(), exited).at(at).await
    }

    /// Kills it if it runs, without waiting; for the end of a net.
    pub(crate) fn abandon(&self) {
        if let Some(daemon) = self.life().daemon.take() {
            daemon.kill();
        }
    }

    /// Whether it was started and its end has not been recorded.
    pub(crate) fn is_running(&self) -> bool {
        let lives = self.timeline().events().into_iter().rev().find_map(|event| match event.kind {
            _ if event.node.as_deref() != Some(self.name()) => None,
            EventKind::NodeExited { .. } => Some(false),
            EventKind::NodeLaunched => Some(true),
            _ => None,
        });
        lives.unwrap_or(false)
    }
}
