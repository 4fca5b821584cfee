//! The connections of a node, as seen by the actor and by the tasks that accept them.

use crate::input::ConnectionId;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

/// Numbers connections and keeps for each what the actor sends to it. Shared by everybody who makes one.
pub(crate) struct ConnectionSource<T>(Arc<Mutex<Open<T>>>);

struct Open<T> {
    next: u64,
    links: BTreeMap<ConnectionId, tokio::sync::mpsc::UnboundedSender<T>>,
    tasks: JoinSet<()>,
}

impl<T> Clone for ConnectionSource<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + 'static> ConnectionSource<T> {
    /// No connections yet; the first gets the number `first`.
    pub(crate) fn new(first: u64) -> Self {
        Self(Arc::new(Mutex::new(Open { next: first, links: BTreeMap::new(), tasks: JoinSet::new() })))
    }

    /// A number for a connection that is made later.
    pub(crate) fn reserve(&self) -> ConnectionId {
        let mut open = self.lock();
        open.next += 1;
        ConnectionId(open.next)
    }

    /// Opens a reserved connection.
    pub(crate) fn open(&self, id: ConnectionId, link: tokio::sync::mpsc::UnboundedSender<T>) {
        self.lock().links.insert(id, link);
    }

    /// Sends to a connection, if it is still there.
    pub(crate) fn send(&self, id: ConnectionId, item: T) {
        if let Some(link) = self.lock().links.get(&id) {
            // An error means that the task has ended; the core hears of that by itself.
            drop(link.send(item));
        }
    }

    /// Lets go of a connection: it closes when everything is written.
    pub(crate) fn close(&self, id: ConnectionId) {
        drop(self.lock().links.remove(&id));
    }

    /// Runs the task of a connection.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut open = self.lock();
        while open.tasks.try_join_next().is_some() {}
        open.tasks.spawn(task);
    }

    /// Closes every connection; the tasks that still write are for the caller to wait for.
    pub(crate) fn close_all(&self) -> JoinSet<()> {
        let mut open = self.lock();
        open.links.clear();
        std::mem::take(&mut open.tasks)
    }

    fn lock(&self) -> MutexGuard<'_, Open<T>> {
        // Nothing that holds the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
