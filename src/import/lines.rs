//! A stream cut into lines, none of which may be longer than memory allows.

use std::io::{BufRead, BufReader, Read};

/// The most bytes of a line.
pub const MAX_LINE: usize = 4 * 1024 * 1024;

/// The lines of a stream, with their numbers.
pub struct Lines<R> {
    input: BufReader<R>,
    number: u64,
    buffer: Vec<u8>,
}

/// A line, or why there is none to be used.
pub enum Line<'a> {
    /// A line, without its end.
    Text(&'a str),
    /// It is not UTF-8; where the first wrong byte stands.
    NotUtf8(usize),
    /// It is longer than [`MAX_LINE`].
    TooLong,
}

impl<R: Read> Lines<R> {
    /// The lines of `input`.
    pub fn new(input: R) -> Self {
        Self {
            input: BufReader::new(input),
            number: 0,
            buffer: Vec::new(),
        }
    }

    /// The next line and its number, from 1. A byte order mark is no part of the first.
    pub fn next(&mut self) -> std::io::Result<Option<(u64, Line<'_>)>> {
        self.buffer.clear();
        let limit = u64::try_from(MAX_LINE)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        if Read::by_ref(&mut self.input)
            .take(limit)
            .read_until(b'\n', &mut self.buffer)?
            == 0
        {
            return Ok(None);
        }
        self.number += 1;
        if self.buffer.len() > MAX_LINE && self.buffer.last() != Some(&b'\n') {
            self.skip_rest()?;
            return Ok(Some((self.number, Line::TooLong)));
        }
        let mut bytes = self.buffer.as_slice();
        if self.number == 1 {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        let line = match std::str::from_utf8(bytes) {
            Ok(text) => Line::Text(text.trim_end_matches(['\n', '\r'])),
            Err(error) => Line::NotUtf8(error.valid_up_to() + 1),
        };
        Ok(Some((self.number, line)))
    }

    fn skip_rest(&mut self) -> std::io::Result<()> {
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(());
            }
            let (count, end) = match chunk.iter().position(|b| *b == b'\n') {
                Some(place) => (place + 1, true),
                None => (chunk.len(), false),
            };
            self.input.consume(count);
            if end {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bytes: &[u8]) -> Vec<(u64, String)> {
        let mut lines = Lines::new(bytes);
        let mut out = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            out.push((
                number,
                match line {
                    Line::Text(text) => text.to_owned(),
                    Line::NotUtf8(at) => format!("not utf-8 at {at}"),
                    Line::TooLong => "too long".to_owned(),
                },
            ));
        }
        out
    }

    #[test]
    fn lines_are_numbered_whatever_is_wrong_with_them() {
        let mut bytes = b"\xef\xbb\xbfone\r\n\ntw\xffo\n".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', MAX_LINE + 9));
        bytes.extend(b"\nhalf");
        let texts: Vec<_> = seen(&bytes);
        let wanted = [
            (1, "one"),
            (2, ""),
            (3, "not utf-8 at 3"),
            (4, "too long"),
            (5, "half"),
        ];
        assert_eq!(texts, wanted.map(|(n, t)| (n, t.to_owned())));
    }
}
