//! What the person wants done.

use super::{Form, Reply, Settings};

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Join the channel of this link; whatever is watched is left.
    Watch(String),
    /// Leave the channel.
    Leave,
    /// End the program: leave everything, and then close the window.
    Quit,
    /// Close the window now; what is left goes on being left.
    Close,
    /// Whether relays run on to the end of their leases when the channel is left.
    RunOn(bool),
    /// To the player.
    Player(PlayerOrder),
    /// Let the picture fill the screen, or the window again.
    FullScreen(bool),
    /// See which inputs there are.
    LookForInputs,
    /// Look at the input of this broadcast.
    Preview(Box<Form>),
    /// Look at it no longer.
    EndPreview,
    /// Go on the air.
    GoLive(Box<Form>),
    /// End the broadcast.
    EndBroadcast,
    /// Put this on the clipboard.
    Copy(String),
    /// The answer to the request of this name.
    Answer(String, Reply),
    /// To a relay, or about them.
    Relay(RelayOrder),
    /// See whether the cloud account is ready in this region; empty: the nearest.
    CheckAccount(String),
    /// Keep these settings.
    Keep(Box<Settings>),
    /// Keep the channels as they are now.
    KeepChannels,
}

/// What the player is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlayerOrder {
    /// Stand still.
    Pause,
    /// Go on from where it stands.
    Resume,
    /// Go back so many seconds, as far as there is something.
    Back(u32),
    /// To the live edge.
    Live,
    /// Loudness, 0 to 1.
    Volume(f32),
    /// Sound off, or on.
    Mute(bool),
}

/// What is done with relays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayOrder {
    /// See what runs.
    Look,
    /// End the one with this lease.
    Stop(String),
    /// Let it run so many minutes longer.
    Extend(String, u32),
    /// End what is past its lease or dead.
    Sweep,
}
