//! foca: `apply_many` with one update, which is what it does for each update of a packet once it is decoded.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU32;
use std::time::Duration;

use foca::{
    Config, Foca, Member, NoCustomBroadcast, Notification, PostcardCodec, Runtime, State, Timer,
};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::MEMBERS;

type Peer = SocketAddrV4;

struct Nowhere;

impl Runtime<Peer> for Nowhere {
    fn notify(&mut self, notification: Notification<'_, Peer>) {
        black_box(notification);
    }

    fn send_to(&mut self, to: Peer, data: &[u8]) {
        black_box((to, data));
    }

    fn submit_after(&mut self, event: Timer<Peer>, after: Duration) {
        black_box((event, after));
    }
}

pub struct Table {
    foca: Foca<Peer, PostcardCodec, SmallRng, NoCustomBroadcast>,
    incarnation: u16,
}

fn peer(n: usize) -> Peer {
    SocketAddrV4::new(Ipv4Addr::from_bits(0x0A00_0000 + n as u32), 7946)
}

impl Table {
    pub fn new() -> Self {
        let size = NonZeroU32::new(MEMBERS as u32).expect("not zero");
        let rng = SmallRng::seed_from_u64(1);
        let mut foca = Foca::new(peer(0), Config::new_lan(size), rng, PostcardCodec);
        let members = (1..MEMBERS).map(|n| Member::new(peer(n), 0, State::Alive));
        foca.apply_many(members, false, Nowhere)
            .expect("members of their own address");
        Self {
            foca,
            incarnation: 0,
        }
    }

    pub fn merge_unchanged(&mut self, operations: usize) {
        for n in 0..operations {
            let member = Member::new(
                peer(1 + (n * 7_919) % (MEMBERS - 1)),
                self.incarnation,
                State::Alive,
            );
            self.foca
                .apply_many(std::iter::once(member), true, Nowhere)
                .expect("a known member");
        }
    }

    pub fn merge_newer(&mut self, operations: usize) {
        for n in 0..operations {
            // An incarnation for each pass over a part of the members: foca's has 16 bits.
            if n % 2_000 == 0 {
                self.incarnation += 1;
            }
            let member = Member::new(
                peer(1 + (n * 7_919) % (MEMBERS - 1)),
                self.incarnation,
                State::Alive,
            );
            self.foca
                .apply_many(std::iter::once(member), true, Nowhere)
                .expect("a known member");
        }
    }
}
