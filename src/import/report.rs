//! What an import tells while it runs and when it is done: how far it is, what is wrong with which line, and the sums.

use std::io::Read;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::domain::catalog::Outcome;
use crate::kernel::{Error, FieldError};

/// Counts what became of the rows of an import, and says what is wrong with a line as soon as it is known.
pub struct Report {
    /// Objects that are new.
    pub created: u64,
    /// Objects that were changed.
    pub updated: u64,
    /// Objects that were as the file says.
    pub unchanged: u64,
    /// Lines (JSONL), rows (CSV) or products that were refused.
    pub refused: u64,
    /// Rows that are well and have no place in a catalogue.
    pub left_out: u64,
    bar: ProgressBar,
    tell: Box<dyn FnMut(&str) + Send>,
}

impl Report {
    /// A report that hands each complaint to `tell` and shows no progress.
    pub fn to(tell: impl FnMut(&str) + Send + 'static) -> Self {
        Self {
            created: 0,
            updated: 0,
            unchanged: 0,
            refused: 0,
            left_out: 0,
            bar: ProgressBar::hidden(),
            tell: Box::new(tell),
        }
    }

    /// A report on standard error, with a bar of rate and time left where that is a terminal. `total` is the number of
    /// bytes, where it is known.
    pub fn on_terminal(total: Option<u64>) -> Self {
        Self::with_bar(
            total,
            "{bar:30} {percent:>3}%  {bytes_per_sec}  {eta} left  {msg}",
            "{spinner} {bytes}  {bytes_per_sec}  {msg}",
        )
    }

    /// The same for `total` things that are made rather than read.
    pub fn of_things(total: u64) -> Self {
        Self::with_bar(
            Some(total),
            "{bar:30} {percent:>3}%  {pos} of {len}  {per_sec}  {eta} left  {msg}",
            "{pos}",
        )
    }

    fn with_bar(total: Option<u64>, known: &str, unknown: &str) -> Self {
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let style = ProgressStyle::with_template(if total.is_some() { known } else { unknown });
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        let out = bar.clone();
        let tell = move |text: &str| out.suspend(|| eprintln!("{text}"));
        Self {
            bar,
            ..Self::to(tell)
        }
    }

    /// The same stream, counted by the bar.
    pub fn watch<R: Read>(&self, input: R) -> impl Read + use<R> {
        Watched {
            input,
            bar: self.bar.clone(),
        }
    }

    /// Moves the bar on by `count` things.
    pub fn advance(&self, count: u64) {
        self.bar.inc(count);
    }

    /// Says something that is no refusal.
    pub fn note(&mut self, text: &str) {
        (self.tell)(text);
    }

    /// A line is well but has no place here.
    pub fn leave_out(&mut self, line: u64, message: &str) {
        self.left_out += 1;
        self.complain(line, "", message);
    }

    /// A line cannot be used.
    pub fn refuse(&mut self, line: u64, pointer: &str, message: &str) {
        self.refused += 1;
        self.complain(line, pointer, message);
    }

    /// A line cannot be used, for the reasons that an operation gave. `strip` is where the line stands in what was asked.
    pub fn refuse_for<'a>(
        &mut self,
        line: u64,
        reasons: impl Iterator<Item = (&'a str, &'a str)>,
        strip: &str,
    ) {
        self.refused += 1;
        for (pointer, message) in reasons {
            self.complain(
                line,
                pointer.strip_prefix(strip).unwrap_or(pointer),
                message,
            );
        }
    }

    /// A line cannot be used: an operation refused it as a whole.
    pub fn refuse_error(&mut self, line: u64, error: &Error, strip: &str) {
        if error.fields.is_empty() {
            let source = error
                .source
                .as_ref()
                .map(ToString::to_string)
                .filter(|s| !s.is_empty());
            let reason = source.map_or_else(String::new, |source| format!(" ({source})"));
            return self.refuse(line, "", &format!("{}{reason}", error.detail));
        }
        let reasons = error.fields.iter().map(
            |FieldError {
                 pointer, message, ..
             }| (pointer.as_str(), message.as_str()),
        );
        self.refuse_for(line, reasons, strip);
    }

    /// Counts an object.
    pub fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Updated => self.updated += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Refused => self.refused += 1,
        }
        self.bar.set_message(format!("{} refused", self.refused));
    }

    /// Takes the bar away and sums up.
    pub fn finish(&self) -> String {
        self.bar.finish_and_clear();
        let left_out = match self.left_out {
            0 => String::new(),
            count => format!(", {count} left out"),
        };
        format!(
            "{} created, {} updated, {} unchanged, {} refused{left_out}.",
            self.created, self.updated, self.unchanged, self.refused
        )
    }

    fn complain(&mut self, line: u64, pointer: &str, message: &str) {
        match pointer {
            "" => (self.tell)(&format!("line {line}: {message}")),
            _ => (self.tell)(&format!("line {line}: {pointer}: {message}")),
        }
    }
}

struct Watched<R> {
    input: R,
    bar: ProgressBar,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.bar.inc(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}
