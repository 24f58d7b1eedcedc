//! A window that closes: what it waits for, and what went wrong meanwhile.

use super::{Gravity, Model, News};

/// How far the end of the program is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// What did not end as it should, in words.
    pub failures: Vec<String>,
    /// Whether everything has been left that can be.
    pub is_over: bool,
}

impl Closing {
    /// Whether nothing has to be said or waited for any more.
    pub fn is_done(&self) -> bool {
        self.is_over && self.failures.is_empty()
    }
}

impl Model {
    /// Begins to leave everything.
    pub fn close(&mut self) {
        self.watching = None;
        self.preview = None;
        self.request = None;
        self.leaving = None;
        self.full_screen = false;
        self.closing = Some(Closing::default());
    }

    /// What goes wrong while the window closes is said in its own place; gives back all other news.
    pub(super) fn while_closing(&mut self, news: News) -> Option<News> {
        let Some(closing) = &mut self.closing else {
            return Some(news);
        };
        match news {
            News::Left(Some(why)) | News::OffAir(Some(why)) | News::Say(Gravity::Failure, why) => {
                closing.failures.push(why);
                None
            }
            other => Some(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_window_waits_for_what_it_leaves_and_says_what_went_wrong() {
        let mut model = samples::sponsor_watching();
        model.close();
        assert_eq!(model.watching, None);
        model.take(News::Left(None));
        model.take(News::Say(Gravity::Failure, "it may run on".into()));
        let closing = model.closing.as_mut().unwrap();
        closing.is_over = true;
        assert_eq!((closing.failures.len(), closing.is_done()), (1, false));
        assert_eq!(model.messages, []);
        closing.failures.clear();
        assert!(closing.is_done());
    }
}
