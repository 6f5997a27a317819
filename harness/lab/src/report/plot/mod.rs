//! Pictures of figures, as SVG that stands in a page and takes the colours of its text and lines from there.

mod bars;
mod curves;
mod dots;

use anyhow::Result;
use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(super) use bars::{Bar, Group, bars};
pub(super) use curves::{Axes, Curve, curves};
pub(super) use dots::{Dots, dots};

/// All pictures are drawn as wide as this, and scaled. A phone shows them at 0.4, and still with 10 pixels for a line of text.
pub(super) const WIDTH: u32 = 880;

/// In the units of [`WIDTH`]. Plotters' sizes are 1.24 of SVG's.
const TEXT_SIZE: f64 = 25.0 * 1.24;

/// An upper limit to the average width of a character, to make room for text.
const CHARACTER: u32 = 15;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What can be told apart without seeing colours as most do: Okabe and Ito's palette and a brown that is darker, on
/// light and on dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// As text.
    Ink,
    /// As text that matters less.
    Grey,
    /// As rules.
    Pale,
    Blue,
    Brown,
    Green,
    Orange,
    Purple,
    Sky,
    Vermillion,
    Yellow,
}

impl Colour {
    /// Those that the page decides on.
    const OF_PAGE: [Colour; 3] = [Colour::Ink, Colour::Grey, Colour::Pale];

    /// As it is drawn.
    fn rgb(self) -> RGBColor {
        match self {
            // They stand for what the page has.
            Colour::Ink => RGBColor(0, 0, 0),
            Colour::Grey => RGBColor(0x80, 0x80, 0x80),
            Colour::Pale => RGBColor(0xc0, 0xc0, 0xc0),
            Colour::Blue => RGBColor(0x00, 0x72, 0xb2),
            Colour::Brown => RGBColor(0x7f, 0x3b, 0x08),
            Colour::Green => RGBColor(0x00, 0x9e, 0x73),
            Colour::Orange => RGBColor(0xe6, 0x9f, 0x00),
            Colour::Purple => RGBColor(0xcc, 0x79, 0xa7),
            Colour::Sky => RGBColor(0x56, 0xb4, 0xe9),
            Colour::Vermillion => RGBColor(0xd5, 0x5e, 0x00),
            Colour::Yellow => RGBColor(0xf0, 0xe4, 0x42),
        }
    }

    /// As the page knows it.
    pub fn css(self) -> String {
        match self {
            Colour::Ink => "var(--ink)".to_owned(),
            Colour::Grey => "var(--faint)".to_owned(),
            Colour::Pale => "var(--rule)".to_owned(),
            _ => self.hex(),
        }
    }

    fn hex(self) -> String {
        let RGBColor(red, green, blue) = self.rgb();
        format!("#{red:02X}{green:02X}{blue:02X}")
    }
}

/// A picture of this height.
fn picture(height: u32, paint: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    paint(&area)?;
    area.present()?;
    drop(area);
    for default in [r#" opacity="1""#, r#" stroke="none""#, r#" font-family="sans-serif""#] {
        svg = svg.replace(default, "");
    }
    for colour in Colour::OF_PAGE {
        let drawn = format!("\"{}\"", colour.hex());
        svg = svg.replace(&drawn, &format!("\"{}\"", colour.css()));
    }
    Ok(svg)
}

/// The height of a picture.
pub(super) fn height(svg: &str) -> Option<u32> {
    let (_, rest) = svg.split_once(" height=\"")?;
    rest.split_once('"')?.0.parse().ok()
}

fn text(colour: Colour) -> TextStyle<'static> {
    ("sans-serif", TEXT_SIZE).into_font().color(&colour.rgb())
}

/// A chart's text, axes and rules as the page has them.
fn styled<'m, 'a, 'b, X: Ranged, Y: Ranged, B: DrawingBackend>(
    mesh: &'m mut MeshStyle<'a, 'b, X, Y, B>,
) -> &'m mut MeshStyle<'a, 'b, X, Y, B> {
    mesh.label_style(text(Colour::Ink))
        .axis_desc_style(text(Colour::Ink))
        .axis_style(Colour::Grey.rgb())
        .bold_line_style(Colour::Pale.rgb())
        .light_line_style(TRANSPARENT)
}

/// Text that ends (right) or begins (left) at a point in the middle of a row.
fn beside(h_pos: HPos, colour: Colour) -> TextStyle<'static> {
    text(colour).pos(Pos::new(h_pos, VPos::Center))
}

/// Room for the longest of these.
fn room<'a>(labels: impl Iterator<Item = &'a str>) -> u32 {
    labels.map(|label| label.chars().count() as u32 * CHARACTER).max().unwrap_or_default() + CHARACTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_decides_on_the_colours_of_text_and_rules() {
        let svg = picture(10, |area| {
            area.draw_text("<a>", &text(Colour::Ink), (0, 0))?;
            area.draw_text("b", &text(Colour::Blue), (0, 0))?;
            Ok(())
        });
        let svg = svg.unwrap();
        assert!(svg.contains(r#"viewBox="0 0 880 10""#) && height(&svg) == Some(10), "{svg}");
        assert!(
            svg.contains(r#"fill="var(--ink)""#) && svg.contains("#0072B2") && !svg.contains("#000000"),
            "{svg}"
        );
        assert!(svg.contains("&lt;a&gt;"), "{svg}");
    }
}
