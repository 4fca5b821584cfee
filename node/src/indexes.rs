//! What is created, updated and deleted is counted, and clients wait for such a count (`lightningd/wait.c`).

use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::input::ConnectionId;
use crate::jsonrpc::{Client, RpcRequest};
use crate::state::State;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::{Map, Value};

/// Of what there are counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subsystem {
    Forwards,
    Sendpays,
    Invoices,
    Htlcs,
    Chainmoves,
    Channelmoves,
    Networkevents,
}

impl Subsystem {
    const ALL: [Self; 7] = [
        Self::Forwards,
        Self::Sendpays,
        Self::Invoices,
        Self::Htlcs,
        Self::Chainmoves,
        Self::Channelmoves,
        Self::Networkevents,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Forwards => "forwards",
            Self::Sendpays => "sendpays",
            Self::Invoices => "invoices",
            Self::Htlcs => "htlcs",
            Self::Chainmoves => "chainmoves",
            Self::Channelmoves => "channelmoves",
            Self::Networkevents => "networkevents",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Index {
    Created,
    Updated,
    Deleted,
}

impl Index {
    const ALL: [Self; 3] = [Self::Created, Self::Updated, Self::Deleted];

    const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }

    /// Reads the parameter `name`.
    pub(crate) fn parse(params: &Params, name: &str) -> Result<Option<Self>, RpcError> {
        let Some(raw) = params.raw(name) else { return Ok(None) };
        let found = Self::ALL.into_iter().find(|index| index.name() == json::content(raw));
        found.map(Some).ok_or_else(|| params.wrong(name, "unknown index"))
    }
}

/// The variable that keeps a count.
fn variable(subsystem: Subsystem, index: Index) -> String {
    format!("last_{}_{}_index", subsystem.name(), index.name())
}

/// `wait subsystem indexname nextvalue`.
pub(crate) struct Wait {
    subsystem: Subsystem,
    index: Index,
    next_value: i64,
}

/// The clients that wait for a count.
#[derive(Default)]
pub(crate) struct IndexWaiters(Vec<(Client, Wait)>);

impl Command for Wait {
    const NAME: &'static str = "wait";
    const TAKES: &'static [Shape] =
        &[Shape::required("subsystem"), Shape::required("indexname"), Shape::required("nextvalue")];

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let subsystem = params.string("subsystem")?;
        let subsystem = Subsystem::ALL.into_iter().find(|known| known.name() == subsystem);
        Ok(Self {
            subsystem: subsystem.ok_or_else(|| params.wrong("subsystem", "unknown subsystem"))?,
            index: Index::parse(params, "indexname")?.expect("it is required"),
            next_value: i64::try_from(params.u64("nextvalue")?).unwrap_or(i64::MAX),
        })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let count = node.stored().intvar(&variable(self.subsystem, self.index)).unwrap_or(0);
        if count >= self.next_value {
            node.reply(&request.client, &self.answer(count, None));
        } else {
            node.index_waiters.0.push((request.client.clone(), self));
        }
        Ok(())
    }
}

impl Wait {
    fn answer(&self, count: i64, about: Option<Value>) -> Value {
        let mut json = Map::new();
        json.insert("subsystem".to_owned(), self.subsystem.name().into());
        json.insert(self.index.name().to_owned(), count.into());
        if let Some(about) = about {
            json.insert(self.subsystem.name().to_owned(), about);
        }
        json.into()
    }
}

impl State {
    /// Counts up, if the release counts at all, and answers who waited for that. `about` says of what it was, in lightningd's
    /// members. Gives the count.
    pub(crate) fn count_change(
        &mut self,
        subsystem: Subsystem,
        index: Index,
        about: impl FnOnce() -> Value,
    ) -> Option<i64> {
        self.count_changes(subsystem, index, 1, about)
    }

    /// As [`Self::count_change`], of so many at a time.
    pub(crate) fn count_changes(
        &mut self,
        subsystem: Subsystem,
        index: Index,
        changes: i64,
        about: impl FnOnce() -> Value,
    ) -> Option<i64> {
        if !self.profile.counts_changes() || changes == 0 {
            return None;
        }
        let variable = variable(subsystem, index);
        let count = self.db().add_to_index(&variable, changes);
        let waited = |(_, wait): &mut (Client, Wait)| {
            wait.subsystem == subsystem && wait.index == index && wait.next_value <= count
        };
        let waiters: Vec<_> = self.index_waiters.0.extract_if(.., waited).collect();
        if !waiters.is_empty() {
            let about = about();
            for (client, wait) in waiters {
                self.reply(&client, &wait.answer(count, Some(about.clone())));
            }
        }
        Some(count)
    }

    /// A client has hung up.
    pub(crate) fn forget_index_waiters(&mut self, connection: ConnectionId) {
        self.index_waiters.0.retain(|(client, _)| client.connection != connection);
    }
}
