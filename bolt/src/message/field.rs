//! Fields of wire messages: how the fundamental types of BOLT 1 are laid out in bytes.

use super::MessageError;
use crate::channel_id::ChannelId;
use crate::features::Features;
use crate::short_channel_id::ShortChannelId;
use crate::tlv::TlvStream;
use bitcoin::Txid;
use bitcoin::constants::ChainHash;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::PublicKey;
use bitcoin::secp256k1::ecdsa::Signature;
use std::fmt;

/// A payload that is read field by field.
pub(crate) struct Fields<'a> {
    message: &'static str,
    rest: &'a [u8],
}

/// A type that messages are made of.
pub(crate) trait Field: Sized {
    /// Takes the value from the front of `fields`; `name` is for complaints.
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError>;
    /// Appends the value.
    fn write(&self, out: &mut Vec<u8>);
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'static str, rest: &'a [u8]) -> Self {
        Self { message, rest }
    }

    pub(crate) fn bytes(&mut self, field: &'static str, expected: usize) -> Result<&'a [u8], MessageError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(expected) else {
            return Err(MessageError::Truncated {
                message: self.message,
                field,
                expected,
                got: self.rest.len(),
            });
        };
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn read<T: Field>(&mut self, field: &'static str) -> Result<T, MessageError> {
        T::read(self, field)
    }

    /// The first byte of what is left.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Everything that is left, as an extension in which `known` are the even types that mean something.
    pub(crate) fn tlvs(&mut self, known: &[u64]) -> Result<TlvStream, MessageError> {
        let message = self.message;
        let explain = |error| MessageError::Tlvs { message, error };
        let tlvs = TlvStream::decode(self.rest()).map_err(explain)?;
        tlvs.check_known(known).map_err(explain)?;
        Ok(tlvs)
    }

    fn invalid(&self, field: &'static str, why: &dyn fmt::Display) -> MessageError {
        MessageError::Invalid { message: self.message, field, why: why.to_string() }
    }
}

/// Reads a value that fills `bytes`: a record of `message`, say.
pub(crate) fn read_whole<T: Field>(
    message: &'static str,
    field: &'static str,
    bytes: &[u8],
) -> Result<T, MessageError> {
    let mut fields = Fields::new(message, bytes);
    let value = fields.read(field)?;
    match fields.rest() {
        [] => Ok(value),
        more => Err(fields.invalid(field, &format_args!("{} bytes too many", more.len()))),
    }
}

/// Bytes behind the last field that is known here. Signatures cover them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Excess(pub Vec<u8>);

impl fmt::Debug for Excess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Excess({})", self.0.as_hex())
    }
}

impl Field for Excess {
    fn read(fields: &mut Fields<'_>, _: &'static str) -> Result<Self, MessageError> {
        Ok(Self(fields.rest().to_vec()))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(&self.0);
    }
}

macro_rules! integers {
    ($($integer:ty)+) => {
        $(impl Field for $integer {
            fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
                <[u8; size_of::<$integer>()]>::read(fields, name).map(Self::from_be_bytes)
            }

            fn write(&self, out: &mut Vec<u8>) {
                out.extend(self.to_be_bytes());
            }
        })+
    };
}
integers!(u8 u16 u32 u64);

impl<const N: usize> Field for [u8; N] {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        let bytes = fields.bytes(name, N)?;
        Ok(*bytes.first_chunk().expect("as many as were asked for"))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self);
    }
}

/// An onion packet, which is too large for the stack of every caller.
impl<const N: usize> Field for Box<[u8; N]> {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        fields.read(name).map(Box::new)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.as_slice());
    }
}

/// A 16-bit length and as many bytes.
impl Field for Vec<u8> {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        let length: u16 = fields.read(name)?;
        fields.bytes(name, length.into()).map(<[u8]>::to_vec)
    }

    fn write(&self, out: &mut Vec<u8>) {
        length_of(self.len()).write(out);
        out.extend(self);
    }
}

/// A 16-bit count and as many signatures.
impl Field for Vec<Signature> {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        let count: u16 = fields.read(name)?;
        (0..count).map(|_| fields.read(name)).collect()
    }

    fn write(&self, out: &mut Vec<u8>) {
        length_of(self.len()).write(out);
        for signature in self {
            signature.write(out);
        }
    }
}

impl Field for Features {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        fields.read::<Vec<u8>>(name).map(Self::from_be_bytes)
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.as_be_bytes().to_vec().write(out);
    }
}

impl Field for PublicKey {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        let bytes: [u8; 33] = fields.read(name)?;
        Self::from_slice(&bytes).map_err(|error| fields.invalid(name, &error))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.serialize());
    }
}

impl Field for Signature {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        let bytes: [u8; 64] = fields.read(name)?;
        Self::from_compact(&bytes).map_err(|error| fields.invalid(name, &error))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.serialize_compact());
    }
}

impl Field for ChannelId {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        fields.read(name).map(Self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.0);
    }
}

impl Field for ShortChannelId {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        fields.read(name).map(Self::from_u64)
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.to_u64().write(out);
    }
}

impl Field for ChainHash {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        fields.read::<[u8; 32]>(name).map(Self::from)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.to_bytes());
    }
}

/// In the byte order of transactions, as the hash is computed.
impl Field for Txid {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        fields.read(name).map(Self::from_byte_array)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.to_byte_array());
    }
}

impl Field for sha256::Hash {
    fn read(fields: &mut Fields<'_>, name: &'static str) -> Result<Self, MessageError> {
        fields.read(name).map(Self::from_byte_array)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.to_byte_array());
    }
}

/// # Panics
///
/// If a field does not fit into its 16-bit length. No such message fits into the transport.
fn length_of(length: usize) -> u16 {
    u16::try_from(length).expect("a field of a message is at most 65535 long")
}
