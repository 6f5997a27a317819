//! The summary of repeated measurements.

use serde::{Deserialize, Serialize};

/// Samples and their summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The middle sample.
    pub median: f64,
    /// Median of the absolute deviations from the median.
    pub mad: f64,
    /// All samples in the order in which they were taken.
    pub samples: Vec<u64>,
}

impl Summary {
    /// Summarizes samples; none if there are none.
    pub fn of(samples: Vec<u64>) -> Option<Summary> {
        let values: Vec<f64> = samples.iter().map(|sample| *sample as f64).collect();
        let middle = median(values.clone())?;
        let mad = median(values.iter().map(|value| (value - middle).abs()).collect())?;
        Some(Summary { median: middle, mad, samples })
    }

    /// The deviation as a part of the median.
    pub fn relative_mad(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { self.mad / self.median }
    }
}

/// The middle of `values`; of an even number, the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((values[values.len() / 2 - 1] + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_mad() {
        let summary = Summary::of(vec![7, 1, 100, 3, 5]).unwrap();
        assert_eq!((summary.median, summary.mad), (5.0, 2.0));
        assert_eq!(summary.samples, [7, 1, 100, 3, 5]);
        assert_eq!(summary.relative_mad(), 0.4);

        let summary = Summary::of(vec![4, 1, 3, 2]).unwrap();
        assert_eq!((summary.median, summary.mad), (2.5, 1.0));

        let summary = Summary::of(vec![9]).unwrap();
        assert_eq!((summary.median, summary.mad), (9.0, 0.0));
    }

    #[test]
    fn nothing_amounts_to_nothing() {
        assert_eq!(Summary::of(Vec::new()), None);
        assert_eq!(Summary::of(vec![0, 0]).unwrap().relative_mad(), 0.0);
    }
}
