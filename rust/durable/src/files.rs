//! The few file operations that durability needs, each with its fsync.

use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use palaver_core::Error;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// What went wrong with which file.
#[derive(Debug, Clone)]
pub struct FileError {
    /// The system's number for it, 0 where it gave none.
    pub errno: i32,
    /// In words.
    pub reason: String,
    /// The file.
    pub path: PathBuf,
}

impl FileError {
    pub(crate) fn new(path: &Path, error: &io::Error) -> Self {
        let errno = error.raw_os_error().unwrap_or_default();
        Self { errno, reason: error.to_string(), path: path.to_owned() }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; nothing was acknowledged", self.path.display(), self.reason)
    }
}

/// How a call of something durable fails.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The system refuses.
    File(FileError),
    /// What is there, or was given, is not as it should be.
    Refused(Error),
    /// An earlier write or sync failed half-way, so that nobody knows what the disk holds; or it has been closed.
    Broken(PathBuf),
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl Failure {
    /// What the system said of which file; the core's error where it is not about a file.
    pub fn into_file_error(self) -> Result<FileError, Error> {
        match self {
            Self::File(error) => Ok(error),
            Self::Refused(error) => Err(error),
            Self::Broken(path) => Ok(FileError {
                errno: Errno::BADF.raw_os_error(),
                reason: "it is closed, or an earlier write failed and left it in doubt: open it again"
                    .to_owned(),
                path,
            }),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.clone().into_file_error() {
            Ok(error) => error.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

/// Names the file that an operation failed on.
pub(crate) fn on<T>(path: &Path, result: io::Result<T>) -> Result<T, FileError> {
    result.map_err(|error| FileError::new(path, &error))
}

/// Opens a file that only its owner may read, and makes it if there is none. One that others could read is closed to them.
pub(crate) fn open(path: &Path) -> Result<File, FileError> {
    let opened =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = on(path, opened)?;
    if on(path, file.metadata())?.permissions().mode() & 0o077 != 0 {
        on(path, file.set_permissions(Permissions::from_mode(0o600)))?;
    }
    Ok(file)
}

/// Refuses a path that ends in no name: "", "..", "/".
pub(crate) fn named(path: &Path) -> Result<(), Error> {
    if path.file_name().is_some() { Ok(()) } else { Err(Error::Path) }
}

/// A lock that ends with the process, whatever ends it.
pub(crate) fn lock(path: &Path) -> Result<File, FileError> {
    let file = open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(errno @ Errno::WOULDBLOCK) => Err(FileError {
            errno: errno.raw_os_error(),
            reason: "somebody else has it open".to_owned(),
            path: path.to_owned(),
        }),
        Err(errno) => on(path, Err(errno.into())),
    }
}

/// The whole file, None if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => on(path, Err(error)),
    }
}

/// A whole and durable file that has not got its name yet.
pub(crate) struct Prepared {
    path: PathBuf,
    new: PathBuf,
    file: File,
}

/// Writes a new file next to `path` and makes it durable. Whatever fails, `path` is as it was.
pub(crate) fn prepare(path: &Path, bytes: &[u8]) -> Result<Prepared, FileError> {
    let new = beside(path, "new");
    let file = open(&new)?;
    on(&new, file.set_len(0).and_then(|()| (&file).write_all(bytes)).and_then(|()| file.sync_all()))?;
    Ok(Prepared { path: path.to_owned(), new, file })
}

impl Prepared {
    /// Gives the file its name. When this fails, nobody knows which file bears it after a crash.
    pub(crate) fn take_place(self) -> Result<File, FileError> {
        rename(&self.new, &self.path)?;
        Ok(self.file)
    }
}

/// Puts a new file in the place of `path`, durably: readers see the old content or the new.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<File, FileError> {
    prepare(path, bytes)?.take_place()
}

/// Writes the same bytes into a file again, and forces them to the disk.
///
/// After a failed fsync the system keeps pages that it could not write and takes them for clean: they can be read, but no
/// later fsync writes them. Written again they count as changed. A crash in between does no harm, since nothing changes,
/// and a full disk does not matter.
pub(crate) fn write_again(path: &Path, bytes: &[u8]) -> Result<File, FileError> {
    let file = open(path)?;
    on(path, file.write_all_at(bytes, 0).and_then(|()| file.sync_all()))?;
    Ok(file)
}

/// Renames durably: the directory is synced.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    on(from, std::fs::rename(from, to))?;
    let directory = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    on(directory, File::open(directory).and_then(|directory| directory.sync_all()))
}

/// `name.suffix` in the same directory.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}
