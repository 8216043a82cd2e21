//! Whether the inside of a client's message has the layout of its kind: every text ends, every count and length is true, and
//! nothing is left over.
//!
//! The decoder of the messages takes that for granted, so it is asked first.
#![forbid(unsafe_code)]

/// Whether the bytes after the length are a message of this kind. Kinds that are not known are left to the decoder.
pub fn fits(kind: u8, inside: &[u8]) -> bool {
    let mut walk = Walk(inside);
    let walked = match kind {
        b'Q' | b'f' => walk.text(),
        b'P' => walk
            .text()
            .and_then(|()| walk.text())
            .and_then(|()| walk.numbers(4)),
        b'B' => walk
            .text()
            .and_then(|()| walk.text())
            .and_then(|()| walk.numbers(2))
            .and_then(|()| walk.values())
            .and_then(|()| walk.numbers(2)),
        b'D' | b'C' => walk.skip(1).and_then(|()| walk.text()),
        b'E' => walk.text().and_then(|()| walk.skip(4)),
        b'S' | b'H' | b'X' | b'c' => Some(()),
        _ => return true,
    };
    // Bytes of a copy are whatever they are.
    walked.is_some() && walk.0.is_empty()
}

/// Whether the bytes after the version are pairs of texts and an end.
pub fn fits_startup(inside: &[u8]) -> bool {
    let mut walk = Walk(inside);
    loop {
        if walk.0 == [0] {
            return true;
        }
        if walk.text().and_then(|()| walk.text()).is_none() {
            return false;
        }
    }
}

/// What is still to be looked at. Every step is None if the message is too short for it.
struct Walk<'a>(&'a [u8]);

impl Walk<'_> {
    fn skip(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    /// A text and its zero.
    fn text(&mut self) -> Option<()> {
        let length = self.0.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&self.0[..length]).ok()?;
        self.skip(length + 1)
    }

    fn count(&mut self) -> Option<usize> {
        let count = u16::from_be_bytes(*self.0.first_chunk()?);
        self.skip(2)?;
        Some(usize::from(count))
    }

    /// A count, and so many numbers.
    fn numbers(&mut self, size: usize) -> Option<()> {
        let count = self.count()?;
        self.skip(count * size)
    }

    /// A count, and so many lengths with their bytes; -1 is no value.
    fn values(&mut self) -> Option<()> {
        for _ in 0..self.count()? {
            let length = i32::from_be_bytes(*self.0.first_chunk()?);
            self.skip(4)?;
            match length {
                -1 => {}
                length => self.skip(usize::try_from(length).ok()?)?,
            }
        }
        Some(())
    }
}
