//! How often each word of the text files occurs.
#![forbid(unsafe_code)]

use std::collections::HashMap;

/// A table of words. Case does not count.
#[derive(Debug, Default)]
pub(crate) struct Words {
    counts: HashMap<String, u64>,
    /// The word at hand in small letters: kept for its memory.
    spelled: String,
}

impl Words {
    /// Counts the words of a text. What is no UTF-8 ends a word.
    pub(crate) fn count(&mut self, text: &[u8]) {
        for chunk in text.utf8_chunks() {
            let words = chunk
                .valid()
                .split(|letter: char| !letter.is_alphanumeric());
            for word in words.filter(|word| !word.is_empty()) {
                self.count_word(word);
            }
        }
    }

    fn count_word(&mut self, word: &str) {
        self.spelled.clear();
        self.spelled
            .extend(word.chars().flat_map(char::to_lowercase));
        match self.counts.get_mut(&self.spelled) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(self.spelled.clone(), 1);
            }
        }
    }

    /// Adds another table to this one.
    pub(crate) fn merge(&mut self, other: Words) {
        for (word, count) in other.counts {
            *self.counts.entry(word).or_default() += count;
        }
    }

    pub(crate) fn different(&self) -> usize {
        self.counts.len()
    }

    /// The most frequent words with at least so many letters; the alphabet decides between equals.
    pub(crate) fn most_frequent(&self, letters: usize, how_many: usize) -> Vec<(&str, u64)> {
        let mut words: Vec<_> = self
            .counts
            .iter()
            .filter(|(word, _)| word.chars().count() >= letters)
            .map(|(word, &count)| (word.as_str(), count))
            .collect();
        words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        words.truncate(how_many);
        words
    }
}
