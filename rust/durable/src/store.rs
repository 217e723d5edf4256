//! The saved view and the reserved incarnation in a directory.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use palaver_core as core;
use palaver_core::{Error, SavedState};

use crate::files::{self, Failure, on};

/// The files of a store, locked for this process.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    ceiling: Option<u64>,
    lock: Option<File>,
}

impl Store {
    /// Makes the directory if need be and locks it.
    pub fn open(directory: PathBuf) -> Result<Self, Failure> {
        if directory.as_os_str().is_empty() {
            return Err(Error::Path.into()); // any other path, "." and "/" too, names a directory
        }
        on(&directory, std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory))?;
        let lock = files::lock(&directory.join("lock"))?;
        let mut store = Self { directory, ceiling: None, lock: Some(lock) };
        store.ceiling =
            files::read(&store.path("incarnation"))?.map(|file| core::decode_ceiling(&file)).transpose()?;
        Ok(store)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Saves the view durably. The one before is kept.
    pub fn save(&self, state: &SavedState) -> Result<(), Failure> {
        if self.lock.is_none() {
            return Err(Failure::Broken(self.directory.clone()));
        }
        let (current, previous) = (self.path("state"), self.path("state.previous"));
        let prepared = files::prepare(&current, &state.encode())?; // a full disk ends it here
        let intact = files::read(&current)?.is_some_and(|file| SavedState::decode(&file).is_ok());
        if intact {
            files::rename(&current, &previous)?; // a crash from here on leaves the previous one to be loaded
        }
        prepared.take_place()?;
        Ok(())
    }

    /// The saved view, or the one before if that is damaged or was being replaced.
    pub fn load(&self) -> Result<Option<(SavedState, bool)>, Failure> {
        let mut damaged = None;
        for (name, is_previous) in [("state", false), ("state.previous", true)] {
            match files::read(&self.path(name))?.map(|file| SavedState::decode(&file)) {
                Some(Ok(state)) => return Ok(Some((state, is_previous))),
                Some(Err(error)) => damaged = Some(error),
                None => {}
            }
        }
        damaged.map_or(Ok(None), |error| Err(error.into()))
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The reserved incarnation.
    #[must_use]
    pub fn ceiling(&self) -> Option<u64> {
        self.ceiling
    }

    /// Unlocks; what is durable refuses to be written from now on.
    pub fn close(&mut self) {
        self.lock = None;
    }

    /// Reserves incarnations up to `ceiling`, durably.
    pub fn reserve(&mut self, ceiling: u64) -> Result<(), Failure> {
        if self.lock.is_none() {
            return Err(Failure::Broken(self.directory.clone()));
        }
        files::replace(&self.path("incarnation"), &core::encode_ceiling(ceiling))?;
        self.ceiling = Some(ceiling);
        Ok(())
    }

    /// Reserves what is needed to use `incarnation`: one write for each 1,024.
    pub fn cover(&mut self, incarnation: u64) -> Result<(), Failure> {
        if self.lock.is_none() {
            return Err(Failure::Broken(self.directory.clone()));
        }
        core::ceiling_for(incarnation, self.ceiling)?.map_or(Ok(()), |ceiling| self.reserve(ceiling))
    }
}
