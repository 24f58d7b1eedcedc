//! The stream over HTTP: `/stream.ts` for any player, `/live.m3u8` for HLS, a page that plays it at `/`, and the
//! state of things at `/status.json`.

mod hls;
mod stream;

use crate::error::Error;
use crate::output::hub::Hub;
use crate::snapshot::Snapshot;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use banyan_protocol::io::Play;
use hls::Hls;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PAGE: &str = include_str!("page.html");

/// The page needs nothing from anywhere else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; media-src 'self' blob:";

/// How long clients have to take the end of the stream.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// What is served.
pub(crate) struct Site {
    hub: Hub,
    hls: Hls,
    snapshot: watch::Receiver<Snapshot>,
}

impl Site {
    /// A site that shows `snapshot`, and what it is given to play.
    pub(crate) fn new(snapshot: watch::Receiver<Snapshot>) -> Arc<Self> {
        let hub = Hub::new();
        let hls = Hls::start(hub.read().expect("it has just begun"));
        Arc::new(Self { hub, hls, snapshot })
    }

    fn play(&self, play: Play) {
        self.hub.play(play);
    }
}

/// A running server.
pub(crate) struct Server {
    address: SocketAddr,
    site: Arc<Site>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `site` at `address`.
    ///
    /// # Errors
    /// If the address is in use or not ours.
    pub(crate) async fn start(address: SocketAddr, site: Arc<Site>) -> Result<Self, Error> {
        let cannot = |source| Error::Serve { address, source };
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = axum::serve(listener, router(site.clone())).with_graceful_shutdown(async {
            // Dropped is as good as told.
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::warn!(%error, "serving ended");
            }
        });
        Ok(Self {
            address,
            site,
            stop,
            task,
        })
    }

    /// Where it serves.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands on what is played now. Never waits.
    pub(crate) fn play(&self, play: Play) {
        self.site.play(play);
    }

    /// Ends the streams, and stops serving.
    pub(crate) async fn finish(self) {
        self.site.hub.end();
        drop(self.stop);
        let mut task = self.task;
        if timeout(GOODBYE_MAX, &mut task).await.is_err() {
            task.abort();
        }
    }
}

fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/stream.ts", get(stream::serve))
        .route("/live.m3u8", get(playlist))
        .route("/{part}", get(part))
        .route("/status.json", get(status))
        .with_state(site)
}

async fn page() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, PAGE_POLICY),
    ];
    (headers, PAGE).into_response()
}

async fn status(State(site): State<Arc<Site>>) -> Response {
    let status = serde_json::to_vec(&*site.snapshot.borrow()).expect("a snapshot is plain data");
    fresh("application/json", status)
}

async fn playlist(State(site): State<Arc<Site>>) -> Response {
    match site.hls.playlist() {
        Some(playlist) => fresh("application/vnd.apple.mpegurl", playlist),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// An initialisation or a segment, which never changes.
async fn part(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Response {
    match site.hls.part(&name) {
        Some(part) => ([(CONTENT_TYPE, part.kind.as_str()), ANYBODY], part.data).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Pages of other origins may play the stream.
const ANYBODY: (axum::http::HeaderName, &str) = (axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");

/// What is true now only.
fn fresh(kind: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ANYBODY.0, HeaderValue::from_static(ANYBODY.1));
    response
}

#[cfg(test)]
mod tests;
