//! What a viewer plays, decoded: packets to pictures whose planes the graphics card draws, and to sound that a device plays.
//!
//! A [`Video`] or a [`Sound`] is of one track, blocks while it decodes, and belongs to a thread of its caller's. Broken
//! packets never end it: pictures go on with the next keyframe, sound with the next packet.

mod picture;
mod shared;
mod sound;
mod video;

pub use picture::{Matrix, Picture, Plane, Planes, Range, Sampling};
pub use sound::{CHANNELS, Samples, Sound};
pub use video::Video;
