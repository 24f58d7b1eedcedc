//! A link's life after its handshake: who is there, its control lane, and the tasks that read its lanes.

use crate::address::canonical;
use crate::gate::Seat;
use crate::happening::Happening;
use crate::lane::CONTROL_PREFACE;
use crate::{end, tls};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{Input, Lane, LinkEnd, LinkId, Side};
use banyan_protocol::limits::{CONTROL_FRAME_MAX, DATA_FRAME_MAX, TIERS_MAX};
use banyan_protocol::media::TierId;
use banyan_protocol::wire::enrol::Binding;
use banyan_protocol::wire::framing::Deframer;
use bytes::Bytes;
use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use std::net::SocketAddr;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

/// Packets' worth of bytes taken from a lane at once.
const READ_AT_ONCE: usize = 32;

/// A link that is up.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) connection: Connection,
    pub(crate) peer: PeerId,
    pub(crate) address: SocketAddr,
    pub(crate) side: Side,
    pub(crate) binding: Binding,
    pub(crate) control: (SendStream, RecvStream),
    /// The place of a peer that dialled us.
    pub(crate) seat: Option<Seat>,
}

/// Makes a link of a connection that we dialled, by opening its control lane.
pub(crate) async fn dialled(connection: Connection, peer: PeerId) -> Result<Established, LinkEnd> {
    let opened = connection.open_bi().await;
    let (mut send, receive) = opened.map_err(|error| end::of(&error))?;
    let preface = send.write_all(&[CONTROL_PREFACE]).await;
    preface.map_err(|_| {
        connection
            .close_reason()
            .map_or(LinkEnd::Failed, |error| end::of(&error))
    })?;
    Ok(established(
        connection,
        peer,
        Side::Dialler,
        (send, receive),
        None,
    ))
}

/// Makes a link of a connection that a peer dialled, when its control lane is there. `None` if it never gets so far, or
/// has no key that we read.
pub(crate) async fn accepted(connection: Connection, seat: Seat) -> Option<Established> {
    let peer = tls::peer_of(&connection)?;
    let (send, mut receive) = connection.accept_bi().await.ok()?;
    let mut preface = [0];
    receive.read_exact(&mut preface).await.ok()?;
    let lanes = (send, receive);
    (preface == [CONTROL_PREFACE]).then(|| established(connection, peer, Side::Acceptor, lanes, Some(seat)))
}

fn established(
    connection: Connection,
    peer: PeerId,
    side: Side,
    control: (SendStream, RecvStream),
    seat: Option<Seat>,
) -> Established {
    Established {
        address: canonical(connection.remote_address()),
        binding: tls::binding_of(&connection),
        connection,
        peer,
        side,
        control,
        seat,
    }
}

/// What came of reading a lane.
enum Read {
    /// It ended, or the link did.
    Ended,
    /// The peer broke the rules of framing.
    Broken,
}

/// Reads all lanes of a link until it ends, and says so last of all.
pub(crate) struct Reader {
    pub(crate) link: LinkId,
    pub(crate) connection: Connection,
    pub(crate) happenings: Sender<Happening>,
    pub(crate) seat: Option<Seat>,
}

impl Reader {
    pub(crate) async fn run(self, control: RecvStream) {
        let mut lanes = JoinSet::new();
        lanes.spawn(self.lane(Lane::Control, control, CONTROL_FRAME_MAX));
        let error = self.read(&mut lanes).await;
        tracing::debug!(link = self.link.0, %error, "link ended");
        // What came before the end is read to the end.
        while lanes.join_next().await.is_some() {}
        let ended = Happening::Ended {
            link: self.link,
            why: end::of(&error),
        };
        // The driver outlives its links, unless the program ends.
        let _ = self.happenings.send(ended).await;
        drop(self.seat);
    }

    async fn read(&self, lanes: &mut JoinSet<Read>) -> ConnectionError {
        loop {
            tokio::select! {
                stream = self.connection.accept_uni() => match stream {
                    Ok(stream) => drop(lanes.spawn(self.data_lane(stream))),
                    Err(error) => return error,
                },
                Some(read) = lanes.join_next() => if matches!(read, Ok(Read::Broken)) {
                    lanes.abort_all();
                    let _ = self.happenings.send(Input::Broken { link: self.link }.into()).await;
                    return self.connection.closed().await;
                },
            }
        }
    }

    fn data_lane(&self, mut stream: RecvStream) -> impl Future<Output = Read> + Send + 'static {
        let (link, happenings) = (self.link, self.happenings.clone());
        async move {
            let mut preface = [0];
            if stream.read_exact(&mut preface).await.is_err() {
                return Read::Ended;
            }
            if usize::from(preface[0]) >= TIERS_MAX {
                return Read::Broken;
            }
            let lane = Lane::Data(TierId(preface[0]));
            read_lane(link, lane, stream, DATA_FRAME_MAX, happenings).await
        }
    }

    fn lane(
        &self,
        lane: Lane,
        stream: RecvStream,
        max: usize,
    ) -> impl Future<Output = Read> + Send + 'static {
        read_lane(self.link, lane, stream, max, self.happenings.clone())
    }
}

/// Cuts a lane into frames. While the driver is busy it waits, and with it, by flow control, the peer.
async fn read_lane(
    link: LinkId,
    lane: Lane,
    mut stream: RecvStream,
    max: usize,
    happenings: Sender<Happening>,
) -> Read {
    let mut frames = Deframer::new(max);
    let mut parts: [Bytes; READ_AT_ONCE] = Default::default();
    while let Ok(Some(count)) = stream.read_chunks(&mut parts).await {
        for part in &mut parts[..count] {
            frames.push(&std::mem::take(part));
        }
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => {
                    let input = Input::Frame { link, lane, frame };
                    if happenings.send(input.into()).await.is_err() {
                        return Read::Ended;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(link = link.0, ?lane, %error, "broken lane");
                    return Read::Broken;
                }
            }
        }
    }
    Read::Ended
}
