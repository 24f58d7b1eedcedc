//! Pictures that come without a decoding time: Matroska stores none, and FFmpeg reckons them only from where it has seen as
//! many pictures as the codec holds back.

/// Reckons the decoding times of one stream's pictures.
#[derive(Debug, Default)]
pub(crate) struct Undated {
    next: Option<i64>,
}

impl Undated {
    /// When a picture is decoded that is shown at `pts` for `duration`, both in one unit, where the codec holds back
    /// `held_back` pictures: so much earlier than the first is shown, and one after the other.
    pub(crate) fn decoded_at(&mut self, pts: i64, duration: i64, held_back: i64) -> i64 {
        let duration = duration.max(1);
        let at = self.next.unwrap_or(pts - held_back * duration).min(pts);
        self.next = Some(at + duration);
        at
    }

    /// Forgets the last one: a picture came with a time.
    pub(crate) fn dated(&mut self) {
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_without_times_end_where_the_first_time_begins() {
        let mut undated = Undated::default();
        // Shown first, fifth and third of 3,000 each; the fourth comes with the decoding time 0.
        let times = [0, 12_000, 6_000].map(|pts| undated.decoded_at(pts, 3000, 3));
        assert_eq!(times, [-9000, -6000, -3000]);
        undated.dated();
        assert_eq!(undated.decoded_at(90_000, 3000, 3), 81_000);
    }

    #[test]
    fn nothing_is_decoded_after_it_is_shown() {
        let mut undated = Undated::default();
        let times = [0, 1, 2].map(|pts| undated.decoded_at(pts, 3000, 0));
        assert_eq!(times, [0, 1, 2]);
    }
}
