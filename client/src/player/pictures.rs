//! Which picture is shown.

use super::line::ticks;
use banyan_media::decode::Picture;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Pictures that are decoded ahead: a quarter of a second at 30 a second, and a moment of a decoder that is busy.
const AHEAD_MAX: usize = 8;

/// A screen that asks this little too early gets the next picture: it would ask again at once else.
const EARLY: i64 = ticks(Duration::from_millis(2));

/// Decoded pictures, and the one on the screen.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    ahead: VecDeque<Arc<Picture>>,
    shown: Option<Arc<Picture>>,
    /// Whether what is shown is of another place, and only there until the first of this one comes.
    stale: bool,
    dropped: u64,
}

impl Pictures {
    /// Whether another one is to be decoded.
    pub(super) fn has_room(&self) -> bool {
        self.ahead.len() < AHEAD_MAX
    }

    /// Takes in the next one in the order shown; says whether the screen has to be told, because it waits for nothing.
    pub(super) fn push(&mut self, picture: Picture) -> bool {
        self.ahead.push_back(Arc::new(picture));
        self.ahead.len() == 1
    }

    /// What comes now is of another place. The picture shown stays until there is one.
    pub(super) fn clear(&mut self) {
        self.ahead.clear();
        self.stale = true;
    }

    /// Whether there is a picture of this place.
    pub(super) fn has_any(&self) -> bool {
        !self.ahead.is_empty() || (self.shown.is_some() && !self.stale)
    }

    /// The picture for `time`. Those before it that were never shown count as dropped. The first one of a place is shown at
    /// once. Says also whether it is a new one.
    pub(super) fn pick(&mut self, time: i64) -> (Option<Arc<Picture>>, bool) {
        let mut taken = 0;
        while self.ahead.front().is_some_and(|next| self.is_due(next, time)) {
            self.shown = self.ahead.pop_front();
            self.stale = false;
            taken += 1;
        }
        self.dropped += u64::saturating_sub(taken, 1);
        (self.shown.clone(), taken > 0)
    }

    fn is_due(&self, next: &Picture, time: i64) -> bool {
        next.pts <= time + EARLY || self.shown.is_none() || self.stale
    }

    /// When the next one is shown.
    pub(super) fn next(&self) -> Option<i64> {
        self.ahead.front().map(|next| next.pts)
    }

    /// The one on the screen.
    pub(super) fn shown(&self) -> Option<&Picture> {
        self.shown.as_deref()
    }

    /// How many came too late to be shown.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::player::machine::tests::picture;

    const FRAME: i64 = 3000;

    fn pictures(count: i64) -> Pictures {
        let mut pictures = Pictures::default();
        for number in 0..count {
            pictures.push(picture(number * FRAME));
        }
        pictures
    }

    fn shown(pictures: &mut Pictures, time: i64) -> i64 {
        pictures.pick(time).0.unwrap().pts
    }

    #[test]
    fn each_picture_is_shown_from_its_time_to_the_next_one_s() {
        let mut pictures = pictures(4);
        for number in 0..4 {
            assert_eq!(shown(&mut pictures, number * FRAME), number * FRAME);
            assert_eq!(shown(&mut pictures, (number + 1) * FRAME - 200), number * FRAME);
        }
        assert_eq!(pictures.dropped(), 0);
    }

    #[test]
    fn the_first_is_shown_before_its_time() {
        let mut pictures = pictures(3);
        assert_eq!(shown(&mut pictures, -90_000), 0);
        assert_eq!(pictures.next(), Some(FRAME));
        pictures.clear();
        assert!(!pictures.has_any());
        assert_eq!(shown(&mut pictures, 0), 0, "the old one stays meanwhile");
        pictures.push(picture(50 * FRAME));
        assert_eq!(shown(&mut pictures, 0), 50 * FRAME);
    }

    #[test]
    fn those_that_are_too_late_are_passed_over_and_counted() {
        let mut pictures = pictures(6);
        shown(&mut pictures, 0);
        assert_eq!(shown(&mut pictures, 4 * FRAME), 4 * FRAME);
        assert_eq!(pictures.dropped(), 3);
    }

    #[test]
    fn a_screen_of_50_a_second_shows_25_a_second_evenly() {
        let mut pictures = Pictures::default();
        let mut changes = Vec::new();
        for refresh in 0..200_i64 {
            while pictures.has_room() {
                let pts = pictures.ahead.back().map_or(0, |last| last.pts + 3600);
                pictures.push(picture(pts));
            }
            if pictures.pick(refresh * 1800 + 100).1 {
                changes.push(refresh);
            }
        }
        assert_eq!(changes.len(), 100);
        assert!(changes.windows(2).all(|two| two[1] - two[0] == 2));
        assert_eq!(pictures.dropped(), 0);
    }
}
