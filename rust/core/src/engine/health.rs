//! How well this node itself does (Lifeguard §III-A): whoever misses much should blame itself first.

/// The local health multiplier: 0 is well. Timeouts and the probe interval grow with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalHealth {
    score: u32,
    max: u32,
}

impl LocalHealth {
    /// Lifeguard's S: a node is at most nine times as slow as a healthy one.
    pub(super) const MAX: u32 = 8;

    pub(super) fn new(max: u32) -> Self {
        Self { score: 0, max }
    }

    /// Something failed that would have worked on a healthy node: a probe without an answer, a missing nack, an accusation
    /// against this node, a pause.
    pub(super) fn worse(&mut self, by: u32) {
        self.score = (self.score + by).min(self.max);
    }

    /// A probe was answered.
    pub(super) fn better(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// By what to multiply.
    pub(super) fn factor(&self) -> f64 {
        f64::from(self.score + 1)
    }
}
