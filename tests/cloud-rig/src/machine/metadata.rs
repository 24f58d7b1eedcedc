//! EC2's metadata service, version 2: a token first, then the user data of whoever asks, told apart by its address.

use super::net::METADATA;
use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a token looks like; it opens nothing else.
const TOKEN: &str = "AQAAAExampleMetadataToken==";

type UserData = Arc<Mutex<BTreeMap<IpAddr, Vec<u8>>>>;

/// A running service; ends when dropped.
#[derive(Debug)]
pub(super) struct Metadata {
    user_data: UserData,
    task: JoinHandle<()>,
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Metadata {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind((METADATA, 80)).await;
        let listener = listener.context("the metadata service cannot listen")?;
        let user_data = UserData::default();
        let app = Router::new()
            .route("/latest/api/token", put(token))
            .route("/latest/user-data", get(told))
            .with_state(Arc::clone(&user_data))
            .into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move {
            axum::serve(listener, app)
                .await
                .expect("it serves until it is dropped");
        });
        Ok(Self { user_data, task })
    }

    /// The machine at `address` is told this.
    pub(super) fn tell(&self, address: Ipv4Addr, user_data: Vec<u8>) {
        let mut all = self.user_data.lock().expect("nobody panics with it");
        all.insert(address.into(), user_data);
    }
}

async fn token(headers: HeaderMap) -> Result<&'static str, StatusCode> {
    let asked = headers.contains_key("x-aws-ec2-metadata-token-ttl-seconds");
    asked.then_some(TOKEN).ok_or(StatusCode::BAD_REQUEST)
}

async fn told(
    State(user_data): State<UserData>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Bytes, StatusCode> {
    let token = headers.get("x-aws-ec2-metadata-token");
    if token.is_none_or(|token| token != TOKEN) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let all = user_data.lock().expect("nobody panics with it");
    all.get(&from.ip())
        .cloned()
        .map(Bytes::from)
        .ok_or(StatusCode::NOT_FOUND)
}
