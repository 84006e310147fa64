//! CSV with a header: columns found by name in any order, rows with their lines, and everything that can be wrong with them.

use std::io::Read;

use csv::{ByteRecord, ReaderBuilder, Terminator};

use crate::kernel::{Code, Error, FieldError, Result};

/// A column, by any of the names it goes by (in lower case).
pub struct Column {
    /// Its names.
    pub names: &'static [&'static str],
    /// Whether there is no use without it.
    pub needed: bool,
}

/// A table being read.
pub struct Table<R> {
    reader: csv::Reader<R>,
    places: Vec<Option<usize>>,
    width: usize,
    record: ByteRecord,
}

/// A row: the texts of the columns asked for, in their order, empty where there is no such column.
pub struct Row<'a> {
    /// The line it begins in.
    pub line: u64,
    /// How many bytes it has.
    pub bytes: usize,
    /// Why it cannot be used; what can be read of it may still say whose row it is.
    pub problem: Option<String>,
    places: &'a [Option<usize>],
    record: &'a ByteRecord,
}

impl Row<'_> {
    /// The text of a column, without spaces around it.
    pub fn get(&self, column: usize) -> &str {
        let place = self.places.get(column).copied().flatten();
        place
            .and_then(|place| self.record.get(place))
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or_default()
            .trim()
    }
}

impl<R: Read> Table<R> {
    /// Reads the header and finds the columns; all that are needed and missing are named at once.
    pub fn open(input: R, columns: &[Column]) -> Result<Self> {
        // With the terminator CRLF the line numbers lag behind; a carriage return left at the end is trimmed.
        let terminator = Terminator::Any(b'\n');
        let mut reader = ReaderBuilder::new()
            .flexible(true)
            .terminator(terminator)
            .from_reader(input);
        let header = reader
            .byte_headers()
            .map_err(|e| unreadable(e.into()))?
            .clone();
        let mut names = Vec::with_capacity(header.len());
        for cell in &header {
            let name = std::str::from_utf8(cell).map_err(|_| {
                Error::new(
                    Code::ValidationFailed,
                    "line 1: The header is not UTF-8; save the file as CSV in UTF-8.",
                )
            })?;
            names.push(name.trim().to_lowercase());
        }
        let place = |column: &Column| {
            names
                .iter()
                .position(|name| column.names.contains(&name.as_str()))
        };
        let missing: Vec<FieldError> = columns
            .iter()
            .filter(|column| column.needed && place(column).is_none())
            .map(|column| {
                FieldError::new(
                    "line 1",
                    "missing_column",
                    format!("There is no column {}.", column.names.join(" or ")),
                )
            })
            .collect();
        if !missing.is_empty() {
            let detail = format!("{} of the needed columns are missing.", missing.len());
            return Err(Error::new(Code::ValidationFailed, detail).with(missing));
        }
        let places = columns.iter().map(place).collect();
        Ok(Self {
            reader,
            places,
            width: names.len(),
            record: ByteRecord::new(),
        })
    }

    /// Whether the file has this column.
    pub fn has(&self, column: usize) -> bool {
        self.places.get(column).is_some_and(Option::is_some)
    }

    /// The next row.
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        loop {
            if !self
                .reader
                .read_byte_record(&mut self.record)
                .map_err(|e| unreadable(e.into()))?
            {
                return Ok(None);
            }
            if self.record.len() > 1 || !self.record.as_slice().trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(Row {
            line: self.record.position().map_or(0, csv::Position::line),
            bytes: self.record.as_slice().len(),
            problem: self.problem(),
            places: &self.places,
            record: &self.record,
        }))
    }

    fn problem(&self) -> Option<String> {
        let (has, width) = (self.record.len(), self.width);
        if has != width {
            let end = if has < width {
                "; it may be cut off"
            } else {
                ""
            };
            return Some(format!("Has {has} fields, the header {width}{end}."));
        }
        let place = self
            .record
            .iter()
            .position(|cell| std::str::from_utf8(cell).is_err())?;
        Some(format!(
            "Field {} is not UTF-8; save the file as CSV in UTF-8.",
            place + 1
        ))
    }
}

/// The stream itself cannot be read.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub fn unreadable(error: std::io::Error) -> Error {
    Error::new(
        Code::Unavailable,
        format!("The input cannot be read: {error}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column {
            names: &["sku", "code"],
            needed: true,
        },
        Column {
            names: &["price"],
            needed: true,
        },
        Column {
            names: &["note"],
            needed: false,
        },
    ];

    fn rows(text: &[u8]) -> Vec<String> {
        let mut table = Table::open(text, COLUMNS).unwrap();
        let mut out = Vec::new();
        while let Some(row) = table.next().unwrap() {
            out.push(match &row.problem {
                None => format!("{} {}|{}|{}", row.line, row.get(0), row.get(1), row.get(2)),
                Some(message) => format!("{}! {message}", row.line),
            });
        }
        out
    }

    #[test]
    fn columns_are_found_in_any_order_and_rows_by_their_line() {
        let text = b"\xef\xbb\xbf Price ,extra,CODE\r\n1.5,x,\"a\r\nb\"\r\n2,,c";
        assert_eq!(rows(text), ["2 a\r\nb|1.5|", "4 c|2|"]);
    }

    #[test]
    fn rows_that_cannot_be_read_are_named_and_the_rest_goes_on() {
        let text = b"sku,price,note\na,1\n\r\nb,2,\xff\nc,3,fine\n\"d,4,cut";
        assert_eq!(
            rows(text),
            [
                "2! Has 2 fields, the header 3; it may be cut off.",
                "4! Field 3 is not UTF-8; save the file as CSV in UTF-8.",
                "5 c|3|fine",
                "6! Has 1 fields, the header 3; it may be cut off.",
            ]
        );
    }

    #[test]
    fn every_missing_column_is_named_at_once() {
        let error = Table::open(&b"colour,note\n"[..], COLUMNS).err().unwrap();
        let messages: Vec<&str> = error.fields.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "There is no column sku or code.",
                "There is no column price."
            ]
        );
        assert!(Table::open(&b"\xff\xfes\0k\0u\0"[..], COLUMNS).is_err());
        assert!(Table::open(&b""[..], COLUMNS).is_err());
    }
}
