//! [`Sheet`]: an answer, written for people or as one JSON value. It is put together once for both.

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::{Map, Value};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs: one JSON value.
    Json,
}

/// Rows under columns; in JSON an array of objects.
#[derive(Debug)]
pub struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// No rows yet. The columns are the names in JSON: lower case, words joined by `_`.
    pub fn new(columns: &'static [&'static str]) -> Table {
        let rows = Vec::new();
        Table { columns, rows }
    }

    /// One more row, a value for every column.
    pub fn row<const N: usize>(&mut self, values: [Value; N]) {
        assert_eq!(N, self.columns.len(), "a value for every column");
        self.rows.push(values.into());
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it to standard output.
    pub fn show(self, format: Format) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match format {
            Format::Table => self.write(&mut out)?,
            Format::Json => write_json(&mut out, &self.into_json())?,
        }
        out.flush()
    }

    fn into_json(self) -> Value {
        let columns = self.columns;
        let object = |row: Vec<Value>| {
            let names = columns.iter().map(|name| (*name).to_owned());
            Value::Object(names.zip(row).collect())
        };
        Value::Array(self.rows.into_iter().map(object).collect())
    }

    /// Columns as wide as their widest value, two spaces apart, numbers to the right.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let titles: Vec<String> = self
            .columns
            .iter()
            .map(|name| name.replace('_', " ").to_uppercase())
            .collect();
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(in_words).collect())
            .collect();
        let width = |column: usize| {
            let values = rows.iter().map(|row| row[column].chars().count());
            values.max().unwrap_or(0).max(titles[column].chars().count())
        };
        let widths: Vec<usize> = (0..titles.len()).map(width).collect();
        let right: Vec<bool> = (0..titles.len())
            .map(|column| self.rows.iter().any(|row| row[column].is_number()))
            .collect();
        for row in std::iter::once(&titles).chain(&rows) {
            let mut line = String::new();
            for ((value, &width), &right) in row.iter().zip(&widths).zip(&right) {
                let padded = if right {
                    format!("{value:>width$}  ")
                } else {
                    format!("{value:<width$}  ")
                };
                line.push_str(&padded);
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Facts and tables of one thing; in JSON one object.
#[derive(Debug, Default)]
pub struct Sheet {
    facts: Vec<(&'static str, Value)>,
    tables: Vec<(&'static str, Table)>,
}

impl Sheet {
    /// One more fact.
    pub fn fact(&mut self, name: &'static str, value: impl Into<Value>) {
        self.facts.push((name, value.into()));
    }

    /// One more table, after the facts.
    pub fn table(&mut self, name: &'static str, table: Table) {
        self.tables.push((name, table));
    }

    /// Writes several to standard output; in JSON an array.
    pub fn show_all(sheets: Vec<Sheet>, format: Format) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match format {
            Format::Json => {
                let objects = sheets.into_iter().map(Sheet::into_json).collect();
                write_json(&mut out, &Value::Array(objects))?;
            }
            Format::Table => {
                for (i, sheet) in sheets.iter().enumerate() {
                    if i > 0 {
                        writeln!(out)?;
                    }
                    sheet.write(&mut out)?;
                }
            }
        }
        out.flush()
    }

    /// Writes it to standard output.
    pub fn show(self, format: Format) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match format {
            Format::Table => self.write(&mut out)?,
            Format::Json => write_json(&mut out, &self.into_json())?,
        }
        out.flush()
    }

    fn into_json(self) -> Value {
        let facts = self.facts.into_iter();
        let tables = self.tables.into_iter();
        let entries = facts.chain(tables.map(|(name, table)| (name, table.into_json())));
        let entries: Map<_, _> = entries.map(|(name, value)| (name.to_owned(), value)).collect();
        Value::Object(entries)
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let width = self.facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &self.facts {
            let name = name.replace('_', " ");
            writeln!(out, "{name:<width$}  {}", in_words(value))?;
        }
        for (name, table) in &self.tables {
            if table.rows.is_empty() {
                writeln!(out, "\nno {}", name.replace('_', " "))?;
            } else {
                writeln!(out)?;
                table.write(out)?;
            }
        }
        Ok(())
    }
}

fn write_json(out: &mut impl Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// A value in a line for people. What others chose (names of groups, configurations) must not move the cursor.
fn in_words(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "-".to_owned(),
        Value::Array(values) => values.iter().map(in_words).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    if text.contains(char::is_control) {
        text.escape_debug().to_string()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["name", "log_end", "isr"]);
        table.row([json!("a"), json!(5), json!([1, 2])]);
        table.row([json!("long\u{1b}"), json!(12345), json!([])]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be_numbers_stand_right_and_nothing_moves_the_cursor() {
        let mut out = Vec::new();
        table().write(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = "NAME        LOG END  ISR\na                 5  1,2\nlong\\u{1b}    12345  -\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn in_json_a_table_is_an_array_of_objects_and_values_keep_their_types() {
        let mut sheet = Sheet::default();
        sheet.fact("id", Value::Null);
        sheet.table("rows", table());
        assert_eq!(
            sheet.into_json(),
            json!({"id": null, "rows": [
                {"name": "a", "log_end": 5, "isr": [1, 2]},
                {"name": "long\u{1b}", "log_end": 12345, "isr": []},
            ]})
        );
    }
}
