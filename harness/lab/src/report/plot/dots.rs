//! Parts of a whole, a row each, from 0 to 100 %.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{Colour, beside, picture, room, styled};

/// Height of a dot.
const DOT: u32 = 14;
const AXIS: u32 = 100;

/// The dots of one row, which stand below each other: none hides another.
pub struct Dots {
    pub label: String,
    /// None leaves its place empty.
    pub parts: Vec<(Colour, Option<f64>)>,
}

/// All rows.
///
/// # Errors
/// It can't be drawn.
pub fn dots(title: &str, rows: &[Dots]) -> Result<String> {
    // A blank line between rows.
    let height = |row: &Dots| (row.parts.len() as u32 + 1) * DOT;
    let whole: u32 = rows.iter().map(height).sum();
    picture(whole + AXIS, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_right(50)
            .x_label_area_size(AXIS)
            .y_label_area_size(room(rows.iter().map(|row| &*row.label)))
            .build_cartesian_2d(0.0..1.0, f64::from(whole)..0.0)?;
        styled(&mut chart.configure_mesh())
            .disable_y_mesh()
            .disable_y_axis()
            .x_desc(title)
            .x_labels(5)
            .x_label_formatter(&|x| format!("{:.0} %", 100.0 * x))
            .draw()?;
        let mut top = 0;
        for row in rows {
            let y = |line: f64| f64::from(top) + line * f64::from(DOT);
            let (middle, end) = (0.5 * f64::from(height(row)), y(row.parts.len() as f64 + 1.0));
            let label = EmptyElement::at((0.0, f64::from(top) + middle))
                + Text::new(row.label.clone(), (-10, 0), beside(HPos::Right, Colour::Ink));
            chart.draw_series([label])?;
            chart.draw_series([PathElement::new([(0.0, end), (1.0, end)], Colour::Pale.rgb())])?;
            for (index, (colour, part)) in row.parts.iter().enumerate() {
                let Some(part) = part else { continue };
                let place = (*part, y(index as f64 + 1.0));
                chart.draw_series([Circle::new(place, DOT / 2 + 1, colour.rgb().filled())])?;
            }
            top += height(row);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_has_no_dot() {
        let row = |parts: &[Option<f64>]| Dots {
            label: "row".to_owned(),
            parts: parts.iter().map(|part| (Colour::Blue, *part)).collect(),
        };
        let svg = dots("share", &[row(&[Some(0.0), None]), row(&[Some(1.0), Some(1.0)])]).unwrap();
        assert_eq!(svg.matches("<circle").count(), 3, "{svg}");
    }
}
