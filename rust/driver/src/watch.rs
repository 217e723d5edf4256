//! A watch on the application: a loop that stands still must not look healthy to those who would send it work.

/// Counts the seconds since the application last gave a sign, without those in which this thread did not run either.
#[derive(Debug)]
pub(crate) struct Watch {
    blocked_after: f64,
    leave_after: f64,
    seen: u64,
    looked: f64,
    silent: f64,
    blocked: bool,
}

/// What the watch has found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Found {
    Blocked(f64),
    Unblocked(f64),
    /// Time to leave.
    Given(f64),
}

/// Looked at least this often; a longer gap is a pause of the whole process, which blames nobody.
pub(crate) const LOOK: f64 = 0.5;

impl Watch {
    pub(crate) fn new(blocked_after: f64, leave_after: f64) -> Self {
        Self { blocked_after, leave_after, seen: 0, looked: 0.0, silent: 0.0, blocked: false }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Whether it has begun.
    pub(crate) fn is_on(&self) -> bool {
        self.seen > 0
    }

    /// Looks; `beats` is how many signs there have been.
    pub(crate) fn look(&mut self, beats: u64, now: f64) -> Option<Found> {
        let gap = (now - self.looked).clamp(0.0, 2.0 * LOOK);
        self.looked = now;
        if beats == self.seen {
            if !self.is_on() {
                return None;
            }
            self.silent += gap;
            if self.silent > self.leave_after {
                return Some(Found::Given(self.silent));
            }
            if self.silent > self.blocked_after && !self.blocked {
                self.blocked = true;
                return Some(Found::Blocked(self.silent));
            }
            return None;
        }
        self.seen = beats;
        let silent = std::mem::take(&mut self.silent);
        std::mem::take(&mut self.blocked).then_some(Found::Unblocked(silent + gap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_the_first_beat_and_tells_blocked_unblocked_and_the_end() {
        let mut watch = Watch::new(3.0, 10.0);
        assert_eq!(watch.look(0, 100.0), None);
        assert_eq!(watch.look(1, 100.5), None);
        let mut now = 100.5;
        let mut told = Vec::new();
        while told.is_empty() {
            now += LOOK;
            told.extend(watch.look(1, now));
        }
        assert_eq!(told, [Found::Blocked(3.5)]);
        assert!(watch.is_blocked());
        assert_eq!(watch.look(2, now + LOOK), Some(Found::Unblocked(4.0)));
        assert!(!watch.is_blocked());
        now += LOOK;
        let mut last = None;
        for _ in 0..21 {
            now += LOOK;
            last = watch.look(2, now).or(last);
        }
        assert_eq!(last, Some(Found::Given(10.5)));
    }

    #[test]
    fn a_pause_of_the_whole_process_is_not_held_against_the_application() {
        let mut watch = Watch::new(3.0, 10.0);
        watch.look(1, 5.0);
        assert_eq!(watch.look(1, 3_600.0), None);
        assert_eq!(watch.look(2, 3_600.5), None);
    }
}
