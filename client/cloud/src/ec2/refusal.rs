//! What EC2's refusals mean: what to do next, and what to say.

use super::call::{NoCredentials, Refusal};
use crate::failure::{Failure, Why};
use crate::region::Region;

/// What a refusal means for what was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Not now: ask again.
    Again,
    /// Nobody knows whether it was done: ask again, the same.
    Unknown,
    /// Not here: another zone or type may do.
    Elsewhere,
    /// Not so much: the account may not run so many processors of this kind.
    Smaller,
    /// The token was used before, with another request.
    Mismatch,
    /// What was asked about is not there.
    Gone,
    /// It was there already.
    Exists,
    /// It would have been done.
    Allowed,
    /// Never.
    Final(Why),
}

/// This machine's clock may be wrong by as much: EC2 takes no request that is older.
const SKEW_MAX_S: i64 = 240;

impl Refusal {
    /// What it means.
    pub(crate) fn meaning(&self) -> Meaning {
        match self {
            Self::NoAnswer(_) => Meaning::Unknown,
            Self::NoCredentials(NoCredentials::None) => Meaning::Final(Why::NoCredentials),
            Self::NoCredentials(NoCredentials::Stale) => Meaning::Final(Why::Expired),
            Self::Code {
                code,
                message,
                ahead_s,
            } => {
                let skewed = ahead_s.is_some_and(|ahead| ahead.abs() > SKEW_MAX_S);
                code_means(code, message, skewed)
            }
        }
    }

    /// EC2's word for it, for events and the ledger.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Code { code, .. } => code,
            Self::NoAnswer(_) => "no answer",
            Self::NoCredentials(_) => "no credentials",
        }
    }

    /// What a viewer is told when this ends it.
    pub(crate) fn failure(&self, action: &str, region: &Region) -> Failure {
        let why = match self.meaning() {
            Meaning::Final(why) => why,
            Meaning::Again => Why::Throttled,
            Meaning::Unknown => Why::Unreachable,
            Meaning::Elsewhere => Why::Capacity,
            Meaning::Smaller => Why::Quota,
            Meaning::Gone | Meaning::Mismatch | Meaning::Exists | Meaning::Allowed => Why::Refused,
        };
        Failure::new(why, self.sentence(why, action, region))
    }

    fn sentence(&self, why: Why, action: &str, region: &Region) -> String {
        match why {
            Why::NoCredentials => "no AWS sign-in was found; run “aws login” (or “aws configure”), or name a profile with AWS_PROFILE, and try again".into(),
            Why::Expired => "the AWS sign-in has expired; run “aws login” (or “aws sso login”) again, and try again".into(),
            Why::WrongCredentials => "AWS does not know these credentials; check AWS_PROFILE or run “aws login” again".into(),
            Why::Unauthorized => format!(
                "the AWS account's policy does not allow ec2:{action} in {region}; attach what “banyan cloud policy” prints, then see “banyan cloud check”"
            ),
            Why::Account => format!(
                "the AWS account cannot be used in {region} yet ({}); finish its set-up in the AWS console, or choose another region with --region",
                self.word()
            ),
            Why::Quota => format!(
                "the AWS account may not run another machine in {region}; end one, ask AWS for a higher vCPU quota (Service Quotas, “Running On-Demand Standard instances”), or choose another region with --region"
            ),
            Why::Capacity => format!(
                "EC2 has no free machine in {region} at the moment; choose another region with --region, or try again later"
            ),
            Why::Throttled => format!("EC2 in {region} has too many requests from this account; try again in a minute"),
            Why::Clock => format!(
                "this computer's clock is wrong{}, so AWS refuses its requests; set it, and try again",
                self.ahead()
            ),
            Why::Unreachable => format!("EC2 in {region} does not answer; check the network, and try again"),
            _ => format!("EC2 refused {action} in {region}: {}", self.scrubbed()),
        }
    }

    fn ahead(&self) -> String {
        match self {
            Self::Code {
                ahead_s: Some(ahead), ..
            } if ahead.abs() > SKEW_MAX_S => {
                let minutes = ahead.unsigned_abs() / 60;
                let direction = if *ahead > 0 { "ahead" } else { "behind" };
                format!(" ({minutes} min {direction})")
            }
            _ => String::new(),
        }
    }

    /// EC2's own words, without what they may tell of the account.
    fn scrubbed(&self) -> String {
        match self {
            Self::Code { code, message, .. } => format!("{code} ({})", scrub(message)),
            Self::NoAnswer(why) => scrub(why),
            Self::NoCredentials(_) => "no credentials".into(),
        }
    }
}

/// How much of a message is shown.
const WORDS_MAX: usize = 30;

/// Leaves out key ids, account numbers, resource names and encoded parts.
fn scrub(message: &str) -> String {
    let message = message.split("Encoded authorization").next().unwrap_or_default();
    let words = message.split_whitespace().take(WORDS_MAX);
    let words: Vec<&str> = words
        .map(|word| if is_private(word) { "…" } else { word })
        .collect();
    words.join(" ")
}

fn is_private(word: &str) -> bool {
    let key_id = ["AKIA", "ASIA", "AROA", "AIDA"]
        .iter()
        .any(|prefix| word.contains(prefix));
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    key_id || word.contains("arn:") || digits >= 12 || word.len() > 60
}

