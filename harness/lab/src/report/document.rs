//! What a report says, whatever it is written as.

use std::borrow::Cow;

use super::plot::Colour;

/// A report.
#[derive(Debug)]
pub struct Document {
    pub title: String,
    pub blocks: Vec<Block>,
}

/// What a report is made of.
#[derive(Debug)]
pub enum Block {
    Heading(String),
    Paragraph(Text),
    List(Vec<Text>),
    /// What to type in a shell, a command a line.
    Commands(String),
    Table(Table),
    Figures(Figures),
    /// What only some readers want to see.
    Details {
        summary: String,
        blocks: Vec<Block>,
    },
}

/// Pictures that share a legend.
#[derive(Debug)]
pub struct Figures {
    /// What the colours stand for.
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

    /// This, followed by `other`.
    pub fn then(mut self, other: impl Into<Text>) -> Text {
        self.0.extend(other.into().0);
        self
    }

    /// The words alone.
    pub fn words(&self) -> String {
        let words = self.0.iter().map(|span| match span {
            Span::Plain(text) | Span::Code(text) | Span::Link { text, .. } => &**text,
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
    fn what_stands_between_backticks_is_code() {
        let text = Text::from("`check` is a part of `signed`.").then(Text::link("why", "#why"));
        let [code, plain] =
            [|text: &str| Span::Code(text.to_owned()), |text: &str| Span::Plain(text.to_owned())];
        let link = Span::Link { text: "why".to_owned(), target: "#why".to_owned() };
        assert_eq!(text.0, [code("check"), plain(" is a part of "), code("signed"), plain("."), link]);
        assert_eq!(text.words(), "check is a part of signed.why");
    }
}
