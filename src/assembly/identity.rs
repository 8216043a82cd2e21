//! Names of assemblies, as a runtime writes them: `Name, Version=1.0.0.0, Culture=neutral, PublicKeyToken=null`.
#![forbid(unsafe_code)]

/// An assembly's identity, as far as a store looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: String,
    /// None for the neutral one.
    pub(super) culture: Option<String>,
    /// The other properties, with their names in small letters.
    properties: Vec<(String, String)>,
}

impl Identity {
    /// `None` for what is no identity.
    pub(super) fn parse(text: &str) -> Option<Identity> {
        let mut parts = text.split(',').map(str::trim);
        let name = parts.next()?.to_owned();
        let mut identity = Identity {
            name,
            culture: None,
            properties: Vec::new(),
        };
        for part in parts {
            let (property, value) = part.split_once('=')?;
            let property = property.trim().to_ascii_lowercase();
            let value = value.trim().trim_matches('"').to_owned();
            if property == "culture" || property == "language" {
                let neutral = value.is_empty() || value.eq_ignore_ascii_case("neutral");
                identity.culture = (!neutral).then_some(value);
            } else {
                identity.properties.push((property, value));
            }
        }
        let safe =
            is_file_name(&identity.name) && identity.culture.as_deref().is_none_or(is_file_name);
        safe.then_some(identity)
    }

    /// Whether it is what was asked for: the same name and culture, and nothing that both say differs.
    pub(super) fn answers(&self, asked: &Identity) -> bool {
        let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let same_culture = match (&self.culture, &asked.culture) {
            (None, None) => true,
            (Some(one), Some(other)) => same(one, other),
            _ => false,
        };
        let differs = |property: &str, value: &str| {
            let other = asked.properties.iter().find(|(name, _)| name == property);
            other.is_some_and(|(_, other)| !same(value, other))
        };
        same(&self.name, &asked.name)
            && same_culture
            && !self
                .properties
                .iter()
                .any(|(property, value)| differs(property, value))
    }
}

/// Whether it is the name of a file and nothing else: no way to another folder.
pub(super) fn is_file_name(name: &str) -> bool {
    let length = 1..=200;
    length.contains(&name.len())
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\', ':', '\0'])
        && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_read() {
        let full = "System.Xml, Version=2.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089";
        let identity = Identity::parse(full).expect("an identity");
        assert_eq!(
            (identity.name.as_str(), &identity.culture),
            ("System.Xml", &None)
        );
        let german = Identity::parse("a, culture = \"de-DE\"").expect("an identity");
        assert_eq!(german.culture.as_deref(), Some("de-DE"));
        for text in [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            "a\\b",
            "/etc/passwd",
            "c:a",
            "a, Version",
            "a\0b",
            "a\nb",
            "a, Culture=..",
            "a, Culture=../b",
        ] {
            assert_eq!(Identity::parse(text), None, "{text:?}");
        }
        assert_eq!(Identity::parse(&"a".repeat(201)), None);
    }

    #[test]
    fn what_both_say_must_be_the_same() {
        let parse = |text| Identity::parse(text).expect("an identity");
        let there = parse("A, Version=1.0.0.0, Culture=neutral");
        for (asked, answers) in [
            ("a", true),
            ("A, Version=1.0.0.0", true),
            ("A, Version=2.0.0.0", false),
            ("A, Culture=de", false),
            ("A, PublicKeyToken=null", true),
            ("B", false),
        ] {
            assert_eq!(there.answers(&parse(asked)), answers, "{asked}");
        }
    }
}
