//! Why an input cannot be broadcast, or a stream not be shown.

/// What went wrong, as one sentence for the person, and what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file, device or path on the server.
    #[error("{input} does not exist; check the path or the address")]
    NotFound {
        /// As it was given.
        input: String,
    },
    /// It is there, but may not be read.
    #[error("{input} may not be read: permission denied")]
    Denied {
        /// As it was given.
        input: String,
    },
    /// FFmpeg cannot open it, or it is no media at all.
    #[error("{input} cannot be read as video: {why}")]
    Unreadable {
        /// As it was given.
        input: String,
        /// FFmpeg's words.
        why: String,
    },
    /// It is media, but without a picture.
    #[error("{input} has no video track; Banyan broadcasts video, with or without sound")]
    NoVideo {
        /// As it was given.
        input: String,
    },
    /// Another program has the device.
    #[error("{input} is in use by another program; end that program, or choose another device")]
    Busy {
        /// As it was given.
        input: String,
    },
    /// Another program listens where this input is to listen.
    #[error("{address} is in use by another program; choose another port, or end that program")]
    AddressInUse {
        /// Address and port.
        address: String,
    },
    /// The input's description cannot be understood.
    #[error("{input} is not a valid input: {why}")]
    Invalid {
        /// As it was given.
        input: String,
        /// Which part, and what it should be.
        why: String,
    },
    /// This FFmpeg was built without something that is needed.
    #[error("this FFmpeg has no {what}; install a complete one")]
    Missing {
        /// The codec, format or filter.
        what: String,
    },
    /// `--copy` was asked of something that is neither H.264 nor H.265.
    #[error("{input} is {codec}, which cannot be copied; leave out --copy")]
    NotCopyable {
        /// As it was given.
        input: String,
        /// The codec's name.
        codec: String,
    },
    /// Pictures are stored in a way that is not drawn.
    #[error("the picture is {format}, which Banyan cannot show; broadcast it as 4:2:0 with 8 bits")]
    Undrawable {
        /// FFmpeg's name of the pixel format.
        format: String,
    },
    /// A decoder, encoder, filter or muxer failed.
    #[error("{what} failed: {why}")]
    Codec {
        /// What was being done.
        what: &'static str,
        /// FFmpeg's words.
        why: String,
    },
}

impl Error {
    /// What FFmpeg said when it opened or read `input`.
    pub(crate) fn reading(input: &str, error: ffmpeg_next::Error) -> Self {
        use ffmpeg_next::Error as Ff;
        let input = input.to_owned();
        match error {
            Ff::Exit => Self::Unreadable {
                input,
                why: "nothing came for too long".into(),
            },
            Ff::HttpNotFound => Self::NotFound { input },
            Ff::Other { errno } => match errno {
                ffmpeg_next::error::ENOENT | ffmpeg_next::error::ENODEV | ffmpeg_next::error::ENXIO => {
                    Self::NotFound { input }
                }
                ffmpeg_next::error::EACCES | ffmpeg_next::error::EPERM => Self::Denied { input },
                ffmpeg_next::error::EBUSY => Self::Busy { input },
                ffmpeg_next::error::EADDRINUSE => Self::AddressInUse { address: input },
                _ => Self::Unreadable {
                    input,
                    why: error.to_string(),
                },
            },
            _ => Self::Unreadable {
                input,
                why: error.to_string(),
            },
        }
    }

    /// A function that makes the error of a step named `what`.
    pub(crate) fn during(what: &'static str) -> impl Fn(ffmpeg_next::Error) -> Self {
        move |error| Self::Codec {
            what,
            why: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Error;
    use ffmpeg_next as ff;

    #[test]
    fn what_is_wrong_with_a_camera_is_told_in_words() {
        let told = |errno| Error::reading("/dev/video0", ff::Error::Other { errno }).to_string();
        assert!(told(ff::error::EBUSY).contains("in use by another program"));
        assert!(told(ff::error::ENODEV).contains("does not exist"));
        assert!(told(ff::error::EACCES).contains("permission denied"));
    }

    #[test]
    fn a_codec_that_is_missing_is_named() {
        let what = "hevc decoder".into();
        let told = Error::Missing { what }.to_string();
        assert_eq!(told, "this FFmpeg has no hevc decoder; install a complete one");
    }
}
