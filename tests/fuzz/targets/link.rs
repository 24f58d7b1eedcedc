//! Channel links.
#![no_main]

use banyan_protocol::wire::link::ChannelLink;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(link) = text.parse::<ChannelLink>() {
        assert_eq!(link.to_string().parse(), Ok(link));
    }
});
