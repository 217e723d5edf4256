//! A cursor over JSON that reads only what is plain (RFC 8259): text of printable ASCII without an escape, and whole numbers.
//! Whatever else comes is None: somebody else has to look closer.

/// A place in a message. Every reading method skips white space before what it reads.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte that is no white space.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.bytes.get(self.at)? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Steps over what a caller has read of `rest` by itself.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(crate) fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// None unless nothing but white space is left.
    pub(crate) fn finish(mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    /// An object, whose values `read` reads.
    pub(crate) fn object(&mut self, mut read: impl FnMut(&mut Self, &[u8]) -> Option<()>) -> Option<()> {
        self.eat(b'{')?;
        self.list(b'}', |cursor| {
            let key = cursor.string()?;
            cursor.eat(b':')?;
            cursor.peek()?;
            read(cursor, key.as_bytes())
        })
    }

    /// An array, whose items `read` reads.
    pub(crate) fn array(&mut self, read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.eat(b'[')?;
        self.list(b']', read)
    }

    fn list(&mut self, end: u8, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.peek()? == end {
            self.at += 1;
            return Some(());
        }
        loop {
            read(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                byte if byte == end => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    pub(crate) fn string(&mut self) -> Option<&'a str> {
        self.eat(b'"')?;
        let rest = self.rest();
        let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20 | 0x7f..))?;
        self.at += length + 1;
        (rest[length] == b'"').then_some(())?;
        std::str::from_utf8(&rest[..length]).ok()
    }

    /// A whole number of at most 19 digits, without a sign, a fraction or an exponent.
    pub(crate) fn number(&mut self) -> Option<u64> {
        let first = self.peek()?;
        let rest = self.rest();
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        if !(1..=19).contains(&length) || first == b'0' && length > 1 {
            return None;
        }
        self.at += length;
        match rest.get(length) {
            Some(b'.' | b'e' | b'E') => None,
            _ => Some(rest[..length].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))),
        }
    }

    pub(crate) fn boolean(&mut self) -> Option<bool> {
        self.peek()?;
        let value = self.rest().starts_with(b"true");
        if !value && !self.rest().starts_with(b"false") {
            return None;
        }
        self.at += if value { 4 } else { 5 };
        Some(value)
    }

    /// Steps over a value that is plain and of no interest.
    pub(crate) fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b't' | b'f' => self.boolean().map(|_| ()),
            b'n' => self.null_or(|_| None),
            _ => self.number().map(|_| ()),
        }
    }

    /// What `read` reads, or null.
    pub(crate) fn null_or(&mut self, read: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        if self.peek()? == b'n' && self.rest().starts_with(b"null") {
            self.at += 4;
            return Some(());
        }
        read(self)
    }
}
