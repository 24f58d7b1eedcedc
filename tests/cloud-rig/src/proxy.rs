//! The proxy in front of moto: EC2's tokens and addresses, EC2's errors, and a record of what was asked.

use crate::machine::Machines;
use crate::{moto, query};
use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The address that every machine has where none runs: nobody listens there, and nobody needs to.
pub const MACHINE_ADDRESS: &str = "127.0.0.1";

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// EC2 refuses it.
    Error(&'static str),
    /// EC2 refuses it, and its clock is years behind ours.
    Skewed(&'static str),
    /// It never arrives.
    Hang,
    /// It is done, and the answer is lost.
    LoseAnswer,
    /// It is refused, and done all the same when the test [releases](Proxy::release) it: a late answer.
    RefuseAndDoLater(&'static str),
    /// The connection breaks off before it is done.
    Break,
}

/// A request that was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its action.
    pub action: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
}

impl Seen {
    /// A field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A running proxy; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Shared {
    moto: SocketAddr,
    /// What runs for the account's instances, if anything does.
    machines: Option<Arc<Machines>>,
    inner: Mutex<Inner>,
    arrived: Notify,
    released: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    seen: Vec<Seen>,
    faults: BTreeMap<String, VecDeque<Fault>>,
    /// At this request, whatever its action, the proxy stops: before or after it is done.
    stop_at: Option<(usize, bool)>,
    /// This request waits for the test, and all are answered then.
    hold_at: Option<usize>,
    stopped: bool,
    late_done: usize,
    /// What each client token was used for, and what came of it.
    tokens: BTreeMap<String, (Vec<(String, String)>, String)>,
}

impl Proxy {
    /// Starts one in front of moto; `machines` run for its instances.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start(moto: SocketAddr, machines: Option<Arc<Machines>>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            moto,
            machines,
            inner: Mutex::default(),
            arrived: Notify::new(),
            released: Notify::new(),
        });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            axum::serve(listener, app)
                .await
                .expect("it serves until it is dropped");
        });
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// What happens to the next requests of an action; those behind them are well.
    pub fn script(&self, action: &str, faults: impl IntoIterator<Item = Fault>) {
        let mut inner = self.shared.inner.lock().expect("nobody panics with it");
        inner.faults.insert(action.into(), faults.into_iter().collect());
    }

    /// Stops the child's world at its request number `at`, from 0: [`stopped`](Self::stopped) then returns, and no
    /// request is answered until [`go_on`](Self::go_on). `done`: whether that request is done before.
    pub fn stop_at(&self, at: usize, done: bool) {
        let mut inner = self.shared.inner.lock().expect("nobody panics with it");
        inner.stop_at = Some((inner.seen.len() + at, done));
        inner.stopped = false;
    }

    /// Holds the request number `at`, from 0, back: [`stopped`](Self::stopped) then returns, and it is done when
    /// [`go_on`](Self::go_on) says so.
    pub fn hold_at(&self, at: usize) {
        let mut inner = self.shared.inner.lock().expect("nobody panics with it");
        inner.hold_at = Some(inner.seen.len() + at);
        inner.stopped = false;
    }

    /// Waits for the request that was named.
    pub async fn stopped(&self) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.shared.inner.lock().expect("nobody panics with it").stopped {
                return;
            }
            arrived.await;
        }
    }

    /// Answers again.
    pub fn go_on(&self) {
        let mut inner = self.shared.inner.lock().expect("nobody panics with it");
        inner.stop_at = None;
        inner.hold_at = None;
        inner.stopped = false;
        self.shared.arrived.notify_waiters();
    }

    /// Does what was refused, and returns when it is done.
    pub async fn release(&self) {
        let before = self.shared.inner.lock().expect("nobody panics with it").late_done;
        self.shared.released.notify_waiters();
        loop {
            let arrived = self.shared.arrived.notified();
            if self.shared.inner.lock().expect("nobody panics with it").late_done > before {
                return;
            }
            arrived.await;
        }
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared
            .inner
            .lock()
            .expect("nobody panics with it")
            .seen
            .clone()
    }

    /// The requests of an action so far.
    pub fn seen_of(&self, action: &str) -> Vec<Seen> {
        self.seen()
            .into_iter()
            .filter(|seen| seen.action == action)
            .collect()
    }
}

