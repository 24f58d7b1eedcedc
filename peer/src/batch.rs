//! Datagrams that go to the kernel together.
//!
//! quinn hands over at most ten datagrams of a connection at once. Three chunks of a 4 Mbit/s stream are eleven, and the
//! last one by itself costs nearly as much as the ten before it: a system call, a route, and on loopback a wake-up. So
//! datagrams that are likely to be followed by more wait until it is known what follows.

use quinn::udp::{EcnCodepoint, Transmit};
use std::net::{IpAddr, SocketAddr};

/// What a UDP datagram can carry, and so what the kernel takes to cut into segments (IPv6's and UDP's headers off).
const BYTES_MAX: usize = u16::MAX as usize - 40 - 8;

/// Datagrams of the same length to one peer; the last may be shorter, and is the last for it.
#[derive(Debug)]
pub(crate) struct Batch {
    destination: SocketAddr,
    ecn: Option<EcnCodepoint>,
    src_ip: Option<IpAddr>,
    segment: usize,
    /// Nothing waits if it is empty; kept for its memory.
    contents: Vec<u8>,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            destination: SocketAddr::from(([0; 4], 0)),
            ecn: None,
            src_ip: None,
            segment: 1,
            contents: Vec::new(),
        }
    }
}

impl Batch {
    /// Takes in `transmit`, if it continues the batch of at most `segments` datagrams, or may begin one. Whether it did.
    pub(crate) fn take(&mut self, transmit: &Transmit<'_>, segments: usize) -> bool {
        let takes = if self.contents.is_empty() {
            self.begin(transmit)
        } else {
            self.is_continued_by(transmit, segments)
        };
        if takes {
            self.contents.extend_from_slice(transmit.contents);
        }
        takes
    }

    /// Whether it waits for more. A shorter datagram ends it, and is where quinn had nothing more to send.
    pub(crate) fn is_open(&self) -> bool {
        self.contents.len().is_multiple_of(self.segment)
    }

    /// What waits.
    pub(crate) fn transmit(&self) -> Option<Transmit<'_>> {
        (!self.contents.is_empty()).then_some(Transmit {
            destination: self.destination,
            ecn: self.ecn,
            contents: &self.contents,
            segment_size: Some(self.segment),
            src_ip: self.src_ip,
        })
    }

    /// Nothing waits any more.
    pub(crate) fn clear(&mut self) {
        self.contents.clear();
    }

    /// Several datagrams of full length are likely to be followed by more.
    fn begin(&mut self, transmit: &Transmit<'_>) -> bool {
        let bytes = transmit.contents.len();
        let Some(segment) = transmit.segment_size.filter(|size| bytes.is_multiple_of(*size)) else {
            return false;
        };
        self.destination = transmit.destination;
        self.ecn = transmit.ecn;
        self.src_ip = transmit.src_ip;
        self.segment = segment;
        true
    }

    fn is_continued_by(&self, transmit: &Transmit<'_>, segments: usize) -> bool {
        let bytes = self.contents.len() + transmit.contents.len();
        let is_same_length = match transmit.segment_size {
            Some(segment) => segment == self.segment,
            None => transmit.contents.len() <= self.segment,
        };
        is_same_length
            && self.is_open()
            && (self.destination, self.ecn, self.src_ip)
                == (transmit.destination, transmit.ecn, transmit.src_ip)
            && bytes <= BYTES_MAX.min(segments * self.segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENTS: usize = 64;

    fn transmit(port: u16, contents: &[u8], segment_size: Option<usize>) -> Transmit<'_> {
        Transmit {
            destination: ([192, 0, 2, 1], port).into(),
            ecn: None,
            contents,
            segment_size,
            src_ip: None,
        }
    }

    fn waiting(batch: &Batch) -> usize {
        batch.transmit().map_or(0, |transmit| transmit.contents.len())
    }

    #[test]
    fn what_follows_ten_datagrams_goes_with_them() {
        let mut batch = Batch::default();
        assert!(batch.take(&transmit(1, &[1; 10 * 1400], Some(1400)), SEGMENTS));
        assert!(batch.is_open());
        assert!(batch.take(&transmit(1, &[2; 600], None), SEGMENTS));
        assert!(!batch.is_open());
        assert_eq!(waiting(&batch), 10 * 1400 + 600);
        assert!(
            !batch.take(&transmit(1, &[3; 600], None), SEGMENTS),
            "a short one is the last"
        );
        batch.clear();
        assert!(batch.transmit().is_none());
    }

    #[test]
    fn what_is_followed_by_nothing_does_not_begin_a_batch() {
        let mut batch = Batch::default();
        assert!(!batch.take(&transmit(1, &[1; 1400], None), SEGMENTS));
        assert!(!batch.take(&transmit(1, &[1; 3 * 1400 + 1], Some(1400)), SEGMENTS));
        assert_eq!(waiting(&batch), 0);
    }

    #[test]
    fn others_and_longer_ones_do_not_join_and_there_is_an_end() {
        let mut batch = Batch::default();
        let ten = [1; 10 * 1400];
        assert!(batch.take(&transmit(1, &ten, Some(1400)), SEGMENTS));
        assert!(
            !batch.take(&transmit(2, &[2; 600], None), SEGMENTS),
            "another peer"
        );
        assert!(
            !batch.take(&transmit(1, &[2; 1452], None), SEGMENTS),
            "a probe of the path's MTU"
        );
        assert!(!batch.take(&transmit(1, &[2; 2400], Some(1200)), SEGMENTS));
        assert!(
            !batch.take(&transmit(1, &ten, Some(1400)), 19),
            "the kernel takes no more"
        );
        while batch.take(&transmit(1, &ten, Some(1400)), SEGMENTS) {}
        assert_eq!(waiting(&batch), 4 * ten.len());
    }
}
