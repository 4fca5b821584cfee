//! How messages are written down: a table of their fields, from which the codec is made.

/// Makes a type, its codec and a row of the enum `$all` of each message.
///
/// The extension of a message stays raw: `tlvs` keeps types that nobody here knows. Even types have to be in the list behind
/// `tlvs`, or the message is refused ("it's ok to be odd", BOLT 1).
macro_rules! messages {
    (@write $known:tt, $message:ident, $out:ident) => { $out.extend($message.tlvs.encode()) };
    (
        $(#[$all_meta:meta])* $all:ident;
        $(
            $(#[$meta:meta])* $name:ident = $number:literal, $text:literal $(, tlvs $known:tt)? {
                $($(#[$field_meta:meta])* $field:ident: $kind:ty,)*
            }
        )+
    ) => {
        $(#[$all_meta])*
        #[allow(clippy::large_enum_variant, reason = "the large ones are rare, and none is kept")]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $all {
            $($(#[$meta])* $name($name),)+
        }

        impl $all {
            /// Reads the payload of a message of type `msg_type`; `None` if it is none of these.
            ///
            /// # Errors
            ///
            /// If a field is cut off or is no point or signature, or the extension is refused.
            pub fn decode(msg_type: u16, payload: &[u8]) -> Option<Result<Self, MessageError>> {
                match msg_type {
                    $($name::TYPE => Some($name::decode(payload).map(Self::$name)),)+
                    _ => None,
                }
            }

            /// Type and payload, for [`crate::Noise::send`].
            pub fn encode(&self) -> Vec<u8> {
                match self {
                    $(Self::$name(message) => message.encode(),)+
                }
            }

            /// The 16-bit type.
            pub fn msg_type(&self) -> u16 {
                match self {
                    $(Self::$name(_) => $name::TYPE,)+
                }
            }

            /// The name of a type in the BOLTs; `None` if it is none of these.
            pub fn name_of(msg_type: u16) -> Option<&'static str> {
                match msg_type {
                    $($name::TYPE => Some($name::NAME),)+
                    _ => None,
                }
            }

            /// The name in the BOLTs.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $name::NAME,)+
                }
            }
        }

        $(
            $(#[$meta])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $name {
                $($(#[$field_meta])* pub $field: $kind,)*
                $(
                    /// The extension, unknown odd types included.
                    #[doc = concat!("Even types that mean something: `", stringify!($known), "`.")]
                    pub tlvs: TlvStream,
                )?
            }

            impl $name {
                /// The 16-bit type.
                pub const TYPE: u16 = $number;
                /// The name in the BOLTs.
                pub const NAME: &'static str = $text;

                /// Reads a payload, which is what follows the type.
                ///
                /// # Errors
                ///
                /// If a field is cut off or is no point or signature, or the extension is refused.
                pub fn decode(payload: &[u8]) -> Result<Self, MessageError> {
                    let mut fields = Fields::new(Self::NAME, payload);
                    Ok(Self {
                        $($field: fields.read(stringify!($field))?,)*
                        $(tlvs: fields.tlvs(&$known)?,)?
                    })
                }

                /// Type and payload, for [`crate::Noise::send`].
                ///
                /// # Panics
                ///
                /// If a field does not fit into its 16-bit length. No such message fits into the transport.
                pub fn encode(&self) -> Vec<u8> {
                    let mut out = Self::TYPE.to_be_bytes().to_vec();
                    $(self.$field.write(&mut out);)*
                    $(messages!(@write $known, self, out);)?
                    out
                }
            }

            impl From<$name> for $all {
                fn from(message: $name) -> Self {
                    Self::$name(message)
                }
            }
        )+
    };
}
pub(super) use messages;
