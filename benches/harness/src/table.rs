//! Markdown tables, and the formatting of their numbers.

use std::fmt;

use crate::Spread;

/// A table with a heading.
#[derive(Clone, Debug)]
pub struct Table {
    heading: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// Creates an empty table. The first column contains text, and the others contain numbers.
    pub fn new(heading: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            heading: heading.into(),
            columns: columns.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a line below the table.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n", self.heading)?;
        writeln!(f, "| {} |", self.columns.join(" | "))?;
        let numbers = " ---: |".repeat(self.columns.len() - 1);
        writeln!(f, "| --- |{numbers}")?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        for note in &self.notes {
            writeln!(f, "\n{note}")?;
        }
        Ok(())
    }
}

/// Formats nanoseconds, with grouped thousands.
#[must_use]
pub fn nanos(value: f64) -> String {
    if value.abs() < 100.0 {
        format!("{value:.1}")
    } else {
        count(value)
    }
}

/// Formats nanoseconds as microseconds.
#[must_use]
pub fn micros(value: f64) -> String {
    let micros = value / 1_000.0;
    match micros.abs() {
        ..10.0 => format!("{micros:.2}"),
        ..100.0 => format!("{micros:.1}"),
        _ => count(micros),
    }
}

/// Formats operations per second.
#[must_use]
pub fn rate(value: f64) -> String {
    count(value)
}

/// Formats a ratio with its spread.
#[must_use]
pub fn ratio(spread: Spread) -> String {
    let write = |value: f64| match value {
        ..0.1 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    };
    format!(
        "{}x ({}..{})",
        write(spread.median),
        write(spread.p10),
        write(spread.p90)
    )
}

/// Formats bytes as kilobytes of 1000 bytes.
#[must_use]
pub fn kilobytes(bytes: f64) -> String {
    format!("{:.2}", bytes / 1_000.0)
}

/// Formats an integer, with grouped thousands.
#[must_use]
pub fn count(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut written = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(' ');
        }
        written.push(digit);
    }
    if value < 0.0 && digits != "0" {
        written.insert(0, '-');
    }
    written
}

#[cfg(test)]
mod tests {
    use super::{count, micros, nanos};

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(count(1_234_567.0), "1 234 567");
        assert_eq!(count(-1_234.4), "-1 234");
        assert_eq!(count(999.0), "999");
        assert_eq!(nanos(37.62), "37.6");
        assert_eq!(nanos(18_744.2), "18 744");
        assert_eq!(micros(18_744.2), "18.7");
        assert_eq!(micros(1_234_567.0), "1 235");
    }
}
