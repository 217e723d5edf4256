//! The rivals' way to a death, for simulations: one accusation is enough for "suspect", all are told, and time does the rest.

use super::{Accusation, Detection, Engine};
use crate::record::{self, Part};
use crate::{ChangeKey, Entry, Error, Precedence, Priority, Status, Time};

impl Engine {
    /// Takes an accusation that came by gossip, where a rival's rules are simulated.
    pub(super) fn take_gossiped_accusation(&mut self, part: &Part<'_>) -> Result<(), Error> {
        if self.config.rules.detection != Detection::Observers {
            self.take_rival_accusation(Accusation::decode(part.body())?);
        }
        Ok(())
    }

    pub(super) fn take_rival_accusation(&mut self, accusation: Accusation) {
        let (subject, incarnation) = (accusation.subject(), accusation.incarnation());
        let Some(standing) = self.table.get(&subject).map(|entry| entry.precedence) else { return };
        if standing.incarnation() != incarnation || standing.status() > Status::Suspect {
            return;
        }
        if subject == self.id {
            self.accused(incarnation);
            return;
        }
        let mut bytes = Vec::new();
        accusation.write(&mut bytes);
        let new = self.suspicions.add(accusation, self.clock.now);
        let accusers = self.suspicions.accusers(&subject);
        let confirmations = if self.config.rules.detection == Detection::Swim { 1 } else { 3 };
        if !new || accusers > confirmations {
            return;
        }
        if let Ok(suspect) = Precedence::new(incarnation, Status::Suspect) {
            let entry = Entry { id: subject, precedence: suspect, last_heartbeat: Time::ZERO };
            if self.table.join(&entry, self.clock.now).is_some() {
                self.moved(&subject, Some(standing));
            }
        }
        self.await_death(&subject, incarnation, accusers);
        let key = ChangeKey { kind: record::KIND_ACCUSATION, subject };
        self.queue(key, Priority::Suspect, &bytes);
    }
}
