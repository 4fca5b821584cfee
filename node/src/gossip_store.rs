//! The file `gossip_store` (`gossipd/gossip_store.c`, `common/gossip_store.h`): plugins read the gossip from it.

use leyden_protocol::Profile;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// `flags` of a record that is written completely.
const COMPLETED: u16 = 0x2000;

/// The type of the record that tells one store from the one that replaces it: 32 bytes.
const UUID: u16 = 4107;

/// Makes an empty store with `uuid`, unless there is a store.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn create(path: &Path, profile: Profile, uuid: &[u8; 32]) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(&empty(profile, uuid)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The version, and from v25.12 on the record that bears `uuid`.
fn empty(profile: Profile, uuid: &[u8; 32]) -> Vec<u8> {
    let mut store = vec![profile.gossip_store_version()];
    if profile.gossip_store_has_uuid() {
        store.extend(record(0, &[&UUID.to_be_bytes()[..], uuid].concat()));
    }
    store
}

/// A message behind its header: flags, length, checksum, timestamp.
fn record(timestamp: u32, message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a message has at most 65535 bytes");
    let checksum = crc32c::crc32c_append(timestamp, message);
    let mut record = [COMPLETED.to_be_bytes(), length.to_be_bytes()].concat();
    record.extend(checksum.to_be_bytes());
    record.extend(timestamp.to_be_bytes());
    record.extend(message);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_store_is_that_of_a_real_node() {
        // The uuid and the checksum are those of a node of v26.06.6.
        let real = "\
            102000002214683b8000000000100b\
            caa823dcfee8c3b646a918f206eef8ceced41694f24d72824a427086f8dd5231";
        let real = hex::decode(real).unwrap();
        let uuid: &[u8; 32] = real.last_chunk().unwrap();
        let of_each_release = Profile::ALL.map(|profile| empty(profile, uuid));
        assert_eq!(of_each_release, [vec![9], vec![9], vec![12], real]);
    }
}
