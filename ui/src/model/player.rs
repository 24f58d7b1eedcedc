//! How the player stands.

/// How the player stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Whether the person holds it.
    pub paused: bool,
    /// How far behind the live edge it plays, in milliseconds.
    pub behind_live_ms: u64,
    /// How far back one can go, in milliseconds.
    pub held_ms: u64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Why there is no picture or no sound, in words.
    pub error: Option<String>,
}
