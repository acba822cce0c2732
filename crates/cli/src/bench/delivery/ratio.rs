//! Medians of paired measurements, with an interval that assumes nothing about how they are spread.

/// Ratios of pairs, ascending.
pub(super) struct Ratios(Vec<f64>);

impl Ratios {
    /// Takes pairs of a measurement and what it is compared with.
    pub(super) fn new(pairs: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut ratios: Vec<f64> = pairs.map(|(value, base)| value / base).collect();
        ratios.sort_by(f64::total_cmp);
        Self(ratios)
    }

    /// Returns the middle one; 0 of none.
    pub(super) fn median(&self) -> f64 {
        median(&self.0)
    }

    /// Returns the bounds between which the true median lies with at least 95 %: the k-th smallest and the k-th
    /// largest, where k comes from tossing a fair coin for each pair (the interval of the sign test).
    pub(super) fn interval(&self) -> (f64, f64) {
        let count = self.0.len();
        let outside = outside(count);
        let at = |index: usize| self.0.get(index).copied().unwrap_or_default();
        (at(outside), at(count.saturating_sub(1 + outside)))
    }
}

/// Returns how many of `count` values on each side may be left out.
fn outside(count: usize) -> usize {
    // Each step adds the chance that exactly `left_out` of the coins fall on one side; half of 5 % is allowed there.
    let (mut chance, mut sum) = (0.5_f64.powi(count as i32), 0.0);
    for left_out in 0..count {
        sum += chance;
        if sum > 0.025 {
            return left_out.saturating_sub(1);
        }
        chance *= (count - left_out) as f64 / (left_out + 1) as f64;
    }
    0
}

/// Returns the middle of some figures; 0 of none.
pub(super) fn median(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => 0.0,
        count if count % 2 == 1 => figures[middle],
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0]), median(&[])), (2.0, 2.5, 0.0));
    }

    #[test]
    fn the_interval_leaves_out_what_tables_of_the_sign_test_say() {
        // Ranks of the 95 % interval: 6 values 1..6, 10 values 2..9, 20 values 6..15, 25 values 8..18.
        assert_eq!([6, 10, 20, 25].map(outside), [0, 1, 5, 7]);
        let ratios = Ratios::new((1..=20).map(|value| (f64::from(value), 1.0)));
        assert_eq!((ratios.median(), ratios.interval()), (10.5, (6.0, 15.0)));
    }

    #[test]
    fn few_pairs_leave_out_nothing() {
        assert_eq!(Ratios::new([(2.0, 1.0)].into_iter()).interval(), (2.0, 2.0));
        assert_eq!(Ratios::new(std::iter::empty()).interval(), (0.0, 0.0));
    }
}
