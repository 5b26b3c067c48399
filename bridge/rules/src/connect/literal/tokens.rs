//! Text cut at delimiters, with a place to go back to.

const DELIMITERS: [char; 7] = [':', ',', '{', '}', '[', ']', '"'];

/// The tokens of a text: delimiters, and what stands between them.
#[derive(Debug)]
pub(super) struct Tokens {
    text: Vec<char>,
    index: usize,
    /// A token that was looked at and not taken.
    next: Option<Vec<char>>,
    previous: Option<Vec<char>>,
}

impl Tokens {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.chars().collect(), index: 0, next: None, previous: None }
    }

    pub(super) fn original(&self) -> String {
        self.text.iter().collect()
    }

    /// Where the next token begins.
    pub(super) fn mark(&self) -> usize {
        self.index - self.next.as_ref().map_or(0, Vec::len)
    }

    pub(super) fn rewind_to(&mut self, place: usize) {
        self.index = place;
        self.next = None;
        self.previous = None;
    }

    pub(super) fn has_next(&self) -> bool {
        self.next.is_some() || self.can_cut()
    }

    fn can_cut(&self) -> bool {
        self.index < self.text.len()
    }

    pub(super) fn take(&mut self) -> String {
        let token = self.next.take().unwrap_or_else(|| self.cut());
        let text = token.iter().collect();
        self.previous = Some(token);
        text
    }

    /// So many tokens as one text; nothing is taken when there are fewer.
    pub(super) fn take_all(&mut self, count: usize) -> Option<String> {
        let start = self.mark();
        for _ in 0..count {
            if !self.has_next() {
                self.rewind_to(start);
                return None;
            }
            self.take();
        }
        Some(self.text[start..self.index].iter().collect())
    }

    /// Up to the next delimiter that no backslash takes the meaning from.
    fn cut(&mut self) -> Vec<char> {
        let start = self.index;
        let mut escaped = false;
        while let Some(&character) = self.text.get(self.index) {
            if character == '\\' {
                escaped = !escaped;
            } else if DELIMITERS.contains(&character) && !escaped {
                if self.index == start {
                    self.index += 1;
                }
                break;
            } else {
                escaped = false;
            }
            self.index += 1;
        }
        self.text[start..self.index].to_vec()
    }

    /// Takes the next token if it is this one, without the spaces around it.
    pub(super) fn take_if(&mut self, expected: &str) -> bool {
        if self.next.is_none() && !self.can_cut() {
            return false;
        }
        let mut token = self.next.take().unwrap_or_else(|| self.cut());
        while is_blank(&token) && self.can_cut() {
            token = self.cut();
        }
        let text: String = token.iter().collect();
        if crate::java::trim(&text) == expected {
            return true;
        }
        self.next = Some(token);
        false
    }
}

fn is_blank(token: &[char]) -> bool {
    token.iter().all(|&character| character <= ' ')
}
