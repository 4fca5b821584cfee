//! BOLT 8, the encrypted and authenticated transport, without a socket.
//!
//! ```
//! use bitcoin::secp256k1::{Secp256k1, SecretKey};
//! use leyden_bolt::noise::{Event, Noise};
//!
//! # fn key(byte: u8) -> SecretKey { SecretKey::from_slice(&[byte; 32]).unwrap() }
//! let (ours, theirs) = (key(0x11), key(0x21));
//! let their_id = theirs.public_key(&Secp256k1::new());
//! let mut alice = Noise::initiator(&ours, key(0x12), their_id);
//! let mut bob = Noise::responder(&theirs, key(0x22));
//!
//! bob.receive(&alice.take_output());
//! assert_eq!(bob.next_event()?, None); // act one is read, act two is in his output
//! alice.receive(&bob.take_output());
//! assert_eq!(alice.next_event()?, Some(Event::Connected { node_id: their_id }));
//! alice.send(b"hello")?;
//!
//! bob.receive(&alice.take_output()); // act three and the message
//! assert!(matches!(bob.next_event()?, Some(Event::Connected { .. })));
//! assert_eq!(bob.next_event()?, Some(Event::Message(b"hello".to_vec())));
//! # Ok::<(), leyden_bolt::noise::NoiseError>(())
//! ```

mod cipher;
mod error;
mod handshake;

pub use error::{NoiseError, Part};

use bitcoin::secp256k1::{PublicKey, SecretKey};
use cipher::TAG;
pub(crate) use cipher::{open, seal};
use handshake::{ACT_ONE, ACT_THREE, ACT_TWO, ActOneSent, ActTwoSent, Ciphers, Listening};
use std::{fmt, mem};

/// The sealed 16-bit length before each message.
const LENGTH: usize = 2 + TAG;

/// What the bytes of the peer amounted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The handshake is over: the peer proved that it has the key of this node id. Comes once, first.
    Connected {
        /// The peer's node id.
        node_id: PublicKey,
    },
    /// A decrypted message: type and payload, see [`crate::Message::decode`].
    Message(Vec<u8>),
}

/// One end of a connection: handshake, then messages in both directions.
///
/// An I/O task writes [`take_output`](Self::take_output) to its socket, hands what it reads to
/// [`receive`](Self::receive), and then takes every [`next_event`](Self::next_event); that may add output
/// (acts two and three). At the end of the stream it calls [`finish`](Self::finish).
pub struct Noise {
    state: State,
    input: Vec<u8>,
    /// How much of `input` is used up.
    read: usize,
    output: Vec<u8>,
}

enum State {
    ActOne(Box<Listening>),
    ActTwo(Box<ActOneSent>, PublicKey),
    ActThree(Box<ActTwoSent>),
    Length(Box<Ciphers>),
    Body(Box<Ciphers>, usize),
    Failed(NoiseError),
}

impl State {
    /// What is read next, and its length in bytes.
    fn wants(&self) -> Result<(Part, usize), NoiseError> {
        Ok(match self {
            Self::ActOne(_) => (Part::ActOne, ACT_ONE),
            Self::ActTwo(..) => (Part::ActTwo, ACT_TWO),
            Self::ActThree(_) => (Part::ActThree, ACT_THREE),
            Self::Length(_) => (Part::Length, LENGTH),
            Self::Body(_, length) => (Part::Body, length + TAG),
            Self::Failed(error) => return Err(error.clone()),
        })
    }
}

impl Noise {
    /// The side that connects. Act one is in the output at once.
    ///
    /// `ephemeral` must be drawn freshly for each connection.
    pub fn initiator(local: &SecretKey, ephemeral: SecretKey, remote: PublicKey) -> Self {
        let (handshake, act_one) = ActOneSent::new(local, ephemeral, &remote);
        Self {
            state: State::ActTwo(Box::new(handshake), remote),
            input: Vec::new(),
            read: 0,
            output: act_one,
        }
    }

    /// The side that was connected to.
    ///
    /// `ephemeral` must be drawn freshly for each connection.
    pub fn responder(local: &SecretKey, ephemeral: SecretKey) -> Self {
        let state = State::ActOne(Box::new(Listening::new(local, ephemeral)));
        Self { state, input: Vec::new(), read: 0, output: Vec::new() }
    }

