//! What an operator asks for: a flat JSON object with a few known keys, read without a library as the tables are written.
#![forbid(unsafe_code)]

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Which tables there are.
    Tables,
    /// From now on is counted what later answers are to be about.
    Mark,
    /// A table's rows, with all columns or with these.
    Rows {
        table: String,
        columns: Option<Vec<String>>,
        /// With what was counted since the mark.
        since_mark: bool,
    },
}

impl Request {
    /// Reads one; the error is a sentence for whoever sent it.
    pub(super) fn read(line: &[u8]) -> Result<Request, String> {
        let text = str::from_utf8(line).map_err(|_| "the request is not UTF-8".to_owned())?;
        let mut parts = Parts::default();
        let mut reader = Reader { rest: text };
        reader.object(|reader, key| parts.take(reader, key))?;
        if !reader.at_end() {
            return Err(format!("after the object stands {:?}", reader.some()));
        }
        match parts {
            Parts {
                tables: true,
                mark: false,
                table: None,
                columns: None,
                since_mark: false,
            } => Ok(Request::Tables),
            Parts {
                tables: false,
                mark: true,
                table: None,
                columns: None,
                since_mark: false,
            } => Ok(Request::Mark),
            Parts {
                tables: false,
                mark: false,
                table: Some(table),
                columns,
                since_mark,
            } => Ok(Request::Rows {
                table,
                columns,
                since_mark,
            }),
            _ => Err(
                "a request has either \"tables\":true or \"mark\":true or \"table\" with a name and, \
                      if wanted, \"columns\" with names and \"since_mark\":true"
                    .to_owned(),
            ),
        }
    }
}

#[derive(Default)]
struct Parts {
    tables: bool,
    mark: bool,
    table: Option<String>,
    columns: Option<Vec<String>>,
    since_mark: bool,
}

impl Parts {
    fn take(&mut self, reader: &mut Reader<'_>, key: &str) -> Result<(), String> {
        let mut is_true = |flag: &mut bool| {
            if !reader.word("true") {
                return Err(format!("{key:?} must be true"));
            }
            Ok(std::mem::replace(flag, true))
        };
        let again = match key {
            "tables" => is_true(&mut self.tables)?,
            "mark" => is_true(&mut self.mark)?,
            "since_mark" => is_true(&mut self.since_mark)?,
            "table" => self.table.replace(reader.string()?).is_some(),
            "columns" => self.columns.replace(reader.strings()?).is_some(),
            _ => return Err(format!("no key {key:?} is known")),
        };
        if again {
            return Err(format!("the key {key:?} comes twice"));
        }
        Ok(())
    }
}

