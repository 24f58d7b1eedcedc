//! What the tasks beside the driver tell it.

use crate::link::Established;
use banyan_protocol::io::{Input, Lane, LinkEnd, LinkId};
use quinn::SendStream;

/// Something that happened to an endpoint or a link.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The machine is to hear of it as it is: a frame, a broken lane, a probe's answer.
    Input(Input),
    /// A peer dialled us.
    Accepted(Box<Established>),
    /// What became of a dial.
    Dialled {
        link: LinkId,
        result: Result<Box<Established>, LinkEnd>,
    },
    /// The peer allows another stream at last.
    Opened {
        link: LinkId,
        lane: Lane,
        stream: SendStream,
    },
    /// Nothing more comes of this link.
    Ended { link: LinkId, why: LinkEnd },
}

impl From<Input> for Happening {
    fn from(input: Input) -> Self {
        Self::Input(input)
    }
}
