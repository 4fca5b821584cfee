//! `index`, `start`, `limit`: which part of a long list is wanted, as several commands take them
//! (`lightningd/wait.h:enum wait_index`).

use super::params::{Params, invalid};
use crate::indexes::Index;
use leyden_protocol::message::RpcError;

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    /// `None` if nothing was said: then it is the whole list.
    pub(crate) index: Option<Index>,
    /// The first index that is wanted.
    pub(crate) start: i64,
    /// As SQLite takes it: -1 is no limit.
    pub(crate) limit: i64,
}

impl Page {
    pub(crate) fn parse(params: &Params) -> Result<Self, RpcError> {
        let index = Index::parse(params, "index")?;
        let start = params.optional_u64("start")?;
        let limit = params.optional_u32("limit")?;
        if start.is_some_and(|start| start != 0) && index.is_none() {
            return Err(invalid("Can only specify {start} with {index}"));
        }
        if limit.is_some() && index.is_none() {
            return Err(invalid("Can only specify {limit} with {index}"));
        }
        Ok(Self {
            index,
            start: start.map_or(0, |start| i64::try_from(start).unwrap_or(i64::MAX)),
            limit: limit.map_or(-1, i64::from),
        })
    }
}
