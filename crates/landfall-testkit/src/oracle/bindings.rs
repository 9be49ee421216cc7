//! Which text of the server stands for which symbol.

use super::Symbol;
use serde_json::Value;
use std::collections::HashMap;

/// What the server's random texts mean.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    texts: HashMap<Symbol, String>,
    symbols: HashMap<String, Symbol>,
}

impl Bindings {
    /// From now on the symbol is this text.
    ///
    /// # Errors
    /// It is another one, or the text stands for another symbol.
    pub fn bind(&mut self, symbol: &str, text: &str) -> Result<(), String> {
        let known = self.texts.entry(symbol.to_owned());
        let known = known.or_insert_with(|| text.to_owned()).clone();
        let meant = self.symbols.entry(text.to_owned());
        let meant = meant.or_insert_with(|| symbol.to_owned()).clone();
        match known == text && meant == symbol {
            true => Ok(()),
            false => Err(format!(
                "{symbol} is {known:?}, but got {text:?}, which is {meant}"
            )),
        }
    }

    /// Whether the text stands for a symbol.
    pub fn stands(&self, text: &str) -> bool {
        self.symbols.contains_key(text)
    }

    /// A text with the texts of its symbols. Those that were never told of get a text that the
    /// server doesn't know.
    pub fn text(&self, text: &str) -> String {
        let Some((before, rest)) = text.split_once('<') else {
            return text.to_owned();
        };
        let (symbol, after) = rest.split_once('>').expect("a whole symbol");
        let symbol = format!("<{symbol}>");
        let unknown = match symbol.split_once(' ') {
            Some(("<session", _)) => "AAAAAAAAAAAAAAAAAAAAAA",
            Some(("<file", _)) => "id:AAAAAAAAAAAAAAAAAAAAAA",
            Some(("<rev", _)) => "fedcba9876543210",
            _ => "4294967295",
        };
        let known = self.texts.get(&symbol).map_or(unknown, String::as_str);
        format!("{before}{known}{after}")
    }

    /// Whether the texts of all symbols in this JSON were told.
    pub fn knows(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => match text.split_once('<') {
                Some((_, rest)) => {
                    let symbol = rest.split('>').next().unwrap_or_default();
                    self.texts.contains_key(&format!("<{symbol}>"))
                }
                None => true,
            },
            Value::Array(items) => items.iter().all(|item| self.knows(item)),
            Value::Object(fields) => fields.values().all(|value| self.knows(value)),
            _ => true,
        }
    }

    /// JSON with the texts of its symbols.
    pub fn json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| (name.clone(), self.json(value)));
                Value::Object(fields.collect())
            }
            other => other.clone(),
        }
    }

    /// Compares what is wanted, with symbols, and what is there; binds the symbols that are new.
    ///
    /// # Errors
    /// Where they differ.
    pub fn agree(&mut self, wanted: &Value, got: &Value) -> Result<(), String> {
        match (wanted, got) {
            (Value::String(symbol), Value::String(text)) if symbol.starts_with('<') => {
                self.bind(symbol, text)
            }
            (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
                let both = wanted.iter().zip(got).enumerate();
                for (nth, (wanted, got)) in both {
                    let agreed = self.agree(wanted, got);
                    agreed.map_err(|why| format!("[{nth}] {why}"))?;
                }
                Ok(())
            }
            (Value::Object(wanted), Value::Object(got)) if wanted.len() == got.len() => {
                for (name, wanted) in wanted {
                    let got = got.get(name).unwrap_or(&Value::Null);
                    let agreed = self.agree(wanted, got);
                    agreed.map_err(|why| format!("{name}: {why}"))?;
                }
                Ok(())
            }
            _ if wanted == got => Ok(()),
            _ => Err(format!("wanted {wanted}, got {got}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bindings;
    use serde_json::json;

    #[test]
    fn a_symbol_is_one_text_and_a_text_one_symbol() {
        let mut bindings = Bindings::default();
        let wanted = json!({"id": "<file 1>", "revs": ["<rev 1>", "<rev 2>", "<rev 1>"]});
        let got = json!({"id": "id:x", "revs": ["a1", "a2", "a1"]});
        assert_eq!(bindings.agree(&wanted, &got), Ok(()));
        assert_eq!(bindings.text("rev:<rev 2>/x"), "rev:a2/x");
        assert!(bindings.agree(&json!("<rev 1>"), &json!("a2")).is_err());
        assert!(bindings.agree(&json!("<rev 3>"), &json!("a2")).is_err());
        assert!(bindings.agree(&json!("<rev 2>"), &json!("a3")).is_err());
    }

    #[test]
    fn what_is_missing_or_too_much_is_told() {
        let mut bindings = Bindings::default();
        let wanted = json!({"a": [1, {"b": 2}]});
        for got in [
            json!({"a": [1, {"b": 3}]}),
            json!({"a": [1, {"b": 2, "c": 3}]}),
            json!({"a": [1, {"c": 2}]}),
            json!({"a": [1]}),
            json!({}),
            json!(null),
        ] {
            assert!(bindings.agree(&wanted, &got).is_err(), "{got}");
        }
    }
}
