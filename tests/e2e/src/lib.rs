//! The rig of the end-to-end tests: real programs on hosts that share nothing but a network.
//!
//! A host is a network namespace. Hosts hang on a [`Net`], either through a kernel bridge or through the rig's own
//! switch, which delays and loses frames (a kernel may lack `netem`). Uplinks are shaped by `tbf` on the host's own
//! interface, so that `tc -s qdisc` tells what a host sent and what its queue dropped. Nothing outside the namespaces
//! is touched, everything goes when its value is dropped, and what a killed run left behind goes when the next begins.
//!
//! The rig needs root; [`Stage::open`] says so when it is missing.

pub mod banyan;
pub mod clip;
pub mod crook;
pub mod events;
pub mod frames;
pub mod host;
pub mod moves;
pub mod nat;
pub mod net;
pub mod percentile;
pub mod program;
mod reaper;
pub mod relay;
pub mod scene;
pub mod shape;
pub mod shortage;
pub mod stage;
pub mod switch;
mod tool;
pub mod verdict;

pub use banyan::{Broadcast, Watch};
pub use events::{Event, Events};
pub use host::Host;
pub use net::{Net, Wire};
pub use program::Program;
pub use stage::Stage;
