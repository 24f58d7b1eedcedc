//! Why a link was closed: QUIC application error codes, each with one meaning (`docs/protocol.md` §9).

use core::fmt;

/// The application error code of a closed link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum CloseCode {
    /// Ended as asked: nothing is wrong.
    Done = 0,
    /// The other end leaves the channel.
    Leaving = 1,
    /// A message could not be decoded, or was larger than allowed.
    Malformed = 2,
    /// A signature was wrong, or a chunk was altered.
    Forged = 3,
    /// A message that this role or state does not take.
    Unexpected = 4,
    /// No valid ticket.
    NoTicket = 5,
    /// Too many links from there.
    Busy = 6,
    /// The join secret of a private channel is missing or wrong.
    NotInvited = 7,
    /// Another link between the same keys is kept instead.
    Duplicate = 8,
    /// Expelled from the channel.
    Expelled = 9,
    /// Refused for lack of capacity.
    Full = 10,
    /// The two ends speak different versions.
    Version = 11,
    /// A code that this version does not know.
    Unknown = 255,
}

impl CloseCode {
    const ALL: [Self; 12] = [
        Self::Done,
        Self::Leaving,
        Self::Malformed,
        Self::Forged,
        Self::Unexpected,
        Self::NoTicket,
        Self::Busy,
        Self::NotInvited,
        Self::Duplicate,
        Self::Expelled,
        Self::Full,
        Self::Version,
    ];

    /// The meaning of `code`; codes of later versions are [`Unknown`](Self::Unknown).
    pub fn from_u64(code: u64) -> Self {
        Self::ALL
            .into_iter()
            .find(|known| *known as u64 == code)
            .unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Leaving => "left the channel",
            Self::Malformed => "sent a message that could not be read",
            Self::Forged => "sent something with a wrong signature",
            Self::Unexpected => "sent something out of turn",
            Self::NoTicket => "had no valid ticket",
            Self::Busy => "opened too many links",
            Self::NotInvited => "did not know the join secret",
            Self::Duplicate => "was already linked",
            Self::Expelled => "was expelled",
            Self::Full => "was refused for lack of capacity",
            Self::Version => "speaks another version",
            Self::Unknown => "closed for a reason this version does not know",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back() {
        for code in CloseCode::ALL {
            assert_eq!(CloseCode::from_u64(code as u64), code);
        }
        assert_eq!(CloseCode::from_u64(77), CloseCode::Unknown);
    }
}
