//! All that the window shows, and how what happens changes it. Nothing here knows a window, a clock or a network.

pub mod account;
mod broadcasting;
mod channels;
mod closing;
mod command;
mod form;
mod history;
mod leaving;
mod network;
mod news;
pub mod own;
mod relays;
pub mod samples;
mod settings;
mod sponsoring;
mod watching;

pub use account::{Account, Looked, SetUp};
pub use broadcasting::{Broadcasting, Preview};
pub use channels::{Channel, Channels};
pub use closing::Closing;
pub use command::{Command, PlayerOrder, RelayOrder};
pub use form::{Form, Inputs, Push, Quality, Source};
pub use history::{History, Sample};
pub use leaving::Leaving;
pub use network::Network;
pub use news::News;
pub use relays::{Found, Relays};
pub use settings::{Look, Provider, Settings, SponsorWish};
pub use sponsoring::{Reply, Request, Terms};
pub use watching::{Playing, Trouble, Watching};

use banyan::file::Cloud as Site;

/// A page of the app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// A channel, or the way to one.
    #[default]
    Watch,
    /// One's own channel.
    Broadcast,
    /// Who feeds whom.
    Network,
    /// Relays and what they cost.
    Relays,
    /// What the person prefers.
    Settings,
}

impl Page {
    /// All of them, in the order of the navigation.
    pub const ALL: [Self; 5] = [
        Self::Watch,
        Self::Broadcast,
        Self::Network,
        Self::Relays,
        Self::Settings,
    ];

    /// Its name.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Watch => "Watch",
            Self::Broadcast => "Broadcast",
            Self::Network => "Network",
            Self::Relays => "Relays",
            Self::Settings => "Settings",
        }
    }
}

/// What other parts say in passing, beginning and ending as sentences do.
pub fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gravity {
    /// Good to know.
    Note,
    /// Something is not as it should be.
    Warning,
    /// What was asked for did not happen.
    Failure,
}

/// A message that stays until it is put away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How grave.
    pub gravity: Gravity,
    /// A sentence: what happened and what to do.
    pub text: String,
}

/// The most messages shown at once; older ones go.
const MESSAGES_MAX: usize = 3;

/// All that the window shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The page shown.
    pub page: Page,
    /// What is typed into the link's field.
    pub link: String,
    /// Channels that were watched or are kept.
    pub channels: Channels,
    /// The channel that is watched.
    pub watching: Option<Watching>,
    /// What the next broadcast will be.
    pub form: Form,
    /// The input that is looked at before that.
    pub preview: Option<Preview>,
    /// The broadcast that is on the air.
    pub broadcasting: Option<Broadcasting>,
    /// The request to sponsor that is open.
    pub request: Option<Request>,
    /// The network of the channel that is watched.
    pub network: Network,
    /// The network of one's own channel.
    pub own_network: Network,
    /// Whether one's own is looked at where there are both.
    pub looks_at_own: bool,
    /// What runs in this person's name.
    pub relays: Relays,
    /// What the person prefers.
    pub settings: Settings,
    /// What relays in the cloud are, as far as the config file says.
    pub site: Site,
    /// Whether the cloud account is ready.
    pub account: Account,
    /// The name of this computer's sign-in to AWS.
    pub profile: String,
    /// How much longer relays are to run, in minutes, as it is set.
    pub longer_min: u32,
    /// What this person is asked about before they leave it.
    pub leaving: Option<Leaving>,
    /// The time, in seconds since 1970, as it was told last.
    pub now_s: u64,
    /// Messages, oldest first.
    pub messages: Vec<Message>,
    /// Whether the picture fills the screen.
    pub full_screen: bool,
    /// How far the end of the program is, once it has begun.
    pub closing: Option<Closing>,
    /// Whether the window closes now, whatever is still to be left.
    pub quits: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self::new(Settings::default(), Channels::default())
    }
}

impl Model {
    /// A model that shows what was kept.
    pub fn new(settings: Settings, channels: Channels) -> Self {
        Self {
            form: Form::of(&settings),
            settings,
            channels,
            page: Page::default(),
            link: String::new(),
            watching: None,
            preview: None,
            broadcasting: None,
            request: None,
            network: Network::default(),
            own_network: Network::default(),
            looks_at_own: false,
            relays: Relays::default(),
            site: Site::default(),
            account: Account::default(),
            profile: account::USUAL_PROFILE.into(),
            longer_min: 60,
            leaving: None,
            now_s: 0,
            messages: Vec::new(),
            full_screen: false,
            closing: None,
            quits: false,
        }
    }

    /// Shows a message until it is put away.
    pub fn say(&mut self, gravity: Gravity, text: impl Into<String>) {
        let message = Message {
            gravity,
            text: text.into(),
        };
        self.messages.retain(|said| *said != message);
        self.messages.push(message);
        let surplus = self.messages.len().saturating_sub(MESSAGES_MAX);
        self.messages.drain(..surplus);
    }
}
