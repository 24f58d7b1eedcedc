//! The SDK's errors in our words.

use crate::ec2::call::Refusal;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::primitives::{DateTime, DateTimeFormat};
use std::time::{SystemTime, UNIX_EPOCH};

/// What EC2 said, or that it said nothing; `None` if it was perhaps never asked.
pub(super) fn of<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<Refusal> {
    match error {
        SdkError::ServiceError(service) => {
            let raw = service.raw();
            let Some(code) = service.err().code() else {
                return Some(Refusal::NoAnswer(format!("HTTP status {}", raw.status())));
            };
            Some(Refusal::Code {
                code: code.to_owned(),
                message: service.err().message().unwrap_or_default().to_owned(),
                ahead_s: raw.headers().get("date").and_then(ahead),
            })
        }
        SdkError::TimeoutError(_) => Some(Refusal::NoAnswer("no answer in time".into())),
        SdkError::ResponseError(response) => Some(Refusal::NoAnswer(format!(
            "an answer that cannot be read, HTTP status {}",
            response.raw().status()
        ))),
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            Some(Refusal::NoAnswer(transport(error).to_owned()))
        }
        _ => None,
    }
}

/// What went wrong on the way. The SDK's own words may quote requests, so they stay out.
pub(super) fn transport<E>(error: &SdkError<E>) -> &'static str {
    match error {
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "no connection in time",
        SdkError::DispatchFailure(failure) if failure.is_io() => "the connection failed",
        SdkError::ConstructionFailure(_) => "the request could not be made",
        _ => "the request could not be sent",
    }
}

/// How far this machine's clock is ahead of the one that wrote the answer, in seconds.
fn ahead(date: &str) -> Option<i64> {
    let theirs = DateTime::from_str(date, DateTimeFormat::HttpDate).ok()?.secs();
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(i64::try_from(ours).ok()? - theirs)
}
