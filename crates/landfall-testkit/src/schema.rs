//! The tool's JSON lines, held against their schema.

use serde_json::Value;

/// Holds an event against the schema: its type is described, no required field is missing, no
/// field is undescribed, and each is of its type.
#[track_caller]
pub fn check_event(schema: &str, event: &Value) {
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    let kind = event["type"].as_str().expect("a text");
    let rule = &schema["$defs"][kind];
    assert!(rule.is_object(), "no description of {kind}");
    assert!(
        schema["oneOf"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|one| one["$ref"] == format!("#/$defs/{kind}")),
        "{kind} is not among the events"
    );
    for name in rule["required"].as_array().expect("a list") {
        let name = name.as_str().expect("a text");
        assert!(event.get(name).is_some(), "{kind} lacks {name}: {event}");
    }
    for (name, value) in event.as_object().expect("an object") {
        let described = &rule["properties"][name];
        assert!(described.is_object(), "{kind} has an undescribed {name}");
        if let Some(only) = described.get("const") {
            assert_eq!(value, only, "{kind}: {name}");
        }
        if let Some(choices) = described.get("enum") {
            assert!(
                choices.as_array().expect("a list").contains(value),
                "{kind}: {name}"
            );
        }
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        match &described["type"] {
            Value::Null => {}
            Value::String(one) => assert_eq!(one, found, "{kind}: {name}"),
            several => assert!(several.as_array().expect("a list").contains(&found.into())),
        }
    }
}
