//! The lives of one node that there are links with: one, or two while the later of them has greeted and proven nothing.

/// Links with the lives of one node.
#[derive(Debug, Clone)]
pub(crate) struct Lives<L> {
    latest: L,
    earlier: Option<Box<L>>,
    /// What is sealed is for the earlier one.
    to_earlier: bool,
}

impl<L> Lives<L> {
    pub(crate) fn of(link: L) -> Self {
        Self { latest: link, earlier: None, to_earlier: false }
    }

    /// A later life has greeted. The one that was proven stays until the later one is; of others nothing is kept.
    pub(crate) fn greeted_by(self, later: L) -> Self {
        let proven = self.earlier.unwrap_or_else(|| Box::new(self.latest));
        Self { latest: later, earlier: Some(proven), to_earlier: false }
    }

    /// A packet of such a life has been opened: no earlier one counts any more.
    pub(crate) fn opened(&mut self, is: impl Fn(&L) -> bool) {
        if is(&self.latest) {
            (self.earlier, self.to_earlier) = (None, false);
        }
    }

    /// Has what is sealed be for such a life; whether there is one.
    pub(crate) fn pick(&mut self, is: impl Fn(&L) -> bool) -> bool {
        let earlier = !is(&self.latest);
        if earlier && !self.earlier.as_deref().is_some_and(is) {
            return false;
        }
        self.to_earlier = earlier;
        true
    }

    /// The life that what is sealed is for.
    pub(crate) fn picked(&self) -> &L {
        self.earlier.as_deref().filter(|_| self.to_earlier).unwrap_or(&self.latest)
    }

    /// Such a life.
    pub(crate) fn find_mut(&mut self, is: impl Fn(&L) -> bool) -> Option<&mut L> {
        if is(&self.latest) {
            Some(&mut self.latest)
        } else {
            self.earlier.as_deref_mut().filter(|link| is(link))
        }
    }

    pub(crate) fn latest(&self) -> &L {
        &self.latest
    }

    pub(crate) fn into_latest(self) -> L {
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_life_counts_until_a_packet_of_the_later_is_opened() {
        let mut lives = Lives::of(1).greeted_by(2);
        assert_eq!((*lives.picked(), *lives.latest()), (2, 2));
        assert!(lives.pick(|life| *life == 1) && *lives.picked() == 1);
        lives.opened(|life| *life == 1);
        assert!(lives.find_mut(|life| *life == 1).is_some() && *lives.picked() == 1);
        lives.opened(|life| *life == 2);
        assert!(lives.find_mut(|life| *life == 1).is_none() && !lives.pick(|life| *life == 1));
        assert_eq!(*lives.picked(), 2);
    }

    #[test]
    fn of_lives_that_only_greeted_the_last_is_kept_beside_the_proven_one() {
        let mut lives = Lives::of(1).greeted_by(2).greeted_by(3);
        assert!([1, 3].iter().all(|life| lives.pick(|held| held == life)));
        assert!(!lives.pick(|life| *life == 2));
    }
}