/// Reads JSON from the front of a text.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest.is_empty()
    }

    /// Whether this comes next; then it is taken.
    fn word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.word(word) {
            return Ok(());
        }
        Err(format!("{word} is missing before {:?}", self.some()))
    }

    /// What comes next, for a message.
    fn some(&self) -> String {
        self.rest.chars().take(20).collect()
    }

    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        self.expect("{")?;
        if self.word("}") {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.expect(":")?;
            member(self, &key)?;
            if !self.word(",") {
                return self.expect("}");
            }
        }
    }

    fn strings(&mut self) -> Result<Vec<String>, String> {
        let mut strings = Vec::new();
        self.expect("[")?;
        if self.word("]") {
            return Ok(strings);
        }
        loop {
            strings.push(self.string()?);
            if !self.word(",") {
                return self.expect("]").map(|()| strings);
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.expect("\"")?;
        let mut text = String::new();
        let mut rest = self.rest.chars();
        loop {
            match rest.next() {
                None => return Err("a string does not end".to_owned()),
                Some('"') => break,
                Some('\\') => text.push(escaped(&mut rest)?),
                Some('\0'..='\x1f') => return Err("a control character in a string".to_owned()),
                Some(character) => text.push(character),
            }
        }
        self.rest = rest.as_str();
        Ok(text)
    }
}

/// The character behind a backslash. No name of ours needs one, so the halves of a pair of surrogates are refused.
fn escaped(rest: &mut std::str::Chars<'_>) -> Result<char, String> {
    let character = match rest.next() {
        Some(character @ ('"' | '\\' | '/')) => Some(character),
        Some('b') => Some('\x08'),
        Some('f') => Some('\x0c'),
        Some('n') => Some('\n'),
        Some('r') => Some('\r'),
        Some('t') => Some('\t'),
        Some('u') => {
            let digits: String = rest.take(4).collect();
            let all = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let code = u32::from_str_radix(&digits, 16).ok().filter(|_| all);
            code.and_then(char::from_u32)
        }
        _ => None,
    };
    character.ok_or_else(|| "an escape in a string that means no character".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(table: &str, columns: Option<&[&str]>) -> Request {
        Request::Rows {
            table: table.to_owned(),
            columns: columns.map(|names| names.iter().map(|&name| name.to_owned()).collect()),
            since_mark: false,
        }
    }

    #[test]
    fn requests_are_read_as_json_is_written() {
        let cases = [
            ("{\"tables\":true}", Request::Tables),
            ("{\"mark\":true}", Request::Mark),
            (
                "{\"since_mark\":true,\"table\":\"t\"}",
                Request::Rows {
                    table: "t".to_owned(),
                    columns: None,
                    since_mark: true,
                },
            ),
            (" { \"tables\" : true } \r", Request::Tables),
            ("{\"table\":\"tasks\"}", rows("tasks", None)),
            (
                "{\"columns\":[ \"a\" , \"b\"],\"table\":\"t\"}",
                rows("t", Some(&["a", "b"])),
            ),
            ("{\"table\":\"t\",\"columns\":[]}", rows("t", Some(&[]))),
            (
                r#"{"\u0074able":"\"\\\/\b\f\n\r\t\u00fcü"}"#,
                rows("\"\\/\u{8}\u{c}\n\r\tüü", None),
            ),
        ];
        for (text, request) in cases {
            assert_eq!(Request::read(text.as_bytes()), Ok(request), "{text}");
        }
    }

    #[test]
    fn whatever_else_comes_gets_a_sentence() {
        let cases: [(&[u8], &str); 22] = [
            (b"{\"since_mark\":true}", "a request has either"),
            (b"{\"mark\":true,\"table\":\"a\"}", "a request has either"),
            (b"{\"mark\":1}", "\"mark\" must be true"),
            (b"{\"table\":\"a\",\"since_mark\":3}", "must be true"),
            (b"", "{ is missing"),
            (b"tasks", "{ is missing before \"tasks\""),
            (b"[]", "{ is missing"),
            (b"{}", "a request has either"),
            (b"{\"table\":\"a\",\"tables\":true}", "a request has either"),
            (b"{\"columns\":[\"a\"]}", "a request has either"),
            (b"{\"tables\":false}", "must be true"),
            (b"{\"table\":1}", "\" is missing before \"1}\""),
            (b"{\"table\":\"a\"", "} is missing"),
            (b"{\"table\":\"a\"}x", "after the object stands \"x\""),
            (b"{\"table\":\"a\",}", "\" is missing"),
            (b"{\"table\":\"a\",\"table\":\"b\"}", "comes twice"),
            (b"{\"rows\":\"a\"}", "no key \"rows\""),
            (b"{\"table\":\"a", "does not end"),
            (b"{\"table\":\"\\ud800\"}", "means no character"),
            (b"{\"table\":\"\\u+074\"}", "means no character"),
            (b"{\"table\":\"\x01\"}", "control character"),
            (b"{\"table\":\"\xff\"}", "not UTF-8"),
        ];
        for (text, message) in cases {
            let error = Request::read(text).expect_err("it is wrong");
            assert!(
                error.contains(message),
                "{:?}: {error}",
                text.escape_ascii().to_string()
            );
        }
    }
}
