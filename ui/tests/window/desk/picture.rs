//! What a screen shows.

use super::spot::{SIZE, Spot};

/// How far a colour may be from the one looked for: video is coded with losses.
const NEAR: i32 = 70;

/// The fill of the button that stands out, in the dark theme.
const ACCENT: [u8; 3] = [0x57, 0xc7, 0x85];

/// Letters that speak of a relay, in the dark theme.
const RELAY: [u8; 3] = [0x6c, 0xb6, 0xff];

/// Pixels of a word at least.
const WORD: usize = 20;

/// Pixels of a button at least.
const BUTTON: usize = 800;

/// A screen's pixels, row by row.
pub(crate) struct Picture(Vec<u8>);

impl Picture {
    /// Of red, green and blue for each pixel.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        assert_eq!(bytes.len(), SIZE[0] * SIZE[1] * 3);
        Self(bytes)
    }

    /// As a file that image viewers open.
    pub(crate) fn ppm(&self) -> Vec<u8> {
        let head = format!("P6 {} {} 255\n", SIZE[0], SIZE[1]);
        [head.as_bytes(), &self.0].concat()
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * SIZE[0] + x) * 3;
        [self.0[at], self.0[at + 1], self.0[at + 2]]
    }

    /// Whether nothing is on it.
    pub(crate) fn is_black(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// Whether the lower part speaks of a relay.
    pub(crate) fn has_relay(&self) -> bool {
        let below = (SIZE[1] * 3 / 4..SIZE[1]).flat_map(|y| (0..SIZE[0]).map(move |x| (x, y)));
        below.filter(|(x, y)| self.at(*x, *y) == RELAY).count() >= WORD
    }

    /// Whether so many pixels at least are of just this colour.
    pub(crate) fn has_colour(&self, colour: [u8; 3], least: usize) -> bool {
        self.0.chunks(3).filter(|pixel| **pixel == colour).count() >= least
    }

    /// Whether these two places are of different colours.
    pub(crate) fn has_edge(&self, between: [Spot; 2]) -> bool {
        let [one, other] = between.map(|spot| spot.pixel().map(|at| at as usize));
        self.at(one[0], one[1]) != self.at(other[0], other[1])
    }

    /// Whether any pixel is another.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        self.0 != other.0
    }

    /// Whether some line shows these colours one after the other, from left to right, each over a good part of it.
    pub(crate) fn has_bars(&self, bars: &[[u8; 3]]) -> bool {
        self.has_bars_of(bars, SIZE[0] / 15)
    }

    /// The same of a picture that is a part of the window.
    pub(crate) fn has_small_bars(&self, bars: &[[u8; 3]]) -> bool {
        self.has_bars_of(bars, SIZE[0] / 30)
    }

    fn has_bars_of(&self, bars: &[[u8; 3]], least: usize) -> bool {
        (0..SIZE[1]).step_by(20).any(|y| {
            let mut next = 0;
            let mut wide = 0;
            for x in 0..SIZE[0] {
                if next < bars.len() && is_near(self.at(x, y), bars[next]) {
                    wide += 1;
                    if wide >= least {
                        (next, wide) = (next + 1, 0);
                    }
                }
            }
            next == bars.len()
        })
    }

    /// The middle of the button that stands out, if one does.
    pub(crate) fn primary(&self) -> Option<Spot> {
        let mut columns = vec![0_usize; SIZE[0]];
        let mut rows = vec![0_usize; SIZE[1]];
        let mut count = 0;
        for (y, row) in rows.iter_mut().enumerate() {
            for (x, column) in columns.iter_mut().enumerate() {
                if self.at(x, y) == ACCENT {
                    (*column, *row, count) = (*column + 1, *row + 1, count + 1);
                }
            }
        }
        let middle = |counts: &[usize]| {
            let mut sum = 0;
            counts.iter().position(|here| {
                sum += here;
                sum * 2 >= count
            })
        };
        (count >= BUTTON).then_some(Spot::at(middle(&columns)?, middle(&rows)?))
    }
}

fn is_near(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter()
        .zip(b)
        .all(|(a, b)| (i32::from(*a) - i32::from(b)).abs() <= NEAR)
}
