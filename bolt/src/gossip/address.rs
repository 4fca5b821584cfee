//! Address descriptors: where a node says that it can be reached (BOLT 7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use thiserror::Error;

/// An address with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// On the internet.
    Ip(SocketAddr),
    /// An onion service of Tor, version 2 or 3: the bytes that its name stands for.
    Onion(Vec<u8>, u16),
    /// A host name.
    Dns(String, u16),
}

/// A list in which a descriptor of a known type is cut off.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected whole address descriptors")]
pub struct BadAddresses;

const IPV4: u8 = 1;
const IPV6: u8 = 2;
const TOR_V2: u8 = 3;
const TOR_V3: u8 = 4;
const DNS: u8 = 5;

impl Address {
    /// Reads descriptors, one behind the other, up to one of an unknown type.
    ///
    /// # Errors
    ///
    /// If one is cut off.
    pub fn decode_all(mut bytes: &[u8]) -> Result<Vec<Self>, BadAddresses> {
        let mut addresses = Vec::new();
        while let Some(kind) = take::<1>(&mut bytes) {
            let read = match kind[0] {
                IPV4 => take::<4>(&mut bytes).map(|ip| (Ipv4Addr::from(ip).into(), bytes)).and_then(socket),
                IPV6 => take::<16>(&mut bytes).map(|ip| (Ipv6Addr::from(ip).into(), bytes)).and_then(socket),
                TOR_V2 => onion(bytes, 10),
                TOR_V3 => onion(bytes, 35),
                DNS => host(bytes),
                _ => return Ok(addresses),
            };
            let (address, rest) = read.ok_or(BadAddresses)?;
            addresses.push(address);
            bytes = rest;
        }
        Ok(addresses)
    }

    /// The address, if it is one of the internet.
    #[must_use]
    pub fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Onion(..) | Self::Dns(..) => None,
        }
    }

    /// The descriptor: type byte and data.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, host, port) = match self {
            Self::Ip(SocketAddr::V4(address)) => (IPV4, address.ip().octets().to_vec(), address.port()),
            Self::Ip(SocketAddr::V6(address)) => (IPV6, address.ip().octets().to_vec(), address.port()),
            Self::Onion(name, port) if name.len() == 35 => (TOR_V3, name.clone(), *port),
            Self::Onion(name, port) => (TOR_V2, name.clone(), *port),
            Self::Dns(name, port) => {
                let length = u8::try_from(name.len()).expect("a host name has at most 255 bytes");
                (DNS, [&[length], name.as_bytes()].concat(), *port)
            }
        };
        [&[kind], host.as_slice(), &port.to_be_bytes()].concat()
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn socket((ip, mut rest): (IpAddr, &[u8])) -> Option<(Address, &[u8])> {
    let port = u16::from_be_bytes(take(&mut rest)?);
    Some((Address::Ip(SocketAddr::new(ip, port)), rest))
}

fn onion(bytes: &[u8], length: usize) -> Option<(Address, &[u8])> {
    let (name, mut rest) = bytes.split_at_checked(length)?;
    let port = u16::from_be_bytes(take(&mut rest)?);
    Some((Address::Onion(name.to_vec(), port), rest))
}

fn host(mut bytes: &[u8]) -> Option<(Address, &[u8])> {
    let [length] = take(&mut bytes)?;
    let (name, mut rest) = bytes.split_at_checked(length.into())?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    let port = u16::from_be_bytes(take(&mut rest)?);
    Some((Address::Dns(name, port), rest))
}
