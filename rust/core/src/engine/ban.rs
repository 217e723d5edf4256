//! Bans: for others, and for this node.
//!
//! Who is banned gets no answers any more, and would take all others for unreachable. So it is shown the administrator's word: once
//! by its observers when they hear of the ban, and whenever its record comes in front of something it says, at most once a second,
//! in a packet that is shorter than what came and goes to the address in its signed record. A node that is shown its own ban
//! checks it like any other, keeps it in its log, tells its application and ends.

use super::contact::Contact;
use super::{Ban, Engine, Event, Output};
use crate::{Entry, Error, MAX_INCARNATION, NodeId, Precedence, Priority, Status, Time, record};

impl Engine {
    /// Joins an administrator's ban.
    pub(super) fn take_ban(&mut self, ban: Ban, output: &mut Output) -> Result<(), Error> {
        let subject = ban.subject();
        if self.bans.contains_key(&subject) {
            return Ok(());
        }
        if !self.config.admission.may_ban(ban.body().public_key()) || !self.checks.body(ban.body()) {
            return Err(Error::Signature);
        }
        let banned = Precedence::new(MAX_INCARNATION, Status::Banned)?;
        let standing = self.table.get(&subject).map(|entry| entry.precedence);
        let entry = Entry { id: subject, precedence: banned, last_heartbeat: Time::ZERO };
        self.table.reserve(std::slice::from_ref(&entry))?;
        let own = subject == self.id;
        let watches = !own && !self.restoring && self.observers(&subject).contains(&self.id);
        // Its record goes, and none is taken any more: those who never held one have the same row.
        self.table.forget(&subject);
        let contact = self.contacts.remove(&subject);
        self.table.join(&entry, self.clock.now);
        self.moved(&subject, standing);
        self.pass_on(record::KIND_BAN, &subject, Priority::Gone, |out| ban.write(out));
        self.bans.insert(subject, ban);
        if own {
            self.tell_view(output);
            self.leaving.end();
            output.events.push(Event::Stopped { acknowledged: 0, banned: true });
        } else if let Some(contact) = contact.filter(|_| watches) {
            self.show_ban(&contact, usize::MAX, output);
        }
        Ok(())
    }

    /// Shows a banned node, whose record came in a packet of so many bytes, why nobody answers.
    pub(super) fn show_banned(&mut self, body: &[u8], received: usize, output: &mut Output) {
        if let Ok(contact) = self.checks.contact(body) {
            self.show_ban(&contact, received, output);
        }
    }

    fn show_ban(&mut self, contact: &Contact, received: usize, output: &mut Output) {
        let (Some(address), Some(ban)) = (contact.address, self.bans.get(&contact.id)) else { return };
        let packet = self.ban_packet(ban);
        if packet.len() <= received && self.may_answer(&contact.id) {
            self.transmit(address, packet, false, output);
        }
    }

    /// Takes a packet that shows a ban: only its subject needs one.
    pub(super) fn take_shown_ban(&mut self, body: &[u8], output: &mut Output) -> Result<(), Error> {
        let ban = Ban::decode(body, self.cluster)?;
        if ban.subject() != self.id {
            return Err(Error::Decode("the ban is shown to somebody else"));
        }
        self.take_ban(ban, output)
    }

    /// Whether a node is banned.
    pub(super) fn is_banned(&self, id: &NodeId) -> bool {
        self.bans.contains_key(id)
    }
}
