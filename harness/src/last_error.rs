//! The last error that a step of a test gave: when a net is dropped before its end, most likely the reason.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;

/// Shared by the handles of a net.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastError(Arc<Mutex<Option<String>>>);

impl LastError {
    /// Remembers it, in place of the one before.
    pub(crate) fn note(&self, error: &Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    /// The text of its block.
    pub(crate) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
