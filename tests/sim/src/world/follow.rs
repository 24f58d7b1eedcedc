//! Following a node: what it hears and says, a line each, for whoever looks for a bug.

use super::{NodeIndex, Watch, World};
use crate::net::SECOND;
use banyan_protocol::io::{Input, Lane, Output};
use banyan_protocol::wire::control::Message;
use bytes::Bytes;
use std::fmt::Debug;

impl<W: Watch, A> World<W, A> {
    /// From now on, prints to standard error what this node hears and says, media aside.
    pub const fn follow(&mut self, node: NodeIndex) {
        self.followed = Some(node);
    }

    pub(super) fn heard(&self, node: NodeIndex, input: &Input) {
        if self.followed != Some(node) {
            return;
        }
        match input {
            Input::Wake | Input::Drained { .. } | Input::RoundTrip { .. } | Input::Wire { .. } => {}
            Input::Frame {
                link,
                lane: Lane::Control,
                frame,
            } => self.line(node, "<-", link, &said(frame)),
            Input::Frame { .. } | Input::Command(_) => {}
            other => self.line(node, "<-", &"", other),
        }
    }

    pub(super) fn says(&self, node: NodeIndex, output: &Output) {
        if self.followed != Some(node) {
            return;
        }
        match output {
            Output::Send {
                link,
                lane: Lane::Control,
                frame,
            } => self.line(node, "->", link, &said(frame)),
            Output::Send { .. } | Output::Play(_) => {}
            other => self.line(node, "->", &"", other),
        }
    }

    fn line(&self, node: NodeIndex, arrow: &str, link: &dyn Debug, what: &dyn Debug) {
        let at = self.now as f64 / SECOND as f64;
        eprintln!("{at:10.4} node {node} {arrow} {link:?} {what:?}");
    }
}

fn said(frame: &Bytes) -> impl Debug {
    Message::parse(frame)
}
