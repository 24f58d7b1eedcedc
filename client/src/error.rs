//! How a command fails: what the person is told, and the exit code.

use banyan_cloud::failure::Failure;
use banyan_protocol::io::Ended;
use banyan_protocol::wire::control::RefuseReason;
use banyan_relay::forwarder;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a command did not end as asked. Its text says on one line why, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line or the config file is wrong.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers for the channel.
    #[error(
        "the channel does not answer at any address of its link; is it still on the air, and is the link current?"
    )]
    Unreachable,
    /// Somebody else answers.
    #[error("another key answers at the link's address; ask the broadcaster for a new link")]
    WrongKey,
    /// The broadcaster does not admit this viewer.
    #[error("{}", .0.sentence())]
    Refused(RefuseReason),
    /// The two ends speak different versions.
    #[error("the broadcaster runs another version of Banyan; update yours or ask for an update")]
    Version,
    /// The input cannot be read, or is no video.
    #[error("{0}")]
    Input(String),
    /// No port to listen at.
    #[error(transparent)]
    Listen(#[from] banyan_peer::BindError),
    /// No port to serve at.
    #[error("cannot serve at {address}: {source}; choose another address with --http")]
    Serve {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The output cannot be written.
    #[error("cannot write {}: {reason}", .path.display())]
    Output {
        /// Where to.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A file that the program keeps cannot be read or written.
    #[error("{}: {reason}", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The benchmark could not run.
    #[error("{0}")]
    Bench(String),
    /// This is no forwarding process.
    #[error(transparent)]
    Forwarder(#[from] forwarder::Error),
    /// The cloud refused or failed.
    #[error(transparent)]
    Cloud(#[from] Failure),
    /// A part of the program panicked.
    #[error(
        "a bug ended the program; the lines before this one say where: please report them, and start it again"
    )]
    Bug,
    /// The machine does not give what the program needs.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl Error {
    /// The exit code of the command-line contract.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Forwarder(forwarder::Error::NoKey | forwarder::Error::NoCore(_)) => 2,
            Self::Unreachable | Self::WrongKey | Self::Refused(RefuseReason::NotInvited) => 3,
            Self::Refused(
                RefuseReason::Capacity | RefuseReason::MaxViewers | RefuseReason::TooManyFromThere,
            ) => 4,
            Self::Input(_) => 5,
            Self::Cloud(_) => 6,
            Self::Refused(RefuseReason::Version | RefuseReason::Namesake)
            | Self::Version
            | Self::Listen(_)
            | Self::Serve { .. }
            | Self::Output { .. }
            | Self::State { .. }
            | Self::Bench(_)
            | Self::Forwarder(_)
            | Self::Bug
            | Self::System(_) => 1,
        }
    }

    /// The short name of the reason, for the `ended` event.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Unreachable => "unreachable",
            Self::WrongKey => "wrong-key",
            Self::Refused(_) => "refused",
            Self::Version => "version",
            Self::Input(_) => "input",
            Self::Listen(_) => "listen",
            Self::Serve { .. } => "serve",
            Self::Output { .. } => "output",
            Self::State { .. } => "state",
            Self::Bench(_) | Self::Forwarder(_) => "bench",
            Self::Cloud(_) => "cloud",
            Self::Bug => "bug",
            Self::System(_) => "system",
        }
    }
}

/// How a session ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The person, or whoever reads the output, ended it.
    Left,
    /// The broadcaster ended the channel.
    ChannelEnded,
    /// The input ended, and all of it went out.
    InputEnded,
}

impl Finish {
    /// The short name of the reason, for the `ended` event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::ChannelEnded => "channel-ended",
            Self::InputEnded => "input-ended",
        }
    }

    /// In words, for a person who did not ask for it.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Left => "You left the channel.",
            Self::ChannelEnded => "The broadcaster ended the channel.",
            Self::InputEnded => "The input ended, and all of it went out.",
        }
    }
}

/// What the end of a session means for the command: `outcome` is why it left, if it did, and `ended` how its machine did;
/// a machine that says nothing has panicked.
pub fn conclude(outcome: Option<Result<Finish, Error>>, ended: Option<Ended>) -> Result<Finish, Error> {
    match (outcome, ended) {
        (Some(Err(error)), _) => Err(error),
        (_, None) => Err(Error::Bug),
        (Some(Ok(left)), Some(_)) => Ok(left),
        (None, Some(ended)) => finish(ended),
    }
}

/// What a machine's end means for the command.
fn finish(ended: Ended) -> Result<Finish, Error> {
    match ended {
        // The last three are a relay's.
        Ended::Left | Ended::LeaseOver | Ended::BytesSpent | Ended::NotEnrolled => Ok(Finish::Left),
        Ended::ChannelEnded => Ok(Finish::ChannelEnded),
        Ended::Refused(reason) => Err(Error::Refused(reason)),
        Ended::Unreachable => Err(Error::Unreachable),
        Ended::WrongKey => Err(Error::WrongKey),
        Ended::Version => Err(Error::Version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_contracts() {
        let code = |ended| finish(ended).map_or_else(|error| error.exit_code(), |_| 0);
        assert_eq!(code(Ended::Left), 0);
        assert_eq!(code(Ended::ChannelEnded), 0);
        assert_eq!(code(Ended::Unreachable), 3);
        assert_eq!(code(Ended::WrongKey), 3);
        assert_eq!(code(Ended::Refused(RefuseReason::Capacity)), 4);
        assert_eq!(code(Ended::Refused(RefuseReason::MaxViewers)), 4);
        assert_eq!(code(Ended::Version), 1);
        assert_eq!(Error::Usage(String::new()).exit_code(), 2);
        assert_eq!(Error::Input(String::new()).exit_code(), 5);
    }

    #[test]
    fn a_machine_that_panicked_is_an_error_whatever_was_asked() {
        for outcome in [None, Some(Ok(Finish::Left))] {
            let error = conclude(outcome, None).unwrap_err();
            assert_eq!((error.exit_code(), error.name()), (1, "bug"));
        }
        let input = || Some(Err(Error::Input(String::new())));
        assert_eq!(conclude(input(), None).unwrap_err().exit_code(), 5);
    }

    #[test]
    fn the_first_reason_to_leave_counts() {
        let unreachable = || Some(Ended::Unreachable);
        assert_eq!(
            conclude(Some(Ok(Finish::Left)), unreachable()).unwrap(),
            Finish::Left
        );
        assert_eq!(conclude(None, unreachable()).unwrap_err().exit_code(), 3);
        assert_eq!(conclude(None, Some(Ended::Left)).unwrap(), Finish::Left);
    }

    #[test]
    fn every_error_is_one_line() {
        for error in [Error::Unreachable, Error::WrongKey, Error::Version, Error::Bug] {
            let text = error.to_string();
            assert!(!text.is_empty() && !text.contains('\n'), "{text}");
        }
    }
}
