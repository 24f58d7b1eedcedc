//! Channel links: `banyan://KEY?a=ADDRESS&a=ADDRESS&s=SECRET&t=TITLE` (`docs/protocol.md` §2).

use crate::id::{PublicKey, key_text};
use crate::limits::{ADDRESSES_MAX, TEXT_MAX};
use crate::wire::text;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;

const SCHEME: &str = "banyan://";

/// Lets its holder join a private channel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct JoinSecret(pub [u8; 16]);

impl fmt::Debug for JoinSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinSecret(…)")
    }
}

/// All that a viewer needs to join a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelLink {
    /// The channel: its broadcaster's key.
    pub channel: PublicKey,
    /// Where the broadcaster may be reached, best first, at least one.
    pub addresses: Vec<SocketAddr>,
    /// For a private channel.
    pub secret: Option<JoinSecret>,
    /// What the broadcaster calls it.
    pub title: Option<String>,
}

/// What is wrong with a link, in words for the person who pasted it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It does not begin with `banyan://`.
    #[error("a channel link begins with banyan://")]
    Scheme,
    /// The key is not 52 letters and digits.
    #[error("the key in the link is damaged; was it copied whole?")]
    Key,
    /// There is no address.
    #[error("the link names no address; was it copied whole?")]
    NoAddress,
    /// An address is none.
    #[error("“{0}” in the link is not an address")]
    Address(String),
    /// The join secret is damaged.
    #[error("the join secret in the link is damaged; was it copied whole?")]
    Secret,
    /// Too many addresses, or too long a title.
    #[error("the link is too long")]
    TooLong,
}

impl FromStr for ChannelLink {
    type Err = LinkError;

    /// Reads a link; parameters that a later version added are passed over.
    fn from_str(link: &str) -> Result<Self, LinkError> {
        let link = link.trim();
        let scheme = link
            .get(..SCHEME.len())
            .filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
        scheme.ok_or(LinkError::Scheme)?;
        let (key, query) = link[SCHEME.len()..].split_once('?').ok_or(LinkError::NoAddress)?;
        let key = text::from_base32(key.trim_end_matches('/')).and_then(|key| key.try_into().ok());
        let mut read = Self {
            channel: PublicKey(key.ok_or(LinkError::Key)?),
            addresses: Vec::new(),
            secret: None,
            title: None,
        };
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            read.take(name, value)?;
        }
        if read.addresses.is_empty() {
            Err(LinkError::NoAddress)
        } else {
            Ok(read)
        }
    }
}

impl ChannelLink {
    fn take(&mut self, name: &str, value: &str) -> Result<(), LinkError> {
        match name {
            "a" => {
                let address = value.parse().map_err(|_| LinkError::Address(value.to_string()))?;
                self.addresses.push(address);
            }
            "s" => {
                let secret = text::from_base32(value).and_then(|secret| secret.try_into().ok());
                self.secret = Some(JoinSecret(secret.ok_or(LinkError::Secret)?));
            }
            "t" => self.title = Some(unescape(value)),
            _ => {}
        }
        let title = self.title.as_ref().map_or(0, String::len);
        if self.addresses.len() > ADDRESSES_MAX || title > TEXT_MAX {
            return Err(LinkError::TooLong);
        }
        Ok(())
    }
}

impl fmt::Display for ChannelLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", key_text(&self.channel))?;
        for (index, address) in self.addresses.iter().enumerate() {
            write!(f, "{}a={address}", if index == 0 { '?' } else { '&' })?;
        }
        if let Some(secret) = &self.secret {
            write!(f, "&s={}", text::base32(&secret.0))?;
        }
        match &self.title {
            Some(title) => write!(f, "&t={}", escape(title)),
            None => Ok(()),
        }
    }
}

/// Percent-encodes all but letters, digits and `-_.~` (RFC 3986 §2).
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(byte as char);
        } else {
            escaped.push_str(&alloc::format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Undoes [`escape`]; a damaged escape stays as it is.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|hex| core::str::from_utf8(hex).ok());
        match code
            .filter(|_| *first == b'%')
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_comes_back() {
        let link = ChannelLink {
            channel: PublicKey([9; 32]),
            addresses: alloc::vec![
                "192.0.2.7:4600".parse().unwrap(),
                "[2001:db8::1]:4600".parse().unwrap()
            ],
            secret: Some(JoinSecret([3; 16])),
            title: Some("Käse & Brot 100 %".to_string()),
        };
        assert_eq!(link.to_string().parse(), Ok(link));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let key = key_text(&PublicKey([9; 32]));
        let parse = |link: &str| link.parse::<ChannelLink>().unwrap_err();
        assert_eq!(parse("http://example.org"), LinkError::Scheme);
        assert_eq!(parse("banyän://"), LinkError::Scheme);
        assert_eq!(parse("banyan://abc?a=1.2.3.4:5"), LinkError::Key);
        assert_eq!(parse(&alloc::format!("banyan://{key}")), LinkError::NoAddress);
        assert_eq!(parse(&alloc::format!("banyan://{key}?t=x")), LinkError::NoAddress);
        assert_eq!(
            parse(&alloc::format!("banyan://{key}?a=1.2.3")),
            LinkError::Address("1.2.3".to_string())
        );
        assert_eq!(
            parse(&alloc::format!("banyan://{key}?a=1.2.3.4:5&s=1")),
            LinkError::Secret
        );
    }
}
