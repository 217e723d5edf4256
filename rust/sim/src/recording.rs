//! All inputs of one node, to be given once more to an engine of the same birth: what the node does costs the same, and the
//! rest of the world nothing.

use std::net::SocketAddr;

use palaver_core::Error;
use palaver_core::engine::{Command, Engine, Input, Moment, Output};

/// What one node was told, and when.
#[derive(Debug)]
pub struct Recording {
    node: usize,
    inputs: Vec<(Moment, Told)>,
}

#[derive(Debug)]
enum Told {
    Datagram(SocketAddr, Vec<u8>),
    Stream(SocketAddr, Vec<u8>),
    Deadline,
    Command(Command),
}

impl Recording {
    /// Nothing yet of the node with this index.
    #[must_use]
    pub fn of(node: usize) -> Self {
        Self { node, inputs: Vec::new() }
    }

    /// How many inputs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    pub(crate) fn note(&mut self, node: usize, input: &Input<'_>, moment: Moment) {
        if node == self.node {
            let told = match input {
                Input::Datagram { from, bytes } => Told::Datagram(*from, bytes.to_vec()),
                Input::Stream { from, bytes } => Told::Stream(*from, bytes.to_vec()),
                Input::Deadline => Told::Deadline,
                Input::Command(command) => Told::Command(command.clone()),
            };
            self.inputs.push((moment, told));
        }
    }

    /// Gives the inputs from `range` to `engine`, in the order in which they came; `sent` learns the bytes of each datagram.
    pub fn replay(
        &self,
        range: std::ops::Range<usize>,
        engine: &mut Engine,
        mut sent: impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        let mut output = Output::default();
        for (moment, told) in &self.inputs[range] {
            let input = match told {
                Told::Datagram(from, bytes) => Input::Datagram { from: *from, bytes },
                Told::Stream(from, bytes) => Input::Stream { from: *from, bytes },
                Told::Deadline => Input::Deadline,
                Told::Command(command) => Input::Command(command.clone()),
            };
            engine.handle(input, *moment, &mut output)?;
            output.datagrams.iter().for_each(|datagram| sent(&datagram.bytes));
            output.clear();
        }
        Ok(())
    }
}
