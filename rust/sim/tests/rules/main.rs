//! The rules of a cluster: they hold against attacks, and breaking any of them is noticed.
#![allow(clippy::unwrap_used)]

mod attacks;
mod histories;
mod mutations;
