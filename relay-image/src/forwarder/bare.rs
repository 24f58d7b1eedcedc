//! What QUIC costs by itself: a forwarding process without engine and driver, to compare with.
//!
//! It passes on what its source sends with the transport settings of Banyan, and with writes of the same size and rhythm
//! as the engine's. It verifies nothing, knows no tickets and paces nothing: only a measurement can use it.

use banyan_peer::Endpoint;
use banyan_protocol::limits::DATA_FRAME_MAX;
use banyan_protocol::wire::framing::Deframer;
use bytes::Bytes;
use quinn::{Connection, RecvStream, SendStream};
use std::sync::{Arc, Mutex};

/// Chunks to a write: three of ten stripes come in 25 ms, as long as the engine waits.
const TOGETHER: usize = 3;

/// The first byte of the lane of tier 0, the only one.
const LANE: u8 = 0;

/// A child's stream, and the chunks that wait for it.
struct Child {
    stream: SendStream,
    waiting: Vec<Bytes>,
}

/// Those who asked, and are not fed yet.
type Newcomers = Arc<Mutex<Vec<Child>>>;

/// Forwards until `endpoint` is closed.
pub(super) async fn run(endpoint: &Endpoint) {
    let newcomers = Newcomers::default();
    while let Some(incoming) = endpoint.transport().accept().await {
        let newcomers = newcomers.clone();
        tokio::spawn(async move {
            // A link that fails is noticed by who counts what comes.
            if let Ok(connection) = incoming.await {
                serve(connection, &newcomers).await;
            }
        });
    }
}

/// The source opens a data lane; a child says something on its control lane.
async fn serve(connection: Connection, newcomers: &Newcomers) -> Option<()> {
    let (_control, mut requests) = connection.accept_bi().await.ok()?;
    requests.read_exact(&mut [0]).await.ok()?;
    tokio::select! {
        lane = connection.accept_uni() => pass_on(lane.ok()?, newcomers).await,
        _ = requests.read_chunk(DATA_FRAME_MAX, true) => {
            let mut stream = connection.open_uni().await.ok()?;
            stream.write_all(&[LANE]).await.ok()?;
            let child = Child { stream, waiting: Vec::new() };
            newcomers.lock().expect("nobody panics while adding").push(child);
        }
    }
    connection.closed().await;
    Some(())
}

async fn pass_on(mut lane: RecvStream, newcomers: &Newcomers) {
    let mut frames = Deframer::new(DATA_FRAME_MAX);
    let mut fed: Vec<Child> = Vec::new();
    let mut turn = 0;
    // A lane that has ended before its preface has nothing after it either.
    let _ = lane.read_exact(&mut [0]).await;
    while let Ok(Some(part)) = lane.read_chunk(DATA_FRAME_MAX, true).await {
        frames.push(&part.bytes);
        while let Ok(Some(frame)) = frames.next_frame() {
            fed.append(&mut newcomers.lock().expect("nobody panics while adding"));
            for (index, child) in fed.iter_mut().enumerate() {
                child
                    .push(frame.clone(), (index + turn).is_multiple_of(TOGETHER))
                    .await;
            }
            turn += 1;
        }
    }
}

impl Child {
    async fn push(&mut self, frame: Bytes, write: bool) {
        self.waiting.push(frame);
        if write {
            // A link that fails is noticed by who counts what comes.
            let _ = self.stream.write_all_chunks(&mut self.waiting).await;
            self.waiting.clear();
        }
    }
}
