//! The first plot of a report as a picture of its own, with its legend and colours.

use anyhow::{Context, Result};
use maud::{PreEscaped, html};

use super::document::{Block, Document, Figures};
use super::plot::{Colour, WIDTH, height};

const COLOURS: &str = include_str!("colours.css");

/// Entries of the legend that stand beside each other.
const COLUMNS: u32 = 2;

/// The height of a row of the legend, and the size of its text.
const ROW: u32 = 36;
const TEXT: u32 = 25;

/// An SVG file.
///
/// # Errors
/// The report has no plot.
pub(super) fn render(document: &Document) -> Result<String> {
    let first = document.blocks.iter().find_map(|block| match block {
        Block::Figures(Figures { legend, figures }) => Some((legend, figures.first()?)),
        _ => None,
    });
    let (legend, figure) = first.context("too little was measured for a plot")?;
    let below = height(&figure.svg).context("a plot without a height")?;
    let entries = legend.iter().zip(0..).map(|((colour, label), index)| entry(*colour, label, index));
    let top = (legend.len() as u32).div_ceil(COLUMNS) * ROW + ROW / 2;
    let whole = top + below;
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {whole}")) font-family="sans-serif" {
            title { (figure.title) }
            style { (PreEscaped(COLOURS)) }
            rect width=(WIDTH) height=(whole) fill="var(--paper)" {}
            @for entry in entries { (entry) }
            g transform=(format!("translate(0 {top})")) { (PreEscaped(&figure.svg)) }
        }
    };
    Ok(picture.into_string() + "\n")
}

/// An entry of the legend.
fn entry(colour: Colour, label: &str, index: u32) -> maud::Markup {
    let (left, top) = (index % COLUMNS * (WIDTH / COLUMNS) + ROW / 2, index / COLUMNS * ROW + ROW / 2);
    html! {
        rect x=(left) y=(top) width=(TEXT) height=(TEXT) fill=(colour.css()) {}
        text x=(left + ROW) y=(top + TEXT - TEXT / 5) font-size=(TEXT) fill=(Colour::Ink.css()) { (label) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::Figure;

    #[test]
    fn a_picture_has_a_legend_and_needs_no_page() {
        let svg = r#"<svg width="880" height="700" viewBox="0 0 880 700"></svg>"#;
        let figure = Figure { title: "By <size>".to_owned(), svg: svg.to_owned() };
        let legend = vec![(Colour::Ink, "verification".to_owned()), (Colour::Blue, "check".to_owned())];
        let figures = Figures { legend, figures: vec![figure] };
        let blocks = vec![Block::Heading("One".to_owned()), Block::Figures(figures)];
        let picture = render(&Document { title: String::new(), blocks }).unwrap();
        assert!(picture.contains("viewBox=\"0 0 880 754\"") && picture.contains(svg), "{picture}");
        assert!(picture.contains("By &lt;size&gt;") && picture.contains(">verification</text>"), "{picture}");
        // The page has given the colours.
        assert!(picture.contains("--ink:") && picture.contains("--rule:"), "{picture}");
        let error = render(&Document { title: String::new(), blocks: Vec::new() }).unwrap_err();
        assert_eq!(error.to_string(), "too little was measured for a plot");
    }
}
