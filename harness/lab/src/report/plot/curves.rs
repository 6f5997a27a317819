//! Cost against size, both on logarithmic scales.

use anyhow::{Result, ensure};
use plotters::prelude::*;

use super::{Colour, TEXT_SIZE, picture, styled};

const HEIGHT: u32 = 720;

/// Steps between two points of a curve. Between them it is linear, which is not a straight line on these scales.
const STEPS: u32 = 16;

/// What is shown, with units.
pub struct Axes<'a> {
    pub x: &'a str,
    pub y: &'a str,
    /// How figures on the y axis are written.
    pub show: &'a dyn Fn(f64) -> String,
}

/// Points, joined.
pub struct Curve {
    pub colour: Colour,
    /// In ascending order.
    pub points: Vec<(f64, f64)>,
    /// A place of it that matters, on the x axis.
    pub mark: Option<f64>,
}

/// Curves before a cloud of single points.
///
/// # Errors
/// There is nothing to show.
pub fn curves(axes: &Axes<'_>, curves: &[Curve], cloud: &[(f64, f64)]) -> Result<String> {
    let points = || {
        curves
            .iter()
            .flat_map(|curve| &curve.points)
            .chain(cloud)
            .filter(|point| point.0 > 0.0 && point.1 > 0.0)
    };
    ensure!(points().next().is_some(), "nothing to plot");
    let range = |of: fn(&(f64, f64)) -> f64| {
        let (least, most) =
            points().map(of).fold((f64::MAX, 0.0), |(least, most), x| (x.min(least), x.max(most)));
        // Room beside the outermost points.
        (least / 1.5..most * 1.5).log_scale()
    };
    picture(HEIGHT, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(40)
            .x_label_area_size(90)
            .y_label_area_size(130)
            .build_cartesian_2d(range(|point| point.0), range(|point| point.1))?;
        styled(&mut chart.configure_mesh())
            .x_desc(axes.x)
            .y_desc(axes.y)
            .x_labels(6)
            .y_labels(8)
            .x_label_formatter(&|x| crate::analysis::number(*x))
            .y_label_formatter(&|y| (axes.show)(*y))
            .draw()?;
        chart.draw_series(
            cloud.iter().map(|point| Circle::new(*point, 5, Colour::Grey.rgb().mix(0.6).filled())),
        )?;
        for Curve { colour, points, mark } in curves {
            let line = colour.rgb().stroke_width(5);
            chart.draw_series([PathElement::new(refined(points), line)])?;
            if let Some(height) = mark.and_then(|x| at(points, x)) {
                let place = (mark.unwrap_or_default(), height);
                chart.draw_series([Circle::new(
                    place,
                    (TEXT_SIZE / 2.5) as i32,
                    colour.rgb().stroke_width(4),
                )])?;
            }
        }
        Ok(())
    })
}

/// The same curve with points between its points, at even distances on a logarithmic scale.
fn refined(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let between = |pair: &[(f64, f64)]| {
        let (from, to) = (pair[0].0, pair[1].0);
        let x = move |step| from * (to / from).powf(f64::from(step) / f64::from(STEPS));
        (1..=STEPS).map(x).filter_map(|x| Some((x, at(points, x)?))).collect::<Vec<_>>()
    };
    points.first().copied().into_iter().chain(points.windows(2).flat_map(between)).collect()
}

/// The height of a curve at `x`, linear between two points; none beside it.
fn at(points: &[(f64, f64)], x: f64) -> Option<f64> {
    let after = points.iter().position(|point| point.0 >= x)?;
    let (to_x, to) = points[after];
    let Some(&(from_x, from)) = after.checked_sub(1).and_then(|before| points.get(before)) else {
        return (to_x == x).then_some(to);
    };
    Some(from + (to - from) * (x - from_x) / (to_x - from_x))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [(f64, f64); 3] = [(1.0, 10.0), (4.0, 40.0), (16.0, 40.0)];

    #[test]
    fn a_curve_is_linear_between_its_points() {
        assert_eq!(
            [0.5, 1.0, 3.0, 4.0, 10.0, 17.0].map(|x| at(&POINTS, x)),
            [None, Some(10.0), Some(30.0), Some(40.0), Some(40.0), None]
        );
        let refined = refined(&POINTS);
        assert_eq!((refined.len(), refined[0]), (33, POINTS[0]));
        let (x, y) = refined[8];
        assert!((x - 2.0).abs() < 1e-9 && (y - 20.0).abs() < 1e-9, "{x} {y}");
    }

    #[test]
    fn what_has_no_place_on_a_logarithmic_scale_is_left_out() {
        let axes = Axes { x: "size", y: "cost", show: &|y| format!("{y}") };
        assert!(curves(&axes, &[], &[(0.0, 1.0)]).is_err());
        let svg = curves(
            &axes,
            &[Curve { colour: Colour::Blue, points: POINTS.into(), mark: Some(3.0) }],
            &[(5.0, 7.0)],
        )
        .unwrap();
        assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
        assert!(svg.contains("size") && svg.contains("cost"));
    }
}
