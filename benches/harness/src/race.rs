//! Races: cases that run in turns.

use crate::{Turn, Worker};

type TakeTurn = Box<dyn FnMut() -> anyhow::Result<Turn>>;

/// One case of a table.
pub struct Racer {
    name: String,
    turn: TakeTurn,
}

impl Racer {
    /// Creates a case from a function that runs one turn.
    pub fn new(
        name: impl Into<String>,
        turn: impl FnMut() -> anyhow::Result<Turn> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            turn: Box::new(turn),
        }
    }

    /// Creates a case that runs in a process of its own.
    pub fn worker(name: impl Into<String>, mut worker: Worker) -> Self {
        Self::new(name, move || worker.turn())
    }
}

impl std::fmt::Debug for Racer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Racer").field(&self.name).finish()
    }
}

/// The result of a race: the turns of each case, by round.
#[derive(Clone, Debug)]
pub struct Race {
    turns: Vec<(String, Vec<Turn>)>,
}

impl Race {
    /// Runs every case once per round. Each round starts with the next case, so that no case always
    /// runs after the same one.
    ///
    /// # Errors
    /// If a case fails.
    pub fn run(mut racers: Vec<Racer>, rounds: usize) -> anyhow::Result<Self> {
        let mut turns: Vec<(String, Vec<Turn>)> = racers
            .iter()
            .map(|racer| (racer.name.clone(), Vec::with_capacity(rounds)))
            .collect();
        for round in 0..rounds {
            for offset in 0..racers.len() {
                let at = (round + offset) % racers.len();
                let turn = (racers[at].turn)()?;
                turns[at].1.push(turn);
            }
        }
        Ok(Self { turns })
    }

    /// Returns the names of the cases, in the order in which they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.turns.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the distribution of a quantity of a case over the rounds.
    ///
    /// # Panics
    /// If no case has this name.
    #[must_use]
    pub fn spread(&self, name: &str, quantity: impl Fn(&Turn) -> f64) -> Spread {
        Spread::of(self.of(name).iter().map(quantity).collect())
    }

    /// Combines the quantity of a case with that of another case in the same round, for example
    /// into a ratio or a difference, and returns the distribution over the rounds.
    ///
    /// # Panics
    /// The same as [`Self::spread`].
    #[must_use]
    pub fn against(
        &self,
        name: &str,
        other: &str,
        quantity: impl Fn(&Turn) -> f64,
        together: impl Fn(f64, f64) -> f64,
    ) -> Spread {
        let pairs = self.of(name).iter().zip(self.of(other));
        Spread::of(
            pairs
                .map(|(own, other)| together(quantity(own), quantity(other)))
                .collect(),
        )
    }

    /// Returns the distribution of the ratios to another case.
    ///
    /// # Panics
    /// The same as [`Self::spread`].
    #[must_use]
    pub fn ratio(&self, name: &str, other: &str, quantity: impl Fn(&Turn) -> f64) -> Spread {
        self.against(name, other, quantity, |own, other| own / other)
    }

    /// Returns the distribution of the differences to another case.
    ///
    /// # Panics
    /// The same as [`Self::spread`].
    #[must_use]
    pub fn added(&self, name: &str, other: &str, quantity: impl Fn(&Turn) -> f64) -> Spread {
        self.against(name, other, quantity, |own, other| own - other)
    }

    fn of(&self, name: &str) -> &[Turn] {
        let found = self.turns.iter().find(|(own, _)| own == name);
        let (_, turns) = found.unwrap_or_else(|| panic!("there is no case {name}"));
        turns
    }
}

/// The distribution of a quantity over the rounds.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// 10th percentile.
    pub p10: f64,
    /// Median.
    pub median: f64,
    /// 90th percentile.
    pub p90: f64,
    /// Minimum.
    pub min: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| values[(values.len() - 1) * percent / 100];
        Self {
            p10: at(10),
            median: at(50),
            p90: at(90),
            min: at(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::{Race, Racer};
    use crate::Turn;

    #[test]
    fn everybody_begins_once_and_ratios_are_of_one_round() {
        let order = Rc::new(RefCell::new(String::new()));
        let racer = |name: &str, nanos: u64| {
            let (order, name) = (Rc::clone(&order), name.to_owned());
            let mut slower = 1;
            Racer::new(name.clone(), move || {
                order.borrow_mut().push_str(&name);
                // Simulates a machine that becomes slower in every round.
                slower *= 10;
                Ok(Turn {
                    operations: 1,
                    nanos: nanos * slower,
                    ..Turn::default()
                })
            })
        };
        let racers = vec![racer("a", 1), racer("b", 2), racer("c", 3)];
        let race = Race::run(racers, 3).unwrap();
        assert_eq!(*order.borrow(), "abcbcacab");
        let ratio = race.ratio("b", "a", Turn::nanos_each);
        assert!((ratio.median - 2.0).abs() < f64::EPSILON);
        assert!((ratio.p90 - 2.0).abs() < f64::EPSILON);
        let added = race.added("c", "a", Turn::nanos_each);
        assert!((added.median - 200.0).abs() < f64::EPSILON);
    }
}
