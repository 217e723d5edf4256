//! The upgrade (RFC 6455 § 4.1), as far as a load tool needs it.

use crate::places::Place;
use crate::plan::Client;

/// The key of the RFC's own example and its answer (§ 1.3). A nonce keeps caches from answering; here is none, and with a fixed
/// one no hash has to be computed for each of thousands of connections.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A server's head that is longer is taken for broken.
const MAX_HEAD: usize = 64 << 10;

/// Appends the request.
pub(crate) fn request(out: &mut Vec<u8>, place: &Place, client: &Client) {
    let target = place.target.as_deref().unwrap_or(&client.target);
    let text = format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Version: 13\r\n{}\r\n",
        place.authority, client.headers
    );
    out.extend_from_slice(text.as_bytes());
}

/// Reads the answer: its size in bytes, or None while it is not whole.
///
/// # Errors
/// What the server said instead, as `http 401`.
pub(crate) fn answer(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > MAX_HEAD { Err("http head too long".into()) } else { Ok(None) };
    };
    let head = &bytes[..end];
    let status = head.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    if status != b"101" {
        return Err(format!("http {}", String::from_utf8_lossy(&status[..status.len().min(16)])));
    }
    if memchr::memmem::find(head, ACCEPT).is_none() {
        return Err("http 101 without the right Sec-WebSocket-Accept".into());
    }
    Ok(Some(end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_is_taken_and_anything_else_told() {
        let good = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nrest";
        assert_eq!(answer(good), Ok(Some(good.len() - 4)));
        assert_eq!(answer(&good[..40]), Ok(None));
        assert_eq!(answer(b"HTTP/1.1 401 Unauthorized\r\n\r\n"), Err("http 401".into()));
        assert!(answer(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").is_err());
    }
}
