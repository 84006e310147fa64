//! CSV with a header: columns found by name in any order, rows with their lines, and everything that can be wrong with them.

use std::io::{Chain, Cursor, Read};

use csv::{ByteRecord, ReaderBuilder, Terminator};

use crate::kernel::{Code, Error, FieldError, Result};

/// A column, by any of the names it goes by (in lower case).
pub struct Column {
    /// Its names.
    pub names: &'static [&'static str],
    /// Whether there is no use without it.
    pub needed: bool,
}

/// The most bytes a header may have.
const MAX_HEADER: usize = 1 << 20;

/// A table being read.
pub struct Table<R: Read> {
    reader: csv::Reader<Chain<Cursor<Vec<u8>>, R>>,
    names: Vec<String>,
    places: Vec<Option<usize>>,
    width: usize,
    record: ByteRecord,
    shape: Shape,
}

/// How a file is cut into fields and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    delimiter: u8,
    /// Carriage returns alone end its rows, as on the first Macs.
    carriage_returns: bool,
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
    /// Reads the header and finds the columns; all that are needed and missing are named at once. Fields are separated by
    /// commas, semicolons or tabs, rows by any line ending.
    pub fn open(mut input: R, columns: &[Column]) -> Result<Self> {
        let (head, shape) = header(&mut input).map_err(unreadable)?;
        // With the terminator CRLF the line numbers lag behind; a carriage return left at the end is trimmed.
        let end = if shape.carriage_returns { b'\r' } else { b'\n' };
        let mut reader = ReaderBuilder::new()
            .flexible(true)
            .delimiter(shape.delimiter)
            .terminator(Terminator::Any(end))
            .from_reader(Cursor::new(head).chain(input));
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
            names.push(name.trim().to_owned());
        }
        let place = |column: &Column| {
            names
                .iter()
                .position(|name| column.names.contains(&name.to_lowercase().as_str()))
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
            names,
            record: ByteRecord::new(),
            shape,
        })
    }

    /// The columns that nobody asked for, as the header names them.
    pub fn unused(&self) -> Vec<&str> {
        let unused = |(place, _): &(usize, &String)| !self.places.contains(&Some(*place));
        let names = self.names.iter().enumerate().filter(unused);
        names
            .map(|(_, name)| name.as_str())
            .filter(|n| !n.is_empty())
            .collect()
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
            if !self.record.as_slice().trim_ascii().is_empty() {
                break;
            }
        }
        let line = |at: &csv::Position| {
            if self.shape.carriage_returns {
                at.record() + 1
            } else {
                at.line()
            }
        };
        Ok(Some(Row {
            line: self.record.position().map_or(0, line),
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

/// The beginning of a file, at least to the end of its header, and what that says of the rest.
fn header(input: &mut impl Read) -> std::io::Result<(Vec<u8>, Shape)> {
    let mut head = Vec::new();
    let mut shape = Shape {
        delimiter: b',',
        carriage_returns: false,
    };
    let (mut quoted, mut seen, mut counts) = (false, 0, [0_usize; 3]);
    let delimiters = *b",;\t";
    'header: while head.len() < MAX_HEADER {
        let more = input.by_ref().take(8192).read_to_end(&mut head)?;
        while let Some(byte) = head.get(seen).copied() {
            match byte {
                b'"' => quoted = !quoted,
                b'\n' if !quoted => break 'header,
                b'\r' if !quoted => match head.get(seen + 1) {
                    Some(b'\n') => break 'header,
                    None if more > 0 => break,
                    _ => {
                        shape.carriage_returns = true;
                        break 'header;
                    }
                },
                _ if !quoted => {
                    for (count, delimiter) in counts.iter_mut().zip(delimiters) {
                        *count += usize::from(byte == delimiter);
                    }
                }
                _ => {}
            }
            seen += 1;
        }
        if more == 0 {
            break;
        }
    }
    let most = counts.into_iter().zip(delimiters).rev();
    if let Some((_, delimiter)) = most.max_by_key(|(count, _)| *count) {
        shape.delimiter = delimiter;
    }
    Ok((head, shape))
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
    fn any_line_ending_and_separator_is_read() {
        assert_eq!(
            rows(b"sku,price,note\ra,1,\"x\ny\"\r,,\rb,2,z\r"),
            ["2 a|1|x\ny", "4 b|2|z"]
        );
        assert_eq!(rows(b"sku;price;note\na;1,50;x"), ["2 a|1,50|x"]);
        assert_eq!(rows(b"sku\tprice\tnote\r\na\t1\tx\r"), ["2 a|1|x"]);
        assert_eq!(rows(b"sku,price,note\r"), [""; 0]);
    }

    #[test]
    fn columns_that_nobody_asked_for_are_named() {
        let table = Table::open(&b"SKU,Cost per item,price,Price,\n"[..], COLUMNS).unwrap();
        assert_eq!(table.unused(), ["Cost per item", "Price"]);
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
