//! A report as Markdown, to be read as it is, in a mail. Pictures are in the HTML only.

use super::document::{Block, Document, Figures, Span, Table, Text};

/// Lines of text are broken before this column.
const WIDTH: usize = 100;

/// The whole report.
pub(super) fn render(document: &Document) -> String {
    let mut parts = vec![format!("# {}", escaped(&document.title))];
    parts.extend(document.blocks.iter().map(block));
    parts.join("\n\n") + "\n"
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(title) => format!("## {}", escaped(title)),
        Block::Paragraph(text) => wrapped(&inline(text), ""),
        Block::List(items) => items
            .iter()
            .map(|item| format!("- {}", wrapped(&inline(item), "  ")))
            .collect::<Vec<_>>()
            .join("\n"),
        Block::Commands(commands) => format!("```sh\n{commands}\n```"),
        Block::Table(table) => rows(table),
        Block::Figures(Figures { figures, .. }) => {
            let titles: Vec<String> = figures.iter().map(|figure| escaped(&figure.title)).collect();
            wrapped(&format!("(Plotted in the HTML report: {}.)", titles.join("; ")), "")
        }
        Block::Details { summary, blocks } => {
            let parts = blocks.iter().map(self::block);
            let title = format!("### {}", escaped(summary));
            [title].into_iter().chain(parts).collect::<Vec<_>>().join("\n\n")
        }
    }
}

/// Columns are as wide as they have to be, so that it is a table to the eye, too.
fn rows(table: &Table) -> String {
    let header: Vec<String> = table.columns.iter().map(|column| escaped(&column.title)).collect();
    let body: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(inline).collect()).collect();
    let length = |cell: &String| cell.chars().count();
    let width = |index: usize| {
        let cells = body.iter().filter_map(|row| row.get(index)).chain(header.get(index));
        cells.map(length).max().unwrap_or_default().max(3)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &[String]| {
        let columns = cells.iter().zip(&table.columns).zip(&widths);
        let padded = columns.map(|((cell, column), width)| match column.is_number {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        format!("| {} |", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule = table.columns.iter().zip(&widths).map(|(column, width)| match column.is_number {
        true => format!("{}:", "-".repeat(width - 1)),
        false => "-".repeat(*width),
    });
    let rule = line(&rule.collect::<Vec<_>>());
    [line(&header), rule].into_iter().chain(body.iter().map(|row| line(row))).collect::<Vec<_>>().join("\n")
}

fn inline(text: &Text) -> String {
    let spans = text.0.iter().map(|span| match span {
        Span::Plain(text) => escaped(text),
        Span::Strong(text) => format!("**{}**", escaped(text)),
        // There is no backtick in it.
        Span::Code(text) => format!("`{}`", text.replace('|', "\\|")),
        Span::Link { text, target } => format!("[{}](<{}>)", escaped(text), target.replace(['<', '>'], "")),
    });
    spans.collect()
}

/// Text that says in Markdown what it says.
fn escaped(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let in_word = |index: usize| {
        let is_letter = |index: Option<usize>| {
            index.and_then(|index| chars.get(index)).is_some_and(|c| c.is_alphanumeric())
        };
        is_letter(index.checked_sub(1)) && is_letter(Some(index + 1))
    };
    let mut escaped = String::with_capacity(text.len());
    for (index, c) in chars.iter().enumerate() {
        match c {
            '\n' | '\r' => escaped.push(' '),
            '\\' | '`' | '*' | '<' | '>' | '[' | ']' | '|' | '&' | '~' => escaped.extend(['\\', *c]),
            '_' if !in_word(index) => escaped.extend(['\\', '_']),
            _ => escaped.push(*c),
        }
    }
    escaped
}

/// Breaks lines at spaces; all but the first begin with `indent`.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a line");
        let length = line.chars().count() + 1 + word.chars().count();
        if !line.trim_end().is_empty() && length > WIDTH && !is_marker(word) {
            lines.push(format!("{indent}{word}"));
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// Whether a line that begins with this would be taken for something other than text.
fn is_marker(word: &str) -> bool {
    let number = word.trim_end_matches(['.', ')']);
    let is_numbering =
        number.len() < word.len() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    is_numbering
        || matches!(word, "-" | "+" | "=")
        || word.starts_with('#')
        || word.starts_with("---")
        || word.starts_with("===")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::Column;

    #[test]
    fn text_says_what_it_says() {
        assert_eq!(escaped("xdp_acl"), "xdp_acl");
        assert_eq!(escaped("_a_ *b* <c> | d\n& `e`"), r"\_a\_ \*b\* \<c\> \| d \& \`e\`");
        let text = Text::from("`a|b` ").then(Text::link("see [x]", "../x y>.rs"));
        assert_eq!(inline(&text), r"`a\|b` [see \[x\]](<../x y.rs>)");
    }

    #[test]
    fn a_table_is_one_to_the_eye_too() {
        let mut table = Table::new(&[Column::text("program"), Column::number("insns")]);
        table.push(["a|b", "12"]);
        table.push(["longer_name", "3"]);
        let expected = "\
| program     | insns |
| ----------- | ----: |
| a\\|b        |    12 |
| longer_name |     3 |";
        assert_eq!(rows(&table), expected);
    }

    #[test]
    fn lines_are_broken_where_no_meaning_is_lost() {
        let text = format!("{} - {}", "a".repeat(98), "b".repeat(98));
        let lines: Vec<String> = wrapped(&text, "  ").lines().map(str::to_owned).collect();
        assert_eq!(lines, [format!("{} -", "a".repeat(98)), format!("  {}", "b".repeat(98))]);
        assert_eq!(["12.", "#x", "-", "12", "-x"].map(is_marker), [true, true, true, false, false]);
    }

    #[test]
    fn all_blocks_are_there() {
        let table = Table { columns: vec![Column::text("x")], rows: vec![vec!["y".into()]] };
        let document = Document {
            title: "Title".to_owned(),
            blocks: vec![
                Block::Heading("One".to_owned()),
                Block::List(vec!["first".into(), "second".into()]),
                Block::Commands("make\nrun".to_owned()),
                Block::Details { summary: "More".to_owned(), blocks: vec![Block::Table(table)] },
            ],
        };
        let expected = "# Title\n\n## One\n\n- first\n- second\n\n```sh\nmake\nrun\n```\n\n### More\n\n\
                        | x   |\n| --- |\n| y   |\n";
        assert_eq!(render(&document), expected);
    }
}
