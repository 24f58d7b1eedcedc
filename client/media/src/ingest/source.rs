//! What an input is, by its name.

use crate::error::Error;
use std::net::{TcpListener, ToSocketAddrs, UdpSocket};

/// An input as FFmpeg is to open it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// As the person gave it, but for secrets.
    pub(crate) name: String,
    /// What FFmpeg is given.
    pub(crate) url: String,
    /// The demuxer, where it cannot be guessed.
    pub(crate) format: Option<&'static str>,
    /// Options of demuxer and protocol.
    pub(crate) options: Vec<(&'static str, String)>,
    /// What kind it is.
    pub(crate) kind: Kind,
    /// What the test pattern is to be encoded like.
    pub(crate) wish: Wish,
}

/// How an input behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Has an end, and is read as fast as we like.
    File,
    /// Made here, without end.
    Test,
    /// Fetched: a file or a live stream, as it turns out; comes in bursts.
    Remote,
    /// We listen on a TCP port, and somebody pushes.
    ListenTcp,
    /// We listen on a UDP port, and somebody pushes over a connection.
    ListenUdp,
    /// Datagrams come, or not.
    Datagrams,
    /// We connect, and a live stream comes.
    Live,
    /// A capture device.
    Device,
}

impl Kind {
    /// Whether packets are held until they are due.
    pub(crate) fn is_paced(self) -> bool {
        matches!(self, Self::File | Self::Test | Self::Remote)
    }

    /// Whether it has a beginning, or may have one, at which it begins whenever it is opened.
    pub(crate) fn begins_anew(self) -> bool {
        matches!(self, Self::File | Self::Remote)
    }

    /// Whether it is waited for without end.
    pub(crate) fn is_waited_for(self) -> bool {
        matches!(self, Self::ListenTcp | Self::ListenUdp | Self::Datagrams)
    }
}

/// Encoder settings that an input's name asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Wish {
    /// Bits a second of the picture.
    pub(crate) video_bps: Option<u64>,
    /// From keyframe to keyframe.
    pub(crate) keyframe_ms: Option<u64>,
}

impl Source {
    /// Reads an input's name.
    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        if let Some(rest) = name.strip_prefix("test:") {
            return test(name, rest);
        }
        if name.starts_with("/dev/video") {
            return device(name);
        }
        if let Some(rest) = name.strip_prefix("screen:") {
            return screen(name, rest);
        }
        let Some((scheme, rest)) = name.split_once("://") else {
            return Ok(Self::new(name, format!("file:{name}"), Kind::File));
        };
        Ok(match scheme {
            "file" => Self::new(name, format!("file:{rest}"), Kind::File),
            "http" | "https" => Self::new(name, name.into(), Kind::Remote)
                .with("reconnect", "1")
                .with("reconnect_delay_max", "5"),
            "rtmp" if is_here(rest) => Self::new(name, name.into(), Kind::ListenTcp).with("listen", "1"),
            "srt" if rest.contains("mode=listener") => Self::new(name, name.into(), Kind::ListenUdp),
            "udp" | "rtp" => Self::new(name, name.into(), Kind::Datagrams)
                .with("overrun_nonfatal", "1")
                .with("fifo_size", "50000"),
            "rtsp" => Self::new(name, name.into(), Kind::Live).with("rtsp_flags", "prefer_tcp"),
            _ => Self::new(name, name.into(), Kind::Live),
        })
    }

    fn new(name: &str, url: String, kind: Kind) -> Self {
        let source = Self {
            name: without_secret(name),
            url,
            format: None,
            options: Vec::new(),
            kind,
            wish: Wish::default(),
        };
        match kind {
            Kind::File | Kind::Test | Kind::Device => source,
            _ => source.with("analyzeduration", "2000000"),
        }
    }

    fn with(mut self, option: &'static str, value: impl Into<String>) -> Self {
        self.options.push((option, value.into()));
        self
    }

    /// Fails if it can be told without FFmpeg that this cannot be opened.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.kind {
            Kind::File => self.check_file(),
            Kind::ListenTcp => self.check_port(|address| TcpListener::bind(address).map(drop)),
            Kind::ListenUdp | Kind::Datagrams => {
                self.check_port(|address| UdpSocket::bind(address).map(drop))
            }
            Kind::Test | Kind::Remote | Kind::Live | Kind::Device => Ok(()),
        }
    }

    /// What the person is to know about who else may push here. FFmpeg takes any RTMP stream key.
    pub(crate) fn caution(&self) -> Option<String> {
        let host = host(&self.name)?;
        let instead = match self.kind {
            Kind::ListenTcp => {
                "the stream key is not checked; listen at 127.0.0.1 if it comes from this machine"
            }
            Kind::ListenUdp if !self.name.contains("passphrase=") => {
                "add &passphrase=… to allow only those who know it"
            }
            _ => return None,
        };
        let mut addresses = with_default_port(host).to_socket_addrs().ok()?;
        let is_open = addresses.any(|address| !address.ip().is_loopback());
        is_open.then(|| format!("whoever reaches {host} can push a stream to it: {instead}"))
    }

    fn check_file(&self) -> Result<(), Error> {
        let path = self.url.strip_prefix("file:").unwrap_or(&self.url);
        let input = self.name.clone();
        let found = std::fs::File::open(path).and_then(|file| file.metadata());
        match found {
            Ok(found) if found.is_dir() => Err(Error::Unreadable {
                input,
                why: "it is a folder".into(),
            }),
            Ok(_) => Ok(()),
            Err(error) => Err(match error.kind() {
                std::io::ErrorKind::NotFound => Error::NotFound { input },
                std::io::ErrorKind::PermissionDenied => Error::Denied { input },
                _ => Error::Unreadable {
                    input,
                    why: error.to_string(),
                },
            }),
        }
    }

    /// A port is tried before FFmpeg waits on it, as FFmpeg doesn't say when it begins to.
    fn check_port(&self, bind: impl Fn(std::net::SocketAddr) -> std::io::Result<()>) -> Result<(), Error> {
        let host = host(&self.name).unwrap_or_default();
        let invalid = |why: &str| Error::Invalid {
            input: self.name.clone(),
            why: why.into(),
        };
        let mut addresses = with_default_port(host)
            .to_socket_addrs()
            .map_err(|_| invalid("its host is no address of this machine"))?;
        let address = addresses.next().ok_or_else(|| invalid("it has no port"))?;
        if address.ip().is_multicast() {
            return Ok(());
        }
        bind(address).map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => Error::AddressInUse {
                address: address.to_string(),
            },
            _ => invalid(&format!("{address}: {error}")),
        })
    }
}

