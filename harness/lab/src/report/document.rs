//! A report, before it is written in any format.

use std::borrow::Cow;

use super::plot::Colour;

/// A report.
#[derive(Debug)]
pub struct Document {
    pub title: String,
    pub blocks: Vec<Block>,
}

/// A part of a report.
#[derive(Debug)]
pub enum Block {
    Heading(String),
    Paragraph(Text),
    List(Vec<Text>),
    /// For a shell, a command a line.
    Commands(String),
    Table(Table),
    Figures(Figures),
    /// For some readers only.
    Details {
        summary: String,
        blocks: Vec<Block>,
    },
}

/// Pictures that share a legend.
#[derive(Debug)]
pub struct Figures {
    /// The meaning of the colours.
    pub legend: Vec<(Colour, String)>,
    pub figures: Vec<Figure>,
}

/// A picture.
#[derive(Debug)]
pub struct Figure {
    pub title: String,
    /// SVG, to stand in a page.
    pub svg: String,
}

/// Rows of cells.
#[derive(Debug, Default)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Text>>,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    pub title: Cow<'static, str>,
    /// Numbers are aligned to the right.
    pub is_number: bool,
}

impl Column {
    /// A column with text.
    pub const fn text(title: &'static str) -> Column {
        Column { title: Cow::Borrowed(title), is_number: false }
    }

    /// A column with numbers.
    pub const fn number(title: &'static str) -> Column {
        Column { title: Cow::Borrowed(title), is_number: true }
    }
}

impl Table {
    /// A table that will be filled.
    pub fn new(columns: &[Column]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// The same without columns in which nothing stands but `-`.
    pub fn compact(self) -> Table {
        let is_empty = |cell: &Text| ["", "-"].contains(&&*cell.words());
        let keeps =
            |column: &usize| self.rows.iter().any(|row| row.get(*column).is_some_and(|cell| !is_empty(cell)));
        let kept: Vec<usize> = (0..self.columns.len()).filter(keeps).collect();
        let cells = |row: &Vec<Text>| kept.iter().filter_map(|column| row.get(*column).cloned()).collect();
        let rows = self.rows.iter().map(cells).collect();
        Table { columns: kept.iter().map(|column| self.columns[*column].clone()).collect(), rows }
    }

    /// Adds a row.
    pub fn push<T: Into<Text>>(&mut self, row: impl IntoIterator<Item = T>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }
}

/// A run of words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text(pub Vec<Span>);

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Span {
    Plain(String),
    /// The part that matters most.
    Strong(String),
    /// As a machine writes it.
    Code(String),
    Link {
        text: String,
        target: String,
    },
}

impl Text {
    /// A link.
    pub fn link(text: impl Into<String>, target: impl Into<String>) -> Text {
        Text(vec![Span::Link { text: text.into(), target: target.into() }])
    }

    /// Words that stand out.
    pub fn strong(words: impl Into<String>) -> Text {
        Text(vec![Span::Strong(words.into())])
    }

    /// This, followed by `other`.
    pub fn then(mut self, other: impl Into<Text>) -> Text {
        self.0.extend(other.into().0);
        self
    }

    /// The words alone.
    pub fn words(&self) -> String {
        let words = self.0.iter().map(|span| match span {
            Span::Plain(text) | Span::Strong(text) | Span::Code(text) | Span::Link { text, .. } => &**text,
        });
        words.collect()
    }
}

/// What stands between backticks is code.
impl From<&str> for Text {
    fn from(text: &str) -> Text {
        let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
        let span = |(index, part): (usize, &str)| match index % 2 {
            0 => Span::Plain(part.to_owned()),
            _ => Span::Code(part.to_owned()),
        };
        Text(parts.map(span).collect())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        text.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_columns_are_left_out() {
        let mut table = Table::new(&[Column::text("a"), Column::number("b"), Column::number("c")]);
        table.push(["x", "-", "1"]);
        table.push(["", "-", "-"]);
        let table = table.compact();
        let titles: Vec<&str> = table.columns.iter().map(|column| &*column.title).collect();
        assert_eq!(titles, ["a", "c"]);
        assert_eq!(table.rows[1].iter().map(Text::words).collect::<Vec<_>>(), ["", "-"]);
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        let text = Text::from("`check` is a part of `signed`.").then(Text::link("why", "#why"));
        let [code, plain] =
            [|text: &str| Span::Code(text.to_owned()), |text: &str| Span::Plain(text.to_owned())];
        let link = Span::Link { text: "why".to_owned(), target: "#why".to_owned() };
        assert_eq!(text.0, [code("check"), plain(" is a part of "), code("signed"), plain("."), link]);
        assert_eq!(text.words(), "check is a part of signed.why");
    }
}
