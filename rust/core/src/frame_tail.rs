//! The tail of a stream of frames: the newest ones, one behind the other in a ring of bytes.

use std::collections::VecDeque;

/// Frames in the order in which they came. Keeping them in one piece spares the memory allocator and the caches what a
/// thousand single pieces cost, each long cold when it goes.
#[derive(Clone, Debug, Default)]
pub struct FrameTail {
    bytes: VecDeque<u8>,
    sizes: VecDeque<usize>,
}

impl FrameTail {
    /// Appends a frame. Amortised O(bytes): memory grows by a sixteenth.
    pub fn push(&mut self, frame: &[u8]) {
        let free = self.bytes.capacity() - self.bytes.len();
        if frame.len() > free {
            self.bytes.reserve_exact(frame.len().max(self.bytes.len() / 16));
        }
        self.bytes.extend(frame);
        self.sizes.push_back(frame.len());
    }

    /// Forgets the oldest frame; its size, or 0 where there is none. With the last one the memory goes as well.
    pub fn pop(&mut self) -> usize {
        let Some(size) = self.sizes.pop_front() else { return 0 };
        if self.sizes.is_empty() {
            *self = Self::default();
        } else {
            self.bytes.drain(..size);
        }
        size
    }

    /// The newest frames, oldest first, each in two parts; all there are if they are fewer than `count`. O(count) in all.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (front, rest) = self.bytes.as_slices();
        let cut = front.len();
        let sizes = self.sizes.range(self.sizes.len().saturating_sub(count)..);
        let mut end = self.bytes.len() - sizes.clone().sum::<usize>();
        sizes.map(move |size| {
            let start = end;
            end += size;
            (&front[start.min(cut)..end.min(cut)], &rest[start.max(cut) - cut..end.max(cut) - cut])
        })
    }

    /// How many frames are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::FrameTail;

    proptest! {
        #[test]
        fn it_holds_what_a_queue_of_frames_holds(steps in proptest::collection::vec(proptest::option::of(0..40usize), 0..200)) {
            let mut tail = FrameTail::default();
            let mut model: VecDeque<Vec<u8>> = VecDeque::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Some(size) => {
                        let frame = vec![u8::try_from(number).unwrap(); size];
                        tail.push(&frame);
                        model.push_back(frame);
                    }
                    None => prop_assert_eq!(tail.pop(), model.pop_front().map_or(0, |frame| frame.len())),
                }
                prop_assert_eq!((tail.len(), tail.is_empty()), (model.len(), model.is_empty()));
                for count in [0, 1, model.len() / 2, model.len(), model.len() + 1] {
                    let newest: Vec<_> = tail.newest(count).map(|(one, other)| [one, other].concat()).collect();
                    let older = model.len().saturating_sub(count);
                    prop_assert_eq!(newest, model.range(older..).cloned().collect::<Vec<_>>());
                }
                prop_assert!(!tail.is_empty() || tail.bytes.capacity() == 0);
            }
        }
    }
}
