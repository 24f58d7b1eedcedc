//! The sound of a channel, on the computer's sound device.
//!
//! Without a device, or when it goes away, the picture goes on by the machine's clock, and [`Output::trouble`] says what is
//! the matter. A device that comes back is used.

mod device;
mod null;

pub use device::Output;
pub use null::{CHANNELS, Null, RATE};
