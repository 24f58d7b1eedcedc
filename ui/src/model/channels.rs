//! Channels that were watched lately, and those that are kept.

use banyan_protocol::wire::link::ChannelLink;
use serde::{Deserialize, Serialize};

/// The most channels that are remembered beside those that are kept.
const RECENT_MAX: usize = 12;

/// A channel that can be joined again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// What its broadcaster, or this person, calls it.
    pub title: String,
    /// The link.
    pub link: String,
    /// Whether it is kept.
    #[serde(default)]
    pub kept: bool,
}

/// Channels, the one watched last first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Channels(Vec<Channel>);

impl Channels {
    /// Those that are kept first, then the recent ones.
    pub fn in_order(&self) -> impl Iterator<Item = &Channel> {
        let kept = self.0.iter().filter(|channel| channel.kept);
        kept.chain(self.0.iter().filter(|channel| !channel.kept))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the channel of `link` first. A link that is none is not remembered.
    pub fn watched(&mut self, link: &str, title: &str) {
        let Ok(parsed) = link.parse::<ChannelLink>() else {
            return;
        };
        let known = self.position(&parsed);
        let mut channel = known.map_or_else(|| Channel::of(&parsed, link), |at| self.0.remove(at));
        channel.link = link.into();
        if !title.is_empty() {
            channel.title = title.into();
        }
        self.0.insert(0, channel);
        self.forget_the_oldest();
    }

    /// Keeps the channel of `link`, or no longer.
    pub fn keep(&mut self, link: &str, kept: bool) {
        for channel in self.0.iter_mut().filter(|channel| channel.link == link) {
            channel.kept = kept;
        }
        self.forget_the_oldest();
    }

    /// Forgets the channel of `link`.
    pub fn forget(&mut self, link: &str) {
        self.0.retain(|channel| channel.link != link);
    }

    fn position(&self, link: &ChannelLink) -> Option<usize> {
        let is_it = |channel: &Channel| {
            let parsed = channel.link.parse::<ChannelLink>();
            parsed.is_ok_and(|known| known.channel == link.channel)
        };
        self.0.iter().position(is_it)
    }

    fn forget_the_oldest(&mut self) {
        let mut recent = 0;
        self.0.retain(|channel| {
            recent += usize::from(!channel.kept);
            channel.kept || recent <= RECENT_MAX
        });
    }
}

impl Channel {
    fn of(parsed: &ChannelLink, link: &str) -> Self {
        let key = banyan_protocol::id::key_text(&parsed.channel);
        Self {
            title: parsed
                .title
                .clone()
                .unwrap_or_else(|| format!("Channel {}", &key[..6])),
            link: link.into(),
            kept: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_protocol::id::PublicKey;

    fn link(n: u8, title: &str) -> String {
        let link = ChannelLink {
            channel: PublicKey([n; 32]),
            addresses: vec!["192.0.2.1:4600".parse().unwrap()],
            secret: None,
            title: (!title.is_empty()).then(|| title.into()),
        };
        link.to_string()
    }

    #[test]
    fn a_channel_is_remembered_once_and_the_last_first() {
        let mut channels = Channels::default();
        channels.watched(&link(1, "One"), "");
        channels.watched(&link(2, ""), "Two");
        channels.watched(&link(1, "One"), "One, renamed");
        let titles: Vec<&str> = channels.in_order().map(|channel| &*channel.title).collect();
        assert_eq!(titles, ["One, renamed", "Two"]);
        channels.watched("no link", "No");
        assert_eq!(channels.in_order().count(), 2);
    }

    #[test]
    fn who_is_kept_stays() {
        let mut channels = Channels::default();
        channels.watched(&link(0, "Kept"), "");
        channels.keep(&link(0, "Kept"), true);
        for n in 1..=20 {
            channels.watched(&link(n, ""), "");
        }
        assert_eq!(channels.in_order().count(), 1 + RECENT_MAX);
        assert_eq!(channels.in_order().next().unwrap().title, "Kept");
        channels.forget(&link(0, "Kept"));
        assert_eq!(channels.in_order().count(), RECENT_MAX);
    }
}
