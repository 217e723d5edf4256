//! Every way the core refuses an argument. A refusal happens before the first change, so state is as it was.

use std::fmt;

/// Which rule was broken. `Display` is one sentence for the person who called.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The text cannot stand for a node.
    NodeId,
    /// The bytes given for a node id are not 16.
    NodeIdLength(usize),
    /// The word is not one of the six statuses.
    Status,
    /// A status that only others can give to a node.
    OwnStatus,
    /// The word is not one of the five priorities.
    Priority,
    /// The incarnation does not fit into 61 bits, or it is the last one and the status would need an answer.
    Incarnation,
    /// The seconds of Unix time are more than an incarnation can be made of.
    UnixTime,
    /// The last incarnation has been reserved: none is left for another life.
    NoIncarnation,
    /// The seconds are negative, infinite or not a number.
    Time(f64),
    /// A structure holds as much as it may.
    Full {
        /// The structure.
        what: &'static str,
        /// The bound given when it was made.
        limit: usize,
    },
    /// The system has no memory for as much.
    Memory {
        /// For what.
        what: &'static str,
    },
    /// A number that must be finite and above zero is not.
    NotPositive {
        /// Its name.
        what: &'static str,
        /// Its value.
        got: f64,
    },
    /// A number that must be finite and not below zero is not.
    Negative {
        /// Its name.
        what: &'static str,
        /// Its value.
        got: f64,
    },
    /// A number is outside its sane range.
    OutOfRange {
        /// Its name.
        what: &'static str,
        /// The least it may be.
        least: f64,
        /// The most it may be.
        most: f64,
        /// Its value.
        got: f64,
    },
    /// A whole number is below zero or above its bound.
    Whole {
        /// Its name.
        what: &'static str,
        /// Its bound.
        max: u64,
    },
    /// A weight of a rendezvous hash does not fit into 32 bits.
    WholeWeight,
    /// A weight is negative, infinite or not a number.
    Weight(f64),
    /// A capacity is zero or larger than the structure supports.
    Capacity {
        /// What has the capacity.
        what: &'static str,
        /// The largest capacity it supports.
        max: usize,
    },
    /// There are not as many of one thing as of another.
    Pairs {
        /// What was counted.
        what: &'static str,
        /// How many there must be.
        expected: usize,
        /// How many there were.
        got: usize,
    },
    /// Another node and this one speak no version of the protocol in common.
    Version,
    /// Bytes from outside do not have the form they should.
    Decode(&'static str),
    /// No link with the node has been established.
    NoLink,
    /// A greeting is of an earlier epoch than the one held, or of this node itself.
    StaleHello,
    /// Something bears a signature that its signer did not make.
    Signature,
    /// A value of fixed size has another size.
    Length {
        /// What was measured.
        what: &'static str,
        /// The size it must have, in bytes.
        expected: usize,
        /// The size it had.
        got: usize,
    },
    /// A count is negative or larger than anything that can be counted.
    Count {
        /// What was to be counted.
        what: &'static str,
    },
    /// A path that names no file.
    Path,
    /// Thirty-two bytes that are not a public key one may trust.
    PublicKey,
    /// Bytes are more than their bound.
    TooLong {
        /// What was measured.
        what: &'static str,
        /// Its bound in bytes.
        max: usize,
        /// The size it had.
        got: usize,
    },
    /// Changes that are to be written in one go are more than their bound.
    Batch {
        /// Its bound in bytes.
        max: usize,
    },
    /// Text with lone surrogates, which UTF-8 has no form for.
    Surrogate,
    /// A text field is longer than its bound or holds control characters.
    Text {
        /// The field.
        what: &'static str,
        /// Its bound in bytes.
        max: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeId => {
                write!(f, "a node id is a text of 1 to 128 characters, none of them a control character")?
            }
            Self::NodeIdLength(got) => write!(f, "a node id given as bytes has 16 of them, not {got}")?,
            Self::Status => write!(f, "a status is one of alive, suspect, unreachable, dead, left, banned")?,
            Self::OwnStatus => write!(f, "a node says of itself only that it is alive or has left")?,
            Self::Priority => {
                write!(f, "a priority is one of refutation, gone, suspect, alive, application")?
            }
            Self::Incarnation => write!(
                f,
                "an incarnation is a whole number from 0 to 2^61 - 1, and at the last one a node can only be alive or banned"
            )?,
            Self::UnixTime => write!(f, "a Unix time is at most 2^45 - 1 seconds")?,
            Self::NoIncarnation => write!(
                f,
                "the last incarnation, 2^61 - 1, has been reserved before: take a new key, which gives a new node id"
            )?,
            Self::Time(got) => write!(f, "a time is a finite number of seconds from 0 on, not {got}")?,
            Self::Full { what, limit } => {
                write!(f, "the {what} is full: it may hold {limit} and would need more")?
            }
            Self::Memory { what } => write!(f, "the system has no memory for a {what} of this size")?,
            Self::NotPositive { what, got } => write!(f, "{what} is a finite number above zero, not {got}")?,
            Self::Negative { what, got } => write!(f, "{what} is a finite number from 0 on, not {got}")?,
            Self::OutOfRange { what, least, most, got } => {
                write!(f, "{what} is from {least} to {most}, not {got}")?;
            }
            Self::Whole { what, max } => write!(f, "{what} is a whole number from 0 to {max}")?,
            Self::WholeWeight => write!(f, "a weight is a whole number from 0 to 2^32 - 1")?,
            Self::Weight(got) => write!(f, "a weight is a finite number from 0 on, not {got}")?,
            Self::Capacity { what, max } => write!(f, "the capacity of a {what} is from 1 to {max}")?,
            Self::Pairs { what, expected, got } => {
                write!(f, "there is one {what} for each node: {expected}, not {got}")?;
            }
            Self::Version => write!(f, "it speaks no version of the protocol that is spoken here")?,
            Self::Decode(rule) => write!(f, "malformed bytes: {rule}")?,
            Self::NoLink => write!(f, "no link with this node has been established: greet first")?,
            Self::StaleHello => write!(f, "the greeting is one's own, or not later than the one held")?,
            Self::Signature => write!(f, "a signature is not that of its signer")?,
            Self::Length { what, expected, got } => {
                write!(f, "a {what} has {expected} bytes, not {got}")?;
            }
            Self::Count { what } => write!(f, "the number of {what} is a whole number from 0 on")?,
            Self::Path => write!(f, "a path ends in the name of what it leads to")?,
            Self::PublicKey => write!(
                f,
                "these 32 bytes are not an Ed25519 public key: no point of the curve, not in canonical form, or of small order"
            )?,
            Self::TooLong { what, max, got } => write!(f, "a {what} has at most {max} bytes, not {got}")?,
            Self::Batch { max } => write!(f, "the changes of one append have at most {max} bytes together")?,
            Self::Surrogate => write!(f, "a text has no lone surrogates: UTF-8 has no form for them")?,
            Self::Text { what, max } => {
                write!(f, "a {what} is at most {max} bytes of text without control characters")?;
            }
        }
        f.write_str("; nothing was changed")
    }
}

impl std::error::Error for Error {}