fn code_means(code: &str, message: &str, skewed: bool) -> Meaning {
    let says_time = ["expired", "not yet current", "must be within"]
        .iter()
        .any(|word| message.contains(word));
    match code {
        "DryRunOperation" => Meaning::Allowed,
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "EC2ThrottledException"
        | "Client.RequestLimitExceeded"
        | "ResourceCountExceeded" => Meaning::Again,
        // What was made a moment ago is not known everywhere yet.
        "InvalidGroup.NotFound" | "InvalidGroupId.Malformed" => Meaning::Again,
        "InternalError"
        | "InternalFailure"
        | "Unavailable"
        | "ServiceUnavailable"
        | "RequestTimeout"
        | "RequestTimeoutException" => Meaning::Unknown,
        "InsufficientInstanceCapacity"
        | "InsufficientHostCapacity"
        | "InsufficientCapacity"
        | "InsufficientReservedInstanceCapacity"
        | "InsufficientFreeAddressesInSubnet"
        | "InsufficientAddressCapacity"
        | "Unsupported"
        | "UnsupportedHostConfiguration"
        | "InstanceTypeNotSupported"
        | "IdempotentInstanceTerminated" => Meaning::Elsewhere,
        "InvalidParameterValue" if message.contains("instanceType") || message.contains("InstanceType") => {
            Meaning::Elsewhere
        }
        "VcpuLimitExceeded" | "InstanceLimitExceeded" => Meaning::Smaller,
        "IdempotentParameterMismatch" => Meaning::Mismatch,
        "InvalidInstanceID.NotFound" | "InvalidInstanceID.Malformed" => Meaning::Gone,
        "InvalidGroup.Duplicate" | "InvalidPermission.Duplicate" => Meaning::Exists,
        "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => {
            Meaning::Final(Why::Unauthorized)
        }
        "RequestExpired" | "RequestTimeTooSkewed" => Meaning::Final(Why::Clock),
        "SignatureDoesNotMatch" | "InvalidSignatureException" | "AuthFailure" if skewed || says_time => {
            Meaning::Final(Why::Clock)
        }
        "ExpiredToken" | "ExpiredTokenException" => Meaning::Final(Why::Expired),
        "AuthFailure"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken" => Meaning::Final(Why::WrongCredentials),
        "OptInRequired" | "PendingVerification" | "Blocked" | "AccountDisabled" => {
            Meaning::Final(Why::Account)
        }
        "VPCIdNotSpecified" | "MissingInput" | "InvalidSubnetID.NotFound" | "InvalidVpcID.NotFound" => {
            Meaning::Final(Why::NoNetwork)
        }
        "InvalidAMIID.NotFound" | "InvalidAMIID.Unavailable" | "InvalidAMIID.Malformed" => {
            Meaning::Final(Why::Image)
        }
        _ => Meaning::Final(Why::Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: &str, message: &str) -> Refusal {
        Refusal::Code {
            code: code.into(),
            message: message.into(),
            ahead_s: None,
        }
    }

    fn sentence(refusal: &Refusal) -> String {
        refusal
            .failure("RunInstances", &"eu-west-1".parse().unwrap())
            .sentence
    }

    #[test]
    fn a_wrong_key_and_a_wrong_clock_are_told_apart() {
        let message = "AWS was not able to validate the provided access credentials";
        assert_eq!(
            code("AuthFailure", message).meaning(),
            Meaning::Final(Why::WrongCredentials)
        );
        let skewed = Refusal::Code {
            code: "AuthFailure".into(),
            message: message.into(),
            ahead_s: Some(-1800),
        };
        assert_eq!(skewed.meaning(), Meaning::Final(Why::Clock));
        assert!(
            sentence(&skewed).contains("(30 min behind)"),
            "{}",
            sentence(&skewed)
        );
        let old = code(
            "SignatureDoesNotMatch",
            "Signature expired: 2026 is now earlier than 2027",
        );
        assert_eq!(old.meaning(), Meaning::Final(Why::Clock));
    }

    #[test]
    fn a_type_that_a_region_does_not_have_is_tried_elsewhere() {
        let refusal = code(
            "InvalidParameterValue",
            "Invalid value 't4g.small' for InstanceType.",
        );
        assert_eq!(refusal.meaning(), Meaning::Elsewhere);
        assert_eq!(
            code("InvalidParameterValue", "bad").meaning(),
            Meaning::Final(Why::Refused)
        );
    }

    #[test]
    fn every_sentence_says_what_to_do() {
        let say = [
            (code("UnauthorizedOperation", ""), "banyan cloud policy"),
            (code("VcpuLimitExceeded", ""), "quota"),
            (code("InsufficientInstanceCapacity", ""), "--region"),
            (code("ExpiredToken", ""), "aws login"),
            (code("RequestLimitExceeded", ""), "try again"),
            (code("OptInRequired", ""), "--region"),
            (Refusal::NoCredentials(NoCredentials::None), "aws login"),
            (Refusal::NoCredentials(NoCredentials::Stale), "expired"),
            (Refusal::NoAnswer("timed out".into()), "try again"),
        ];
        for (refusal, words) in say {
            assert!(
                sentence(&refusal).contains(words),
                "{refusal:?}: {}",
                sentence(&refusal)
            );
        }
    }

    #[test]
    fn what_ec2_says_of_the_account_is_left_out() {
        let refusal = code(
            "SomethingNew",
            "User: arn:aws:iam::123456789012:user/me with AKIAIOSFODNN7EXAMPLE may not. Encoded authorization failure message: abcdef",
        );
        let sentence = sentence(&refusal);
        assert!(
            sentence.contains("SomethingNew") && sentence.contains("may not."),
            "{sentence}"
        );
        for private in ["arn:", "123456789012", "AKIA", "abcdef"] {
            assert!(!sentence.contains(private), "{sentence}");
        }
    }
}
