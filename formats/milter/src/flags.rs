//! What filter and MTA agree on at the beginning.

use std::ops::{BitAnd, BitOr};

macro_rules! flags {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $flag:ident = $value:expr;)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub u32);

        impl $name {
            $($(#[$doc])* pub const $flag: Self = Self($value);)*

            /// Whether all flags of `other` are set.
            pub const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl BitAnd for $name {
            type Output = Self;

            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }
    };
}

flags! {
    /// What a filter may do to a message (`SMFIF_…`). Unknown bits are kept.
    Actions {
        /// Add header fields.
        ADD_HEADERS = 1;
        /// Replace the body.
        CHANGE_BODY = 1 << 1;
        /// Add recipients.
        ADD_RECIPIENTS = 1 << 2;
        /// Delete recipients.
        DELETE_RECIPIENTS = 1 << 3;
        /// Change and delete header fields.
        CHANGE_HEADERS = 1 << 4;
        /// Put the message in quarantine.
        QUARANTINE = 1 << 5;
        /// Change the envelope sender.
        CHANGE_FROM = 1 << 6;
        /// Add recipients with ESMTP arguments.
        ADD_RECIPIENTS_WITH_ARGUMENTS = 1 << 7;
        /// Say which macros are wanted.
        SET_MACROS = 1 << 8;
    }
}

flags! {
    /// Which steps are left out or not answered (`SMFIP_…`). Unknown bits are kept.
    Protocol {
        /// The connection is not told.
        NO_CONNECT = 1;
        /// HELO is not told.
        NO_HELO = 1 << 1;
        /// MAIL is not told.
        NO_MAIL = 1 << 2;
        /// RCPT is not told.
        NO_RCPT = 1 << 3;
        /// The body is not told.
        NO_BODY = 1 << 4;
        /// Header fields are not told.
        NO_HEADERS = 1 << 5;
        /// The end of the header is not told.
        NO_END_OF_HEADERS = 1 << 6;
        /// Header fields are not answered.
        NO_REPLY_HEADER = 1 << 7;
        /// Unknown commands are not told.
        NO_UNKNOWN = 1 << 8;
        /// DATA is not told.
        NO_DATA = 1 << 9;
        /// [`Response::Skip`](crate::Response::Skip) is understood.
        SKIP = 1 << 10;
        /// Refused recipients are told, too.
        REJECTED_RCPT = 1 << 11;
        /// The connection is not answered.
        NO_REPLY_CONNECT = 1 << 12;
        /// HELO is not answered.
        NO_REPLY_HELO = 1 << 13;
        /// MAIL is not answered.
        NO_REPLY_MAIL = 1 << 14;
        /// RCPT is not answered.
        NO_REPLY_RCPT = 1 << 15;
        /// DATA is not answered.
        NO_REPLY_DATA = 1 << 16;
        /// Unknown commands are not answered.
        NO_REPLY_UNKNOWN = 1 << 17;
        /// The end of the header is not answered.
        NO_REPLY_END_OF_HEADERS = 1 << 18;
        /// Pieces of the body are not answered.
        NO_REPLY_BODY = 1 << 19;
        /// The space after a header field's colon is part of its value.
        LEADING_SPACE = 1 << 20;
    }
}
