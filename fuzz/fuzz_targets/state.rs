//! Decodes arbitrary JSON as a user's state item; every decoded state must survive a round trip.

#![no_main]

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sessionizer_fn::state_item::{ATTRIBUTES, decode, encode};

fuzz_target!(|data: &[u8]| {
    let Ok(Value::Object(object)) = serde_json::from_slice(data) else { return };
    let item: HashMap<_, _> = object.into_iter().map(|(name, value)| (name, attribute(value))).collect();
    if let Ok(state) = decode(&item) {
        let names = ATTRIBUTES.iter().map(ToString::to_string);
        let written: HashMap<_, _> = names.zip(encode(&state)).collect();
        assert_eq!(decode(&written).as_ref(), Ok(&state));
    }
});

fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(attribute).collect()),
        Value::Object(object) => {
            AttributeValue::M(object.into_iter().map(|(name, value)| (name, attribute(value))).collect())
        }
    }
}
