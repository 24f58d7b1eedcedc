//! What the window hears, and from whom: what was left or replaced still has things to say, and they are not about what is
//! shown by then.

use crate::model::News;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

/// News that may wait for the window: it looks at each frame, and a hidden one once a second. Then new ones are dropped.
const NEWS_MAX: usize = 1024;

/// Whether the window listens to something still. Clones are the same ear.
#[derive(Clone, Debug, Default)]
pub(super) struct Ear(Arc<AtomicBool>);

impl Ear {
    /// One that listens.
    pub(super) fn open() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Nothing is heard by it any more, not even what was told before.
    pub(super) fn close(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether it listens.
    pub(super) fn listens(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// News on their way.
#[derive(Debug)]
pub(super) struct Told {
    news: News,
    ear: Option<Ear>,
}

impl Told {
    /// The news, if they are still of any use.
    pub(super) fn heard(self) -> Option<News> {
        self.ear.is_none_or(|ear| ear.listens()).then_some(self.news)
    }
}

/// Tells the window. Can be cloned.
#[derive(Clone)]
pub(super) struct Tell {
    news: mpsc::SyncSender<Told>,
    wake: Arc<dyn Fn() + Send + Sync>,
    /// Who listens, unless the window does as long as it is there.
    ear: Option<Ear>,
}

/// A way to the window; `wake` is called when there are news.
pub(super) fn open(wake: impl Fn() + Send + Sync + 'static) -> (Tell, mpsc::Receiver<Told>) {
    let (news, told) = mpsc::sync_channel(NEWS_MAX);
    let tell = Tell {
        news,
        wake: Arc::new(wake),
        ear: None,
    };
    (tell, told)
}

impl Tell {
    /// The same, to be heard by `ear` alone.
    pub(super) fn by(&self, ear: Ear) -> Self {
        Self {
            ear: Some(ear),
            ..self.clone()
        }
    }

    /// Whether anybody listens.
    pub(super) fn is_heard(&self) -> bool {
        self.ear.as_ref().is_none_or(Ear::listens)
    }

    /// Tells it, if anybody listens.
    pub(super) fn tell(&self, news: News) {
        if !self.is_heard() {
            return;
        }
        let ear = self.ear.clone();
        if self.news.try_send(Told { news, ear }).is_err() {
            tracing::warn!("the window does not look; something is not told");
        }
        self.wake();
    }

    /// Has the window look.
    pub(super) fn wake(&self) {
        (self.wake)();
    }

    /// Tells it to the window, whoever listens.
    pub(super) fn tell_all(&self, news: News) {
        let all = Self {
            ear: None,
            ..self.clone()
        };
        all.tell(news);
    }
}
