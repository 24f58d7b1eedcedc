//! Things that several pages draw.

mod banner;
mod card;
pub mod field;
mod key;
mod link;
mod meter;
mod plots;
pub mod trees;

pub use banner::{banners, trouble};
pub use card::{card, foot, heading, height_of, keep_height, page, page_above};
pub use key::{primary, quiet, quiet_about};
pub use link::share;
pub use meter::meter;
pub use plots::plots;
