//! The recording half as its users see it: the timeline, the tap, the transcript and its aliases.

mod alias;
mod fixture;
mod snapshot;
mod tap;
mod timeline;
mod transcript;
