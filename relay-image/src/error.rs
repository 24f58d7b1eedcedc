//! How a relay fails: what is said, and the exit code.

use crate::boot::Unreadable;
use crate::extension::Unsigned;
use crate::forwarder;
use crate::metadata::Unanswered;
use banyan_peer::BindError;

/// Why a relay did not serve until it was told to stop. Its text says so on one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The boot data tell it nothing.
    #[error(transparent)]
    Boot(#[from] Unreadable),
    /// The machine has no boot data.
    #[error(transparent)]
    Metadata(#[from] Unanswered),
    /// It came too late.
    #[error("the lease was over before the relay started; is this machine's clock right?")]
    Over,
    /// Its sponsor never called.
    #[error("the sponsor has not called in time, and the enrolment secret is worthless now")]
    NotEnrolled,
    /// No port to listen at.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// Nobody has made the lease longer.
    #[error(transparent)]
    Extension(#[from] Unsigned),
    /// It is no forwarding process.
    #[error(transparent)]
    Forwarder(#[from] forwarder::Error),
    /// A part of the program panicked.
    #[error("a bug ended the relay; the lines before this one say where")]
    Bug,
    /// The machine does not give what the program needs.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl Error {
    /// The exit code of the command-line contract.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Boot(_)
            | Self::Metadata(Unanswered::Address(_) | Unanswered::TooLong)
            | Self::Forwarder(forwarder::Error::NoKey | forwarder::Error::NoCore(_)) => 2,
            Self::Metadata(_)
            | Self::Over
            | Self::NotEnrolled
            | Self::Listen(_)
            | Self::Extension(_)
            | Self::Forwarder(_)
            | Self::Bug
            | Self::System(_) => 1,
        }
    }

    /// The short name of the reason, for the `ended` event.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Boot(_) => "boot-data",
            Self::Metadata(_) => "metadata",
            Self::Over => "lease-over",
            Self::NotEnrolled => "not-enrolled",
            Self::Listen(_) => "listen",
            Self::Extension(_) => "extension",
            Self::Forwarder(_) => "bench",
            Self::Bug => "bug",
            Self::System(_) => "system",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrongly_told_is_a_usage_error() {
        assert_eq!(Error::from(Unreadable::TooLong).exit_code(), 2);
        assert_eq!(Error::from(Unanswered::TooLong).exit_code(), 2);
        assert_eq!(Error::from(forwarder::Error::NoKey).exit_code(), 2);
        for other in [Error::Over, Error::NotEnrolled, Error::Bug] {
            assert_eq!(other.exit_code(), 1);
        }
    }
}