/// An input's name as it may stand on a screen that is filmed.
fn without_secret(name: &str) -> String {
    const SECRET: &str = "passphrase=";
    let Some((before, secret)) = name.split_once(SECRET) else {
        return name.into();
    };
    let after = secret.find('&').map_or("", |end| &secret[end..]);
    format!("{before}{SECRET}…{after}")
}

/// `host:port` of a URL, without user, path and query.
fn host(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let host = rest.split(['/', '?']).next()?;
    Some(host.rsplit_once('@').map_or(host, |(_, host)| host))
}

fn with_default_port(host: &str) -> String {
    let host = if host.starts_with(':') {
        format!("0.0.0.0{host}")
    } else {
        host.to_owned()
    };
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host } else { format!("{host}:1935") }
}

/// Whether the host of an `rtmp://` URL is this machine, so that we listen there instead of connecting.
fn is_here(rest: &str) -> bool {
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    TcpListener::bind(format!("{name}:0")).is_ok()
}

/// `/dev/video0?size=1280x720&rate=30&format=mjpeg`.
fn device(name: &str) -> Result<Source, Error> {
    let (path, query) = name.split_once('?').unwrap_or((name, ""));
    let mut source = Source::new(name, path.into(), Kind::Device);
    source.format = Some("v4l2");
    for (key, value) in pairs(query) {
        let option = match key {
            "size" => "video_size",
            "rate" => "framerate",
            "format" => "input_format",
            _ => return Err(unknown(name, key, "size, rate and format")),
        };
        source = source.with(option, value);
    }
    Ok(source)
}

/// `screen:`, `screen::1`, `screen:?size=1280x720&rate=25`: what an X11 display shows, the first or the one named. Its sound is
/// not taken.
fn screen(name: &str, rest: &str) -> Result<Source, Error> {
    let (display, query) = rest.split_once('?').unwrap_or((rest, ""));
    let usual = || std::env::var("DISPLAY").unwrap_or_else(|_| ":0".into());
    let display = if display.is_empty() {
        usual()
    } else {
        display.into()
    };
    let mut source = Source::new(name, display, Kind::Device);
    source.format = Some("x11grab");
    for (key, value) in pairs(query) {
        let option = match key {
            "size" => "video_size",
            "rate" => "framerate",
            _ => return Err(unknown(name, key, "size and rate")),
        };
        source = source.with(option, value);
    }
    Ok(source)
}

