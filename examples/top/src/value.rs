//! Values of a row: how they are shown, and which comes first.

use std::cmp::Ordering;

use serde_json::Value;

/// As it stands on the screen.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(quantity) if number.is_f64() => {
                let digits = match quantity.abs() {
                    0.0 => 0,
                    size if size < 10.0 => 3,
                    size if size < 1000.0 => 1,
                    _ => 0,
                };
                format!("{quantity:.digits$}")
            }
            _ => number.to_string(),
        },
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Nothing comes before everything else.
pub(crate) fn compare(one: &Value, other: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        _ => 3,
    };
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Number(one), Value::Number(other)) => match (one.as_u64(), other.as_u64()) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => one
                .as_f64()
                .unwrap_or(0.0)
                .total_cmp(&other.as_f64().unwrap_or(0.0)),
        },
        _ => rank(one).cmp(&rank(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_shown_with_the_digits_that_matter() {
        let cases = [
            (json!(null), ""),
            (json!(true), "yes"),
            (
                json!(18_446_744_073_709_551_615_u64),
                "18446744073709551615",
            ),
            (json!(0.0), "0"),
            (json!(0.0125), "0.013"),
            (json!(12.34), "12.3"),
            (json!(123_456.7), "123457"),
            (json!("text"), "text"),
        ];
        for (value, text) in cases {
            assert_eq!(shown(&value), text);
        }
    }

    #[test]
    fn values_have_an_order_and_nothing_comes_first() {
        let sorted = [
            json!(null),
            json!(false),
            json!(true),
            json!(0.5),
            json!(2),
            json!(10),
            json!(10.5),
            json!("a"),
            json!("b"),
        ];
        for (at, one) in sorted.iter().enumerate() {
            for (other_at, other) in sorted.iter().enumerate() {
                assert_eq!(compare(one, other), at.cmp(&other_at), "{one} {other}");
            }
        }
    }
}
