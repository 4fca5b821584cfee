//! Rounds in which things take turns, and the ratios of what they took.

use std::time::{Duration, Instant};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Everything once: does it work?
    Once,
    /// Until the numbers are stable.
    Full,
}

impl Effort {
    /// `full` of something, or one.
    pub(crate) fn of(self, full: usize) -> usize {
        if self == Self::Full { full } else { 1 }
    }
}

/// What one thing took: for each round, the median of its repetitions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl From<Vec<Duration>> for Times {
    fn from(rounds: Vec<Duration>) -> Self {
        Self(rounds)
    }
}

impl Times {
    /// What is left of each round when another thing's share is taken away.
    pub(crate) fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(this, other)| this.saturating_sub(*other)).collect())
    }
}

/// Does each thing `repeats` times in each of the rounds, one thing after another.
pub(crate) fn take_turns<const N: usize>(
    rounds: usize,
    repeats: usize,
    mut things: [&mut dyn FnMut() -> leyden::Result<Duration>; N],
) -> leyden::Result<[Times; N]> {
    let mut times = [const { Times(Vec::new()) }; N];
    for _ in 0..rounds {
        for (thing, times) in things.iter_mut().zip(&mut times) {
            let took: leyden::Result<Vec<Duration>> = (0..repeats).map(|_| thing()).collect();
            times.0.push(median(took?));
        }
    }
    Ok(times)
}

/// How long `action` takes.
pub(crate) fn timed<T>(action: impl FnOnce() -> leyden::Result<T>) -> leyden::Result<(Duration, T)> {
    let begin = Instant::now();
    let done = action()?;
    Ok((begin.elapsed(), done))
}

fn median<T: PartialOrd>(values: Vec<T>) -> T {
    quantile(values, 2)
}

/// The value at a number of quarters of the way from the least to the greatest.
fn quantile<T: PartialOrd>(mut values: Vec<T>, quarters: usize) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("no duration and no ratio here is NaN"));
    let index = (values.len() - 1) * quarters / 4;
    values.swap_remove(index)
}

/// Prints how many times as long one thing took as another, and the times themselves. A round in which nothing is left of the other, because
/// the machine was busy with something else while its share was measured, says nothing.
pub(crate) fn compare(what: &str, times: &Times, against: &str, bare: &Times) {
    let rounds = times.0.iter().zip(&bare.0).filter(|(_, bare)| !bare.is_zero());
    let ratios: Vec<f64> = rounds.map(|(times, bare)| times.as_secs_f64() / bare.as_secs_f64()).collect();
    if ratios.is_empty() {
        return say(&format!("{what:<28} and {against} cannot be compared: the machine was too busy"));
    }
    let [low, ratio, high] = [1, 2, 3].map(|quarters| quantile(ratios.clone(), quarters));
    let (took, bare) = (median(times.0.clone()), median(bare.0.clone()));
    say(&format!(
        "{what:<28} {ratio:>6.2} times {against:<24} (quartiles {low:.2} to {high:.2}; {took:.1?} and {bare:.1?})"
    ));
}

/// Begins the output of a benchmark.
pub(crate) fn title(name: &str) {
    say(&format!("\n{name}"));
}

#[expect(clippy::print_stdout, reason = "a benchmark is there to print")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
