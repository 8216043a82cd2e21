//! Sorting by questions, each of which takes as long as it takes: who answers may be a guest.
//!
//! Binary insertion: the places before `sorted` are in order, and the next number looks for its own between `low` and `high`.
//! Answers that contradict each other cost the order, and nothing else.
#![forbid(unsafe_code)]

/// The most numbers that are sorted at once.
pub(super) const SORTED_MAX: usize = 10_000;

/// See the module docs.
#[derive(Debug)]
pub(super) struct Sorting {
    numbers: Vec<i64>,
    sorted: usize,
    low: usize,
    high: usize,
}

impl Sorting {
    pub(super) fn new(numbers: Vec<i64>) -> Sorting {
        let sorted = numbers.len().min(1);
        Sorting {
            numbers,
            sorted,
            low: 0,
            high: sorted,
        }
    }

    /// Whether the first of two belongs after the second. None: all is in order.
    pub(super) fn question(&mut self) -> Option<(i64, i64)> {
        let next = *self.numbers.get(self.sorted)?;
        Some((self.numbers[self.middle()], next))
    }

    /// The answer to the last question.
    pub(super) fn answer(&mut self, after: bool) {
        if after {
            self.high = self.middle();
        } else {
            self.low = self.middle() + 1;
        }
        if self.low == self.high {
            self.numbers[self.low..=self.sorted].rotate_right(1);
            self.sorted += 1;
            (self.low, self.high) = (0, self.sorted);
        }
    }

    fn middle(&self) -> usize {
        usize::midpoint(self.low, self.high)
    }

    pub(super) fn numbers(&self) -> &[i64] {
        &self.numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_into_order_and_equal_ones_keep_theirs() {
        for numbers in [
            vec![],
            vec![1],
            vec![2, 1],
            vec![30, 11, 20, 12, 31, 10, 21],
        ] {
            let mut sorting = Sorting::new(numbers.clone());
            while let Some((one, other)) = sorting.question() {
                sorting.answer(one / 10 > other / 10);
            }
            let mut expected = numbers;
            expected.sort_by_key(|number| number / 10);
            assert_eq!(sorting.numbers(), expected);
        }
    }
}
