//! A dict merge, as the Python binding does it: text ids, incarnations, status words, heartbeats.
//!
//! One member a line: `id incarnation status heartbeat`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palaver_core::{Entry, Error, Precedence, Time};
use palaver_fuzz::table;

fn entry(line: &str) -> Result<Entry, Error> {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (id, incarnation, status, heard) = (word(), word(), word(), word());
    Ok(Entry {
        id: id.parse()?,
        precedence: Precedence::new(incarnation.parse().map_err(|_| Error::Incarnation)?, status.parse()?)?,
        last_heartbeat: Time::new(heard.parse().unwrap_or(f64::NAN))?,
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(entries) = text.lines().map(entry).collect::<Result<Vec<_>, _>>() else { return };
    for entry in &entries {
        let said = entry.id.to_string();
        assert_eq!(said.parse(), Ok(entry.id));
    }
    let (mut table, now) = (table(), Time::new(100.0).expect("a good time"));
    let (root, before) = (table.root(), table.snapshot_bytes());
    let Ok(news) = table.merge(&entries, now) else {
        assert_eq!((table.root(), table.snapshot_bytes()), (root, before));
        return;
    };
    assert!(news.iter().all(|row| table.get(&row.id) == Some(*row) || row.id != table.self_id()));
    assert_eq!(table.merge(&entries, now), Ok(Vec::new()));
    let mut reversed = palaver_fuzz::table();
    for entry in entries.iter().rev() {
        reversed.merge(std::slice::from_ref(entry), now).expect("those together had room");
    }
    assert_eq!(reversed.root(), table.root());
});
