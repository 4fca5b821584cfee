//! README.md at the root: its examples are compiled and run with the documentation tests.

#![doc = include_str!("../../README.md")]