/// `test:?size=640x360&rate=30&bitrate=2M&gop=1s`: a moving pattern with a running clock and frame number, and a tone
/// that beeps each second.
fn test(name: &str, rest: &str) -> Result<Source, Error> {
    let (mut size, mut rate, mut wish) = ("1280x720", 30, Wish::default());
    for (key, value) in pairs(rest.trim_start_matches('?')) {
        let invalid = |why: &str| Error::Invalid {
            input: name.into(),
            why: format!("{key}={value}: {why}"),
        };
        match key {
            "size" => size = dimensions(value).ok_or_else(|| invalid("a size is like 640x360"))?,
            "rate" => {
                rate = whole(value, 1..=120).ok_or_else(|| invalid("a rate is 1 to 120"))?;
            }
            "bitrate" => {
                let bps = bits(value).ok_or_else(|| invalid("a bit rate is like 500k or 2.5M"))?;
                wish.video_bps = Some(bps);
            }
            "gop" => {
                let ms = millis(value).ok_or_else(|| invalid("a time is like 500ms or 2s"))?;
                wish.keyframe_ms = Some(ms);
            }
            _ => return Err(unknown(name, key, "size, rate, bitrate and gop")),
        }
    }
    let url = format!(
        "testsrc2=size={size}:rate={rate}[out0];\
         sine=frequency=440:beep_factor=4:sample_rate=48000:samples_per_frame=1024[out1]"
    );
    let mut source = Source::new(name, url, Kind::Test);
    source.format = Some("lavfi");
    source.wish = wish;
    Ok(source)
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn unknown(name: &str, key: &str, known: &str) -> Error {
    Error::Invalid {
        input: name.into(),
        why: format!("it knows {known}, not {key}"),
    }
}

fn dimensions(value: &str) -> Option<&str> {
    let (width, height) = value.split_once('x')?;
    let fits = |side: &str| whole(side, 32..=7680).is_some_and(|side| side % 2 == 0);
    (fits(width) && fits(height)).then_some(value)
}

fn whole(value: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
    value.parse().ok().filter(|value| range.contains(value))
}

fn bits(value: &str) -> Option<u64> {
    let (digits, unit) = match value.strip_suffix('M') {
        Some(digits) => (digits, 1e6),
        None => value
            .strip_suffix('k')
            .map_or((value, 1.0), |digits| (digits, 1e3)),
    };
    let bps = digits.parse::<f64>().ok()? * unit;
    (10e3..=100e6).contains(&bps).then_some(bps as u64)
}

fn millis(value: &str) -> Option<u64> {
    match value.strip_suffix("ms") {
        Some(digits) => whole(digits, 100..=60_000),
        None => whole(value.strip_suffix('s')?, 1..=60).map(|s| s * 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_by_its_name() {
        let kind = |name| Source::parse(name).unwrap().kind;
        assert_eq!(kind("a:b.mp4"), Kind::File);
        assert_eq!(kind("https://example.org/live.m3u8"), Kind::Remote);
        assert_eq!(kind("rtsp://camera/1"), Kind::Live);
        assert_eq!(kind("udp://127.0.0.1:5000"), Kind::Datagrams);
        assert_eq!(kind("srt://0.0.0.0:9000?mode=listener"), Kind::ListenUdp);
        assert_eq!(kind("srt://example.org:9000"), Kind::Live);
        assert_eq!(kind("rtmp://0.0.0.0:1935/live/key"), Kind::ListenTcp);
        assert_eq!(kind("/dev/video0?size=640x480"), Kind::Device);
        assert_eq!(kind("screen:"), Kind::Device);
        assert_eq!(kind("test:"), Kind::Test);
    }

    #[test]
    fn the_test_pattern_takes_parameters() {
        let source = Source::parse("test:?size=640x360&rate=25&bitrate=2.5M&gop=500ms").unwrap();
        assert!(source.url.starts_with("testsrc2=size=640x360:rate=25["));
        assert_eq!(source.wish.video_bps, Some(2_500_000));
        assert_eq!(source.wish.keyframe_ms, Some(500));
    }

    #[test]
    fn a_display_is_named_or_the_usual_one() {
        let named = Source::parse("screen::7?rate=25").unwrap();
        assert_eq!((named.url.as_str(), named.format), (":7", Some("x11grab")));
        assert_eq!(named.options, [("framerate", "25".to_string())]);
        assert!(!Source::parse("screen:").unwrap().url.is_empty());
    }

    #[test]
    fn who_else_may_push_is_told() {
        let caution = |name| Source::parse(name).unwrap().caution().unwrap_or_default();
        assert!(caution("rtmp://0.0.0.0:1935/live/key").contains("stream key is not checked"));
        assert!(caution("srt://0.0.0.0:9000?mode=listener").contains("passphrase"));
        for closed in [
            "rtmp://127.0.0.1:1935/live/key",
            "srt://0.0.0.0:9000?mode=listener&passphrase=0123456789",
            "udp://0.0.0.0:5000",
            "film.mkv",
        ] {
            assert_eq!(caution(closed), "", "{closed}");
        }
    }

    #[test]
    fn a_passphrase_is_for_ffmpeg_alone() {
        let source = Source::parse("srt://:9000?mode=listener&passphrase=0123456789&x=1").unwrap();
        assert_eq!(source.name, "srt://:9000?mode=listener&passphrase=…&x=1");
        assert!(source.url.contains("passphrase=0123456789&"));
    }

    #[test]
    fn a_parameter_that_makes_no_sense_is_named() {
        for name in [
            "test:?size=641x360",
            "test:?rate=0",
            "test:?colour=red",
            "/dev/video0?x=1",
            "screen:?format=mjpeg",
        ] {
            let error = Source::parse(name).unwrap_err();
            assert!(matches!(error, Error::Invalid { .. }), "{name}: {error}");
        }
    }

    #[test]
    fn a_port_in_use_is_told_apart() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = format!("rtmp://{}/live/key", held.local_addr().unwrap());
        let error = Source::parse(&name).unwrap().check().unwrap_err();
        assert!(matches!(error, Error::AddressInUse { .. }), "{error}");
    }

    #[test]
    fn a_missing_file_is_told_apart() {
        let error = Source::parse("/nowhere/at.mp4").unwrap().check().unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
}
