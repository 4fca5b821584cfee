//! A whole node from outside: started as a library, asked over its Unix socket, with a chain that stands still.

mod chain;
mod commands;
mod options;
mod running;