async fn serve(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = query::fields(&body);
    let action = fields
        .iter()
        .find(|(key, _)| key == "Action")
        .map_or("", |(_, value)| value)
        .to_owned();
    let (fault, stop) = shared.note(&action, &fields);
    shared.held().await;
    if let Some(done) = stop {
        if done {
            let _ = shared.pass_on(&action, &fields, &headers, &body).await;
        }
        shared.stop();
        shared.gone_on().await;
        return broken();
    }
    shared.suffer(fault, &action, fields, &headers, body).await
}

impl Shared {
    /// Notes a request: what goes wrong with it, and whether the world stops at it.
    fn note(&self, action: &str, fields: &[(String, String)]) -> (Fault, Option<bool>) {
        let mut inner = self.inner.lock().expect("nobody panics with it");
        let index = inner.seen.len();
        inner.seen.push(Seen {
            action: action.to_owned(),
            fields: fields.to_vec(),
        });
        let stop = match inner.stop_at {
            Some((at, done)) if index == at => Some(done),
            // Whatever else was on its way does not arrive.
            Some((at, _)) if index > at => Some(false),
            _ => None,
        };
        let fault = inner.faults.get_mut(action).and_then(VecDeque::pop_front);
        (fault.unwrap_or(Fault::None), stop)
    }

