//! In which order a load's records are on time, late, duplicates or broken: at random, with exact shares.

use fastrand::Rng;

use crate::produce::load::Load;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A click of the present.
    OnTime,
    /// A click of the past.
    Late,
    /// A recent click once more.
    Duplicate,
    /// Not a click.
    Broken,
}

/// Draws the kinds of all records without replacement, so that their shares come out exactly in the end.
#[derive(Clone, Debug)]
pub(super) struct Mix {
    left: [(Kind, u64); 4],
    drawn: u64,
}

impl Mix {
    /// The kinds of a load's records. Fractions of a record are clicks on time.
    pub(super) fn of(load: &Load) -> Self {
        let (records, options) = (load.records(), load.options());
        let [late, duplicate, broken] = [options.late, options.duplicate, options.broken].map(|it| it.of(records));
        let on_time = records - late - duplicate - broken;
        let left = [(Kind::OnTime, on_time), (Kind::Late, late), (Kind::Duplicate, duplicate), (Kind::Broken, broken)];
        Self { left, drawn: 0 }
    }

    /// How many are left.
    pub(super) fn left(&self) -> u64 {
        self.left.iter().map(|(_, count)| count).sum()
    }

    /// The kind of the next record. The first is on time, so that there is a click to duplicate.
    pub(super) fn draw(&mut self, rng: &mut Rng) -> Option<Kind> {
        let left = self.left();
        if left == 0 {
            return None;
        }
        let mut place = if self.drawn == 0 { 0 } else { rng.u64(..left) };
        self.drawn += 1;
        for (kind, count) in &mut self.left {
            if place < *count {
                *count -= 1;
                return Some(*kind);
            }
            place -= *count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::produce::load::Options;
    use crate::produce::load::tests::options;

    #[test]
    fn shares_are_exact_and_the_first_record_is_on_time() {
        let share = |text: &str| text.parse().unwrap();
        let shares = Options { late: share("1"), duplicate: share("60"), broken: share("29"), ..options() };
        for seed in 0..20 {
            let mut mix = Mix::of(&Load::new(Options { rate: 151, duration_seconds: 1, ..shares }).unwrap());
            let mut rng = Rng::with_seed(seed);
            let drawn: Vec<_> = std::iter::from_fn(|| mix.draw(&mut rng)).collect();
            let count = |kind| drawn.iter().filter(|it| **it == kind).count();
            let kinds = [Kind::OnTime, Kind::Late, Kind::Duplicate, Kind::Broken];
            assert_eq!(kinds.map(count), [17, 1, 90, 43], "1.51, 90.6 and 43.79 of 151, rounded down");
            assert_eq!((drawn[0], mix.left()), (Kind::OnTime, 0));
        }
    }
}
