//! `/stream.ts`: each client gets a transport stream of its own, from the newest keyframe on.

use super::{ANYBODY, Site};
use crate::output::hub::{Over, Reader};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use banyan_media::output::TsWriter;
use bytes::Bytes;
use futures_core::Stream;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Muxed frames that wait for the client besides what its socket holds.
const MUXED_MAX: usize = 16;

pub(super) async fn serve(State(site): State<Arc<Site>>) -> Response {
    let Some(reader) = site.hub.read() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (muxed, frames) = mpsc::channel(MUXED_MAX);
    tokio::spawn(mux(reader, muxed));
    let headers = [(CONTENT_TYPE, "video/mp2t"), (CACHE_CONTROL, "no-store"), ANYBODY];
    (headers, Body::from_stream(Frames(frames))).into_response()
}

/// Muxes for one client until it goes, falls too far behind, or the stream ends.
async fn mux(mut reader: Reader, muxed: mpsc::Sender<io::Result<Bytes>>) {
    let mut writer = TsWriter::new(Vec::new());
    let over = loop {
        let play = match reader.next().await {
            Ok(play) => play,
            Err(over) => break over,
        };
        if let Err(error) = writer.play(&play) {
            tracing::warn!(%error, "a client's stream cannot be muxed");
            return;
        }
        let bytes = std::mem::take(writer.get_mut());
        if !bytes.is_empty() && muxed.send(Ok(bytes.into())).await.is_err() {
            return;
        }
    };
    match over {
        Over::TooSlow => {
            tracing::info!("a client reads too slowly and is dropped");
            // A body that breaks off, instead of one that ends well; the client may be gone.
            let _ = muxed.send(Err(io::ErrorKind::TimedOut.into())).await;
        }
        Over::Ended => {
            if let Ok(rest) = writer.finish() {
                let _ = muxed.send(Ok(rest.into())).await;
            }
        }
    }
}

struct Frames(mpsc::Receiver<io::Result<Bytes>>);

impl Stream for Frames {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
