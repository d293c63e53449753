//! How long the polls of each loop take: a histogram.
//!
//! The loops record their polls while a client asks. Invariant: a class of the histogram is as wide
//! as one of the lag.

use super::json::{Histogram, Object};
use super::recorder::Recorder;
use crate::threads::{LAG_CLASSES, class};

const MS_MAX: u64 = 60_000;

/// A client's `polls`.
pub(super) struct PollTimes {
    recorder: Recorder,
    /// The polls by class, of the loop with the number.
    counts: Vec<(u64, [u32; LAG_CLASSES])>,
}

impl PollTimes {
    /// Begins the recording. Returns `None` if another one is going on.
    pub(super) fn begin(ms: u64, now: u64) -> Option<PollTimes> {
        let recorder = Recorder::begin(ms.min(MS_MAX) * 1_000_000, now)?;
        let of_loop = recorder.loops.iter().map(|inbox| (inbox.info.number, [0; LAG_CLASSES]));
        Some(PollTimes { counts: of_loop.collect(), recorder })
    }

    pub(super) fn due(&self) -> u64 {
        self.recorder.due()
    }

    /// Counts recorded polls. Writes the result at the end. Returns whether it is over.
    pub(super) fn advance(&mut self, now: u64, out: &mut String) -> bool {
        let PollTimes { recorder, counts } = self;
        let is_over = recorder.advance(now, &mut |number, events| {
            let mut all = counts.iter_mut();
            let Some((_, counts)) = all.find(|(of, _)| *of == number) else { return };
            for event in events.iter().filter(|event| event.task != 0) {
                let count = &mut counts[class(event.end.saturating_sub(event.begin))];
                *count = count.saturating_add(1);
            }
        });
        if is_over {
            recorder.end(&mut |number, dropped| {
                let mut line = Object::new(out);
                line.raw("loop", &number);
                let of_loop = counts.iter().find(|(of, _)| *of == number);
                line.raw("poll", &Histogram(of_loop.map_or(&[], |(_, counts)| counts)));
                line.raw("dropped", &dropped);
                line.end_line();
            });
        }
        is_over
    }
}
