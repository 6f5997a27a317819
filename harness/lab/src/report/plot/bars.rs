//! Bars made of parts, in groups, from left to right.

use anyhow::{Result, ensure};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{Colour, WIDTH, beside, picture, room, styled};

const BAR: u32 = 30;
const TITLE: u32 = 46;
const AXIS: u32 = 60;

/// Bars that belong together.
pub struct Group {
    /// Empty: the bars stand for themselves.
    pub title: String,
    pub bars: Vec<Bar>,
}

/// One bar.
pub struct Bar {
    pub label: String,
    /// From the left.
    pub parts: Vec<(Colour, f64)>,
    /// What is written at its end.
    pub value: String,
}

impl Bar {
    fn length(&self) -> f64 {
        self.parts.iter().map(|(_, part)| part).sum()
    }
}

/// All groups on one linear scale, which begins at 0.
///
/// # Errors
/// There is nothing to show.
pub fn bars(groups: &[Group], show: &dyn Fn(f64) -> String) -> Result<String> {
    let all = || groups.iter().flat_map(|group| &group.bars);
    let longest = all().map(Bar::length).fold(0.0, f64::max);
    ensure!(longest > 0.0, "nothing to plot");
    let title = |group: &Group| if group.title.is_empty() { 0 } else { TITLE };
    let height = |group: &Group| title(group) + group.bars.len() as u32 * BAR;
    let rows: u32 = groups.iter().map(height).sum();
    picture(rows + AXIS, |area| {
        // The vertical axis counts in pixels, downwards.
        let mut chart = ChartBuilder::on(area)
            .margin_right(room(all().map(|bar| &*bar.value)) as i32)
            .x_label_area_size(AXIS)
            .y_label_area_size(room(all().map(|bar| &*bar.label)))
            .build_cartesian_2d(0.0..longest, f64::from(rows)..0.0)?;
        styled(&mut chart.configure_mesh())
            .disable_y_mesh()
            .disable_y_axis()
            .x_labels(4)
            .x_label_formatter(&|x| show(*x))
            .draw()?;
        let mut top = 0;
        for group in groups {
            if !group.title.is_empty() {
                let place = (0.0, f64::from(top) + 0.6 * f64::from(TITLE));
                chart.draw_series([Text::new(
                    group.title.clone(),
                    place,
                    beside(HPos::Left, Colour::Ink),
                )])?;
                top += TITLE;
            }
            for bar in &group.bars {
                let [upper, middle, lower] =
                    [0.1, 0.5, 0.9].map(|part| f64::from(top) + part * f64::from(BAR));
                let mut from = 0.0;
                for (colour, part) in &bar.parts {
                    let corners = [(from, upper), (from + part, lower)];
                    from += part;
                    // What is narrower can't be seen.
                    if part * f64::from(WIDTH) >= 0.5 * longest {
                        chart.draw_series([Rectangle::new(corners, colour.rgb().filled())])?;
                    }
                }
                let label = |text: &str, x, offset, style| {
                    EmptyElement::at((x, middle)) + Text::new(text.to_owned(), (offset, 0), style)
                };
                chart.draw_series([label(&bar.label, 0.0, -10, beside(HPos::Right, Colour::Grey))])?;
                chart.draw_series([label(&bar.value, from, 8, beside(HPos::Left, Colour::Ink))])?;
                top += BAR;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rectangles, as where they begin and how wide they are.
    fn rectangles(svg: &str) -> Vec<(i32, i32)> {
        let number = |line: &str, name: &str| {
            let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
            rest.split_once('"').unwrap().0.parse().unwrap()
        };
        svg.lines()
            .filter(|line| line.starts_with("<rect"))
            .map(|line| (number(line, "x"), number(line, "width")))
            .collect()
    }

    #[test]
    fn parts_stand_end_to_end_on_one_scale() {
        let bar = |parts: &[f64]| Bar {
            label: "a".to_owned(),
            parts: parts.iter().map(|part| (Colour::Blue, *part)).collect(),
            value: "<v>".to_owned(),
        };
        let group = |bars| Group { title: "g".to_owned(), bars };
        let svg =
            bars(&[group(vec![bar(&[1.0, 3.0])]), group(vec![bar(&[2.0])])], &|x| format!("{x}")).unwrap();
        let [first, second, third] = rectangles(&svg)[..] else { panic!("{svg}") };
        assert_eq!(first.0 + first.1, second.0);
        assert_eq!(first.0, third.0);
        assert!((second.1 - 3 * first.1).abs() <= 2 && (third.1 - 2 * first.1).abs() <= 2, "{svg}");
        assert!(svg.contains("&lt;v&gt;"), "{svg}");
        assert!(bars(&[group(vec![bar(&[0.0])])], &|x| format!("{x}")).is_err());
    }
}
