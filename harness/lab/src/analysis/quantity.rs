//! Figures for people.

use crate::results::Unit;

impl Unit {
    /// A figure of this unit: `1.21 M`, or `1.21 ms`.
    pub fn short(self, value: f64) -> String {
        match self {
            Unit::Instructions => scaled(value, ["", " k", " M", " G"]),
            Unit::Nanoseconds => scaled(value, [" ns", " µs", " ms", " s"]),
        }
    }

    /// The same in a sentence: `1.21 M instructions`, or `1.21 ms`.
    pub fn in_words(self, value: f64) -> String {
        match self {
            Unit::Instructions => format!("{} instructions", self.short(value)),
            Unit::Nanoseconds => self.short(value),
        }
    }

    /// What the figures of a table are, for its caption.
    pub fn plural(self) -> &'static str {
        match self {
            Unit::Instructions => "guest instructions",
            Unit::Nanoseconds => "time",
        }
    }
}

/// A number with three significant digits.
pub fn number(value: f64) -> String {
    scaled(value, ["", " k", " M", " G"])
}

/// A part in percent.
pub fn percent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}

/// A ratio with three digits.
pub fn times(ratio: f64) -> String {
    match ratio {
        large if large >= 99.95 => number(large),
        large if large >= 9.995 => format!("{large:.1}"),
        large if large >= 1.1 => format!("{large:.2}"),
        small => format!("{small:.3}"),
    }
}

/// Three significant digits and one of four steps of a thousand each.
fn scaled(value: f64, steps: [&str; 4]) -> String {
    let mut value = value;
    let mut step = 0;
    // 999.5 would be rounded up to four digits.
    while value.abs() >= 999.5 && step + 1 < steps.len() {
        value /= 1000.0;
        step += 1;
    }
    let decimals = match value.abs() {
        _ if step == 0 => 0,
        small if small < 9.995 => 2,
        small if small < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}{}", steps[step])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        let cases = [
            (0.0, "0"),
            (42.0, "42"),
            (999.0, "999"),
            (999.6, "1.00 k"),
            (9_994.0, "9.99 k"),
            (9_996.0, "10.0 k"),
            (76_400.0, "76.4 k"),
            (999_499.0, "999 k"),
            (999_600.0, "1.00 M"),
            (1_210_034.0, "1.21 M"),
            (2_870_000_000.0, "2.87 G"),
            (28_700_000_000_000.0, "28700 G"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(percent(0.4956), "49.6 %");
        assert_eq!(Unit::Nanoseconds.in_words(1_210_034.0), "1.21 ms");
        assert_eq!(Unit::Instructions.in_words(1_210_034.0), "1.21 M instructions");
    }

    #[test]
    fn ratios() {
        let ratios = [0.4999, 1.0004, 1.256, 12.34, 1234.0];
        assert_eq!(ratios.map(times), ["0.500", "1.000", "1.26", "12.3", "1.23 k"]);
    }
}
