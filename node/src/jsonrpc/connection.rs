//! What the node knows of a client's connection.

use crate::input::ConnectionId;
use std::collections::BTreeMap;

/// The connections on which something was said and which are still there.
#[derive(Debug, Default)]
pub(crate) struct Connections(BTreeMap<ConnectionId, Connection>);

/// A connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// Whether `progress` and `message` are wanted (`notifications`).
    pub(crate) notified: bool,
    /// Whether what is deprecated may be used, if that was said (`deprecations`).
    pub(crate) deprecated_ok: Option<bool>,
    /// Nothing more is read: what came was no request.
    pub(crate) deaf: bool,
}

impl Connections {
    /// A connection, of which this may be the first that is heard.
    pub(crate) fn heard(&mut self, id: ConnectionId) -> &mut Connection {
        self.0.entry(id).or_default()
    }

    /// A connection, while it is there.
    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.0.get(&id)
    }

    /// A connection, while it is there.
    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.0.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) {
        self.0.remove(&id);
    }
}
