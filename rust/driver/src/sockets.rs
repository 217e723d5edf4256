//! One port for UDP and TCP.

use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, UdpSocket};
use socket2::SockRef;

use crate::settings::StartError;

/// So many ports are tried where the system chooses: it does not know that both protocols must be free.
const TRIES: usize = 32;

/// What a burst of a big cluster needs; the system may give less (net.core.rmem_max).
const RECEIVE_BUFFER: usize = 4 << 20;

/// Listens on `address` by both protocols.
pub(crate) fn bind(address: SocketAddr) -> Result<(UdpSocket, TcpListener, SocketAddr), StartError> {
    let mut tried = 0;
    loop {
        tried += 1;
        match bind_once(address) {
            Ok(bound) => return Ok(bound),
            Err(error)
                if address.port() == 0 && tried < TRIES && error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(StartError::Bind(address, error)),
        }
    }
}

fn bind_once(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let udp = UdpSocket::bind(bound)?;
    let _ = SockRef::from(&udp).set_recv_buffer_size(RECEIVE_BUFFER); // as much as it may be
    Ok((udp, listener, bound))
}
