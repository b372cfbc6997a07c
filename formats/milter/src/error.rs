//! Why a conversation cannot go on.

/// What the other side did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A packet says that it is longer than we read.
    #[error("a packet of {0} octets is too long")]
    TooLong(u32),
    /// A packet without its command.
    #[error("an empty packet")]
    Empty,
    /// A command or response that version 6 does not know.
    #[error("unknown packet {0:#04x}")]
    Unknown(u8),
    /// The data of a packet is not what its command demands.
    #[error("malformed packet: {0}")]
    Malformed(&'static str),
    /// More of something in one packet than we read.
    #[error("too many {0} in one packet")]
    TooMany(&'static str),
    /// A command that may not come now.
    #[error("{0} may not come now")]
    OutOfOrder(&'static str),
    /// A version of the protocol that we do not speak.
    #[error("protocol version {0} is not spoken")]
    Version(u32),
}
