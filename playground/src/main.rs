//! The `leyden` command.

fn main() {}
