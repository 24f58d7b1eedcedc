//! Things that several pages draw.

mod banner;
mod card;
pub mod field;
mod key;
mod link;
mod meter;
mod plots;
pub mod trees;

pub use banner::banners;
pub use card::{card, heading, page};
pub use key::{primary, quiet};
pub use link::share;
pub use meter::meter;
pub use plots::plots;
