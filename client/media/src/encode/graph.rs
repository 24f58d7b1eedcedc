//! One chain of FFmpeg's filters: frames in, frames out.

use crate::error::Error;
use ffmpeg_next as ff;

/// A chain between one source and one sink.
pub(crate) struct Graph {
    graph: ff::filter::Graph,
}

impl Graph {
    /// The chain `spec`, from a filter `source` made with `arguments` to a filter `sink`.
    pub(crate) fn new(
        source: &'static str,
        arguments: &str,
        spec: &str,
        sink: &'static str,
    ) -> Result<Self, Error> {
        let failed = Error::during("setting up filters");
        let mut graph = ff::filter::Graph::new();
        graph.add(&find(source)?, "in", arguments).map_err(&failed)?;
        graph.add(&find(sink)?, "out", "").map_err(&failed)?;
        graph
            .output("in", 0)
            .and_then(|parser| parser.input("out", 0))
            .and_then(|parser| parser.parse(spec))
            .map_err(&failed)?;
        graph.validate().map_err(&failed)?;
        Ok(Self { graph })
    }

    /// Puts a frame in.
    pub(crate) fn push(&mut self, frame: &ff::Frame) -> Result<(), Error> {
        let mut source = self.graph.get("in").expect("made in new");
        crate::sys::push_frame(&mut source, frame).map_err(Error::during("filtering"))
    }

    /// Says that no more frames come, so that what is held back comes out.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        let mut source = self.graph.get("in").expect("made in new");
        source.source().flush().map_err(Error::during("filtering"))
    }

    /// Takes the next frame out, if there is one.
    pub(crate) fn pull(&mut self, frame: &mut ff::Frame) -> bool {
        let mut sink = self.graph.get("out").expect("made in new");
        sink.sink().frame(frame).is_ok()
    }

    /// The unit of time of frames that come out.
    pub(crate) fn time_base(&mut self) -> ff::Rational {
        let mut sink = self.graph.get("out").expect("made in new");
        sink.sink().time_base()
    }
}

fn find(name: &'static str) -> Result<ff::filter::Filter, Error> {
    ff::filter::find(name).ok_or_else(|| Error::Missing {
        what: format!("filter {name}"),
    })
}
