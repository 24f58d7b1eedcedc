//! Why a link ended, from what the transport says.

use banyan_protocol::io::LinkEnd;
use banyan_protocol::wire::close::CloseCode;
use quinn::{ConnectionError, TransportErrorCode};

/// TLS's alert `no_application_protocol` (RFC 7301 §3.2).
const NO_APPLICATION_PROTOCOL: u8 = 120;

pub(crate) fn of(error: &ConnectionError) -> LinkEnd {
    match error {
        ConnectionError::VersionMismatch => LinkEnd::Version,
        ConnectionError::TimedOut => LinkEnd::TimedOut,
        ConnectionError::ApplicationClosed(close) => {
            LinkEnd::Closed(CloseCode::from_u64(close.error_code.into_inner()))
        }
        ConnectionError::ConnectionClosed(close) => of_code(close.error_code),
        ConnectionError::TransportError(error) => of_code(error.code),
        ConnectionError::Reset | ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => {
            LinkEnd::Failed
        }
    }
}

fn of_code(code: TransportErrorCode) -> LinkEnd {
    if code == TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL) {
        LinkEnd::Version
    } else if code == TransportErrorCode::CONNECTION_REFUSED {
        LinkEnd::Closed(CloseCode::Busy)
    } else {
        LinkEnd::Failed
    }
}

/// Closes `connection` with a code and its text.
pub(crate) fn close(connection: &quinn::Connection, code: CloseCode) {
    connection.close((code as u32).into(), code.to_string().as_bytes());
}
