//! A report as one HTML file that needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::document::{Block, Document, Figure, Figures, Span, Table, Text};

const STYLE: &str = concat!(include_str!("colours.css"), include_str!("style.css"));

/// The whole page.
pub(super) fn render(document: &Document) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (document.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (document.title) }
                @for part in &document.blocks { (block(part)) }
            }
        }
    };
    page.into_string()
}

fn block(block: &Block) -> Markup {
    html! {
        @match block {
            Block::Heading(title) => h2 { (title) },
            Block::Paragraph(text) => p { (inline(text)) },
            Block::List(items) => ul { @for item in items { li { (inline(item)) } } },
            Block::Commands(commands) => pre { code { (commands) } },
            Block::Table(table) => (rows(table)),
            Block::Figures(figures) => (pictures(figures)),
            Block::Details { summary, blocks } => details {
                summary { (summary) }
                @for part in blocks { (self::block(part)) }
            },
        }
    }
}

/// A table that is wider than the screen is moved by itself, not with the page.
fn rows(table: &Table) -> Markup {
    let class = |index: usize| table.columns.get(index).filter(|column| column.is_number).map(|_| "number");
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr { @for (index, column) in table.columns.iter().enumerate() { th class=[class(index)] { (column.title) } } }
                }
                tbody {
                    @for row in &table.rows {
                        tr { @for (index, cell) in row.iter().enumerate() { td class=[class(index)] { (inline(cell)) } } }
                    }
                }
            }
        }
    }
}

fn pictures(Figures { legend, figures }: &Figures) -> Markup {
    html! {
        ul.legend {
            @for (colour, label) in legend {
                li { span.swatch style=(format!("background: {}", colour.css())) {} (label) }
            }
        }
        div.figures { @for figure in figures { (picture(figure)) } }
    }
}

fn picture(Figure { title, svg }: &Figure) -> Markup {
    html! {
        figure {
            figcaption { (title) }
            div role="img" aria-label=(title) { (PreEscaped(svg)) }
        }
    }
}

fn inline(text: &Text) -> Markup {
    html! {
        @for span in &text.0 {
            @match span {
                Span::Plain(text) => (text),
                Span::Strong(text) => strong { (text) },
                Span::Code(text) => code { (text) },
                Span::Link { text, target } => a href=(target) { (text) },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::Column;
    use crate::report::plot::Colour;

    #[test]
    fn nothing_but_pictures_is_taken_for_markup() {
        let hostile = r#"<script>"&'"#;
        let link = Text::link(hostile, hostile);
        let table = Table {
            columns: vec![Column { title: hostile.into(), is_number: true }],
            rows: vec![vec![hostile.into()]],
        };
        let figure = Figure { title: hostile.to_owned(), svg: "<svg></svg>".to_owned() };
        let document = Document {
            title: hostile.to_owned(),
            blocks: vec![
                Block::Heading(hostile.to_owned()),
                Block::Paragraph(Text::from(hostile).then(Text::from("`<b>`")).then(link)),
                Block::Commands(hostile.to_owned()),
                Block::Table(table),
                Block::Figures(Figures {
                    legend: vec![(Colour::Blue, hostile.to_owned())],
                    figures: vec![figure],
                }),
                Block::Details {
                    summary: hostile.to_owned(),
                    blocks: vec![Block::List(vec![hostile.into()])],
                },
            ],
        };
        let page = render(&document);
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains(r#"="<"#), "{page}");
        assert_eq!(page.matches("&lt;script&gt;&quot;&amp;").count(), 14, "{page}");
        assert!(page.contains("<svg></svg>") && page.contains("<code>&lt;b&gt;</code>"), "{page}");
    }

    #[test]
    fn a_page_needs_nothing_else() {
        let page = render(&Document { title: String::new(), blocks: Vec::new() });
        for reference in ["http", "url(", "src=", "@import", "<link"] {
            assert!(!page.contains(reference), "{reference} in {page}");
        }
    }
}
