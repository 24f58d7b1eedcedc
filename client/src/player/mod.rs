//! What a viewer plays becomes pictures and sound, in time and in step with each other.
//!
//! ```text
//! push ─→ timeline ─→ decoder's thread ─→ pictures ─→ picture()   the screen
//!         the last                     └→ sounds   ─→ fill()      the sound device
//!         minute                          clock: set by what the device plays
//! ```
//!
//! `machine` decides, with time passed in; [`Player`] and its thread carry it out. All times inside are on the *line*: the
//! player's own clock in 1/90,000 s, which only grows, over gaps, changes of tier and restarts of the broadcaster.

mod clock;
mod handle;
mod line;
mod machine;
mod margin;
mod pictures;
mod sounds;
mod timeline;
mod work;

pub use banyan_media::decode::{Matrix, Picture, Plane, Planes, Range, Sampling};
pub use handle::{Player, SoundSource};
pub use machine::{Phase, State};
