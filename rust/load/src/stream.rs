//! A connection's bytes, plain or encrypted, without blocking.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use socket2::{Domain, Protocol, Socket, Type};

use crate::plan::{PlanError, Tls};

/// A slow reader's receive buffer: the kernel doubles it and has a minimum of its own.
const SMALL_BUFFER: usize = 4096;

/// What every TLS connection of a run shares.
#[derive(Clone)]
pub(crate) struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Trust {
    pub(crate) fn new(tls: &Tls) -> Result<Self, PlanError> {
        let mut roots = RootCertStore::empty();
        // A system's store may hold certificates that this library does not take; those that fit are enough.
        let (taken, _) =
            roots.add_parsable_certificates(tls.roots.iter().map(|der| CertificateDer::from(der.as_slice())));
        if taken == 0 {
            return Err(PlanError("no certificate to trust was found".into()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| PlanError(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), name: name_of(&tls.name)? })
    }

    /// The same trust, in a server of another name.
    pub(crate) fn named(&self, name: &str) -> Result<Self, PlanError> {
        Ok(Self { config: self.config.clone(), name: name_of(name)? })
    }
}

fn name_of(name: &str) -> Result<ServerName<'static>, PlanError> {
    ServerName::try_from(name.to_owned())
        .map_err(|_| PlanError(format!("{name} is no name that a certificate could have")))
}

pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<(TcpStream, ClientConnection)>),
}

impl Stream {
    /// Begins to connect.
    pub(crate) fn open(
        address: SocketAddr,
        source: Option<IpAddr>,
        small: bool,
        trust: Option<&Trust>,
    ) -> io::Result<Self> {
        let socket =
            Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        if small {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
        }
        if let Some(source) = source {
            // Ports of connections that ended within the last minute (TIME_WAIT) can be had again.
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(error);
            }
            _ => {}
        }
        let tcp = TcpStream::from_std(socket.into());
        Ok(match trust {
            None => Self::Plain(tcp),
            Some(trust) => {
                let tls = ClientConnection::new(trust.config.clone(), trust.name.clone())
                    .map_err(io::Error::other)?;
                Self::Tls(Box::new((tcp, tls)))
            }
        })
    }

    pub(crate) fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(both) => &mut both.0,
        }
    }

    /// Reads what is there. Also says whether that was all (epoll(7): a short read of a stream has drained it).
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<(usize, bool)> {
        match self {
            Self::Plain(tcp) => tcp.read(into).map(|count| (count, count < into.len())),
            Self::Tls(both) => {
                let (tcp, tls) = &mut **both;
                loop {
                    match tls.reader().read(into) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        done => return done.map(|count| (count, false)),
                    }
                    if tls.read_tls(tcp)? == 0 {
                        return Ok((0, true));
                    }
                    tls.process_new_packets().map_err(io::Error::other)?;
                    push(tcp, tls)?;
                }
            }
        }
    }

    /// Writes what can be written now.
    pub(crate) fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(from),
            Self::Tls(both) => {
                let (tcp, tls) = &mut **both;
                push(tcp, tls)?;
                let count = tls.writer().write(from)?;
                push(tcp, tls)?;
                if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
            }
        }
    }

    /// Goes on with records that the kernel did not take before, the handshake's among them.
    pub(crate) fn push(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(both) => {
                let (tcp, tls) = &mut **both;
                push(tcp, tls)
            }
        }
    }
}

fn push(tcp: &mut TcpStream, tls: &mut ClientConnection) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(tcp) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