    /// Takes over bytes as they came from the peer, cut anywhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.drain(..self.read);
        self.read = 0;
        self.input.extend_from_slice(bytes);
    }

    /// The next event, or `None` until more bytes come.
    ///
    /// # Errors
    ///
    /// If the peer broke the protocol: close the connection. All events before the fault have been given out by
    /// then; every later call gives the same error.
    pub fn next_event(&mut self) -> Result<Option<Event>, NoiseError> {
        loop {
            let (_, length) = self.state.wants()?;
            let Some(bytes) = self.input[self.read..].get(..length) else { return Ok(None) };
            // Whatever way `step` ends, it names the next state; this one is never seen.
            let state = mem::replace(&mut self.state, State::Failed(NoiseError::NotConnected));
            match step(state, bytes, &mut self.output) {
                Ok((state, event)) => {
                    self.state = state;
                    self.read += length;
                    if event.is_some() {
                        return Ok(event);
                    }
                }
                Err(error) => self.state = State::Failed(error),
            }
        }
    }

    /// Encrypts a message (type and payload) into the output.
    ///
    /// # Errors
    ///
    /// [`NoiseError::NotConnected`] before [`Event::Connected`], [`NoiseError::TooLong`] above 65535 bytes, or
    /// the error that [`next_event`](Self::next_event) gave.
    pub fn send(&mut self, message: &[u8]) -> Result<(), NoiseError> {
        let ciphers = match &mut self.state {
            State::Length(ciphers) | State::Body(ciphers, _) => ciphers,
            State::Failed(error) => return Err(error.clone()),
            State::ActOne(_) | State::ActTwo(..) | State::ActThree(_) => {
                return Err(NoiseError::NotConnected);
            }
        };
        let length = u16::try_from(message.len()).map_err(|_| NoiseError::TooLong { got: message.len() })?;
        self.output.extend(ciphers.sending.seal(&length.to_be_bytes()));
        self.output.extend(ciphers.sending.seal(message));
        Ok(())
    }

    /// The bytes to write to the peer; empties the output.
    #[must_use = "these bytes belong on the socket"]
    pub fn take_output(&mut self) -> Vec<u8> {
        mem::take(&mut self.output)
    }

    /// To be called when the peer has closed the connection and all events are taken: was it between two messages?
    ///
    /// # Errors
    ///
    /// [`NoiseError::ShortRead`] inside the handshake or a message, or the error that
    /// [`next_event`](Self::next_event) gave.
    pub fn finish(&self) -> Result<(), NoiseError> {
        let (part, expected) = self.state.wants()?;
        let got = self.input.len() - self.read;
        if part == Part::Length && got == 0 {
            return Ok(());
        }
        Err(NoiseError::ShortRead { part, expected, got })
    }
}

/// Reads one part of the stream, which `bytes` is exactly.
fn step(state: State, bytes: &[u8], output: &mut Vec<u8>) -> Result<(State, Option<Event>), NoiseError> {
    Ok(match state {
        State::ActOne(handshake) => {
            let (handshake, act_two) = handshake.read_act_one(bytes)?;
            output.extend(act_two);
            (State::ActThree(Box::new(handshake)), None)
        }
        State::ActTwo(handshake, node_id) => {
            let (act_three, ciphers) = handshake.read_act_two(bytes)?;
            output.extend(act_three);
            (State::Length(Box::new(ciphers)), Some(Event::Connected { node_id }))
        }
        State::ActThree(handshake) => {
            let (node_id, ciphers) = handshake.read_act_three(bytes)?;
            (State::Length(Box::new(ciphers)), Some(Event::Connected { node_id }))
        }
        State::Length(mut ciphers) => {
            let length = ciphers.receiving.open(bytes).ok_or(NoiseError::BadTag { part: Part::Length })?;
            let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (State::Body(ciphers, length), None)
        }
        State::Body(mut ciphers, _) => {
            let message = ciphers.receiving.open(bytes).ok_or(NoiseError::BadTag { part: Part::Body })?;
            (State::Length(ciphers), Some(Event::Message(message)))
        }
        State::Failed(error) => return Err(error),
    })
}

impl fmt::Debug for Noise {
    /// Names the state and never a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Noise").field("reading", &self.state.wants()).finish_non_exhaustive()
    }
}
