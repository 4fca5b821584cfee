//! Mocks as lightningd sees them: over in-memory pipes, and as the binary `mock-plugin`.

mod behaviour;
mod binary;
mod lightningd;
mod reports;
mod scripts;
