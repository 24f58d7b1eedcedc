//! The machine's user data, from the instance metadata service (EC2's IMDSv2: a token first, then what it opens).
//!
//! Two requests at boot, to one address, for one small text: a whole HTTP client would be larger than all the rest.

use banyan_protocol::role::relay::boot::BOOT_DATA_MAX;
use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Names another address than the one of every cloud, `http://ADDRESS:PORT`: for tests.
pub const ADDRESS_VARIABLE: &str = "BANYAN_METADATA";

/// Where every instance finds the service.
const SERVICE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);

/// One request: the service is on the same host, and answers in milliseconds.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// A machine that boots may be without network for a while, and is useless for as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// How long the token is good, in seconds: for the one request that follows.
const TOKEN_S: u32 = 60;

/// A head that is longer is no metadata service's; nor is such a token.
const HEAD_MAX: usize = 4096;

/// No user data.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The variable holds something else.
    #[error("{ADDRESS_VARIABLE} is http://ADDRESS:PORT, not {0:?}")]
    Address(String),
    /// Nobody answers.
    #[error(
        "no metadata service at {address} ({source}); is this a machine in the cloud? Else name the boot data with --config"
    )]
    Silent {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// It has none, or refuses.
    #[error("the metadata service at {address} answers {status} to the question for {what}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// The status code.
        status: u16,
        /// The token, or the user data.
        what: &'static str,
    },
    /// More than fits.
    #[error("the user data are longer than {BOOT_DATA_MAX} bytes: they are not a relay's")]
    TooLong,
}

/// This machine's user data.
///
/// # Errors
/// If nobody gives any within a minute, or they are longer than [`BOOT_DATA_MAX`].
pub async fn user_data() -> Result<Vec<u8>, Unanswered> {
    let address = match env::var(ADDRESS_VARIABLE) {
        Ok(text) => parse_address(&text).ok_or(Unanswered::Address(text))?,
        Err(_) => SERVICE,
    };
    let asked = timeout(PATIENCE, ask_until_answered(address)).await;
    asked.unwrap_or_else(|_| Err(silent(address, io::ErrorKind::TimedOut.into())))
}

fn parse_address(text: &str) -> Option<SocketAddr> {
    let address = text.strip_prefix("http://")?;
    address.strip_suffix('/').unwrap_or(address).parse().ok()
}

/// Asks again while nobody answers, and after an answer that says "later".
async fn ask_until_answered(address: SocketAddr) -> Result<Vec<u8>, Unanswered> {
    loop {
        match ask(address).await {
            Err(unanswered) if may_pass(&unanswered) => {
                tracing::debug!(%unanswered, "asking again");
                sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

fn may_pass(unanswered: &Unanswered) -> bool {
    match unanswered {
        Unanswered::Silent { .. } => true,
        Unanswered::Refused { status, .. } => *status >= 500,
        Unanswered::Address(_) | Unanswered::TooLong => false,
    }
}

async fn ask(address: SocketAddr) -> Result<Vec<u8>, Unanswered> {
    let life = format!("X-aws-ec2-metadata-token-ttl-seconds: {TOKEN_S}");
    let token = request(address, "PUT /latest/api/token", &life, "a token").await?;
    let token = String::from_utf8(token).unwrap_or_default();
    let shown = format!("X-aws-ec2-metadata-token: {}", token.trim());
    if !shown.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(silent(address, io::ErrorKind::InvalidData.into()));
    }
    request(address, "GET /latest/user-data", &shown, "user data").await
}

async fn request(
    address: SocketAddr,
    line: &str,
    header: &str,
    what: &'static str,
) -> Result<Vec<u8>, Unanswered> {
    // A PUT without a body says so, or some servers wait for one.
    let text = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\n{header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let exchanged = timeout(REQUEST_MAX, exchange(address, text.as_bytes())).await;
    let bytes = exchanged
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|source| silent(address, source))?;
    let answer = Answer::parse(&bytes).ok_or_else(|| silent(address, io::ErrorKind::InvalidData.into()))?;
    match answer.status {
        200 if answer.is_whole(&bytes) => Ok(answer.body.to_vec()),
        200 => Err(Unanswered::TooLong),
        status => Err(Unanswered::Refused {
            address,
            status,
            what,
        }),
    }
}

fn silent(address: SocketAddr, source: io::Error) -> Unanswered {
    Unanswered::Silent { address, source }
}

/// Says `text`, and returns what is said until the other end is done, or has said more than a relay reads.
async fn exchange(address: SocketAddr, text: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(text).await?;
    let mut bytes = Vec::new();
    let mut bounded = stream.take(READ_MAX as u64);
    while bounded.read_buf(&mut bytes).await? > 0 {
        // Not everybody closes when asked to.
        if Answer::parse(&bytes).is_some_and(|answer| answer.is_complete()) {
            break;
        }
    }
    Ok(bytes)
}

/// A head, the longest body, and a byte that shows that there is more.
const READ_MAX: usize = HEAD_MAX + BOOT_DATA_MAX + 1;

/// An answer in HTTP/1 (RFC 9112), as far as a metadata service uses it.
#[derive(Debug, PartialEq, Eq)]
struct Answer<'a> {
    status: u16,
    /// What the head promises of the body; without it, the body ends with the connection.
    length: Option<usize>,
    body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The answer in `bytes`; `None` while its head is not complete, or if it is in a coding that no such service uses.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        words.next()?.starts_with("HTTP/1.").then_some(())?;
        let status = words.next()?.parse().ok()?;
        let mut length = None;
        for line in lines {
            let (name, value) = line.split_once(':')?;
            if name.eq_ignore_ascii_case("transfer-encoding") {
                return None;
            }
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse().ok()?);
            }
        }
        let body = &bytes[end + 4..];
        let body = &body[..body.len().min(length.unwrap_or(usize::MAX))];
        Some(Self { status, length, body })
    }

    fn is_complete(&self) -> bool {
        self.length == Some(self.body.len())
    }

    /// Whether the body is all there, given that nothing more was read than `bytes`.
    fn is_whole(&self, bytes: &[u8]) -> bool {
        let fits = self.body.len() <= BOOT_DATA_MAX;
        fits && match self.length {
            Some(length) => length == self.body.len(),
            None => bytes.len() < READ_MAX,
        }
    }
}

#[cfg(test)]
mod tests;