    /// Waits as long as the request that has just come is to be held back, and those that came after it.
    async fn held(&self) {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            {
                let mut inner = self.inner.lock().expect("nobody panics with it");
                if inner.hold_at.is_none_or(|at| inner.seen.len() <= at) {
                    return;
                }
                if !std::mem::replace(&mut inner.stopped, true) {
                    self.arrived.notify_waiters();
                }
            }
            arrived.await;
        }
    }

    /// Waits until the world goes on.
    async fn gone_on(&self) {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if self
                .inner
                .lock()
                .expect("nobody panics with it")
                .stop_at
                .is_none()
            {
                return;
            }
            arrived.await;
        }
    }

    fn stop(&self) {
        self.inner.lock().expect("nobody panics with it").stopped = true;
        self.arrived.notify_waiters();
    }

    async fn suffer(
        self: &Arc<Self>,
        fault: Fault,
        action: &str,
        fields: Vec<(String, String)>,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Response {
        match fault {
            Fault::None => self.pass_on(action, &fields, headers, &body).await,
            Fault::Error(code) => refuse(code, Clock::Ours),
            Fault::Skewed(code) => refuse(code, Clock::LongAgo),
            Fault::Hang => std::future::pending().await,
            Fault::LoseAnswer => {
                let _ = self.pass_on(action, &fields, headers, &body).await;
                std::future::pending().await
            }
            Fault::RefuseAndDoLater(code) => {
                self.do_later(fields, headers.clone(), body);
                refuse(code, Clock::Ours)
            }
            Fault::Break => broken(),
        }
    }

    fn do_later(self: &Arc<Self>, fields: Vec<(String, String)>, headers: HeaderMap, body: Bytes) {
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            shared.released.notified().await;
            let (status, answer) = moto::post(shared.moto, authorization(&headers), &body)
                .await
                .expect("moto does what comes late");
            shared.follow(status, &fields, &answer);
            shared.inner.lock().expect("nobody panics with it").late_done += 1;
            shared.arrived.notify_waiters();
        });
    }

    /// To moto and back, with tokens and addresses as EC2 has them.
    async fn pass_on(
        &self,
        action: &str,
        fields: &[(String, String)],
        headers: &HeaderMap,
        body: &[u8],
    ) -> Response {
        let dry = fields
            .iter()
            .any(|(key, value)| key == "DryRun" && value == "true");
        let token = fields
            .iter()
            .find(|(key, _)| key == "ClientToken")
            .map(|(_, value)| value.clone());
        match token.filter(|_| action == "RunInstances" && !dry) {
            Some(token) => self.run_once(token, fields, headers, body).await,
            None => {
                let (answer, response) = self.answer(headers, body).await;
                if !dry {
                    self.follow(response.status(), fields, &answer.unwrap_or_default());
                }
                response
            }
        }
    }

    /// A token makes one machine: the second request with it gets the first one's answer.
    async fn run_once(
        &self,
        token: String,
        fields: &[(String, String)],
        headers: &HeaderMap,
        body: &[u8],
    ) -> Response {
        {
            let inner = self.inner.lock().expect("nobody panics with it");
            match inner.tokens.get(&token) {
                Some((used, _)) if used != fields => {
                    return refuse("IdempotentParameterMismatch", Clock::Ours);
                }
                Some((_, answer)) => return xml(StatusCode::OK, answer.clone(), Clock::Ours),
                None => {}
            }
        }
        match self.answer(headers, body).await {
            (Some(answer), response) if response.status() == StatusCode::OK => {
                // EC2 gives a machine its address a moment later.
                let answer = query::with_text(&answer, "ipAddress", |_| String::new());
                self.follow(StatusCode::OK, fields, &answer);
                let mut inner = self.inner.lock().expect("nobody panics with it");
                inner.tokens.insert(token, (fields.to_vec(), answer.clone()));
                xml(StatusCode::OK, answer, Clock::Ours)
            }
            (_, response) => response,
        }
    }

    /// The address of the instance of which the document spoke last.
    fn address(&self, before: &str) -> String {
        let instance = query::texts(before, "instanceId").pop();
        let machine = self.machines.as_ref().zip(instance);
        let address = machine.and_then(|(machines, instance)| machines.address(instance));
        address.map_or(MACHINE_ADDRESS.into(), |address| address.to_string())
    }

    /// Machines start and end as the account's instances do.
    fn follow(&self, status: StatusCode, fields: &[(String, String)], answer: &str) {
        let Some(machines) = self.machines.as_ref().filter(|_| status == StatusCode::OK) else {
            return;
        };
        let action = fields.iter().find(|(key, _)| key == "Action");
        for instance in query::texts(answer, "instanceId") {
            match action.map(|(_, value)| value.as_str()) {
                Some("RunInstances") => machines
                    .start(instance, fields)
                    .expect("a machine can be started"),
                Some("TerminateInstances") => machines.end(instance),
                _ => {}
            }
        }
    }

    async fn answer(&self, headers: &HeaderMap, body: &[u8]) -> (Option<String>, Response) {
        match moto::post(self.moto, authorization(headers), &query::known(body)).await {
            Ok((status, text)) => {
                let text = query::with_text(&text, "ipAddress", |before| self.address(before));
                let text = query::with_text(&text, "publicIp", |before| self.address(before));
                (Some(text.clone()), xml(status, text, Clock::Ours))
            }
            Err(error) => (None, (StatusCode::BAD_GATEWAY, error.to_string()).into_response()),
        }
    }
}

/// What the answer's date says.
#[derive(Clone, Copy, PartialEq)]
enum Clock {
    Ours,
    LongAgo,
}

/// Whoever waits for a status gets none that means anything: the gateway before EC2 says so.
fn broken() -> Response {
    (StatusCode::BAD_GATEWAY, "").into_response()
}

fn refuse(code: &str, clock: Clock) -> Response {
    let status = match code {
        "RequestLimitExceeded" | "Unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        "InternalError" => StatusCode::INTERNAL_SERVER_ERROR,
        "UnauthorizedOperation" => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };
    let message = "Told by the rig. Encoded authorization failure message: c2VjcmV0";
    xml(status, query::error(code, message), clock)
}

fn xml(status: StatusCode, text: String, clock: Clock) -> Response {
    let mut response = (status, [(header::CONTENT_TYPE, "text/xml")], text).into_response();
    if clock == Clock::LongAgo {
        let date = header::HeaderValue::from_static("Sat, 01 Jan 2000 00:00:00 GMT");
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// The one header that moto looks at: it says for which service and region the request is.
fn authorization(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}
