//! The parameters' values, checked against their declarations.
//!
//! Checks types, limits and lists of allowed values. Ignores patterns (AllowedPattern): a text that is not the ARN of a
//! stream is an error where it is used as one.

use std::collections::BTreeMap;

use saphyr::{Scalar, Yaml};

use super::TemplateError;

/// The value of each parameter: the one in `overrides`, or else its default.
///
/// # Errors
/// If a parameter has neither, its declaration forbids the value, or `overrides` contains an unknown parameter.
pub(super) fn values<'t>(
    document: &'t Yaml<'t>,
    overrides: &BTreeMap<String, String>,
) -> Result<BTreeMap<&'t str, String>, TemplateError> {
    let declared = document.as_mapping_get("Parameters").and_then(Yaml::as_mapping);
    let mut values = BTreeMap::new();
    for (name, declaration) in declared.into_iter().flatten() {
        let Some(name) = name.as_str() else { continue };
        let fault = |reason: String| TemplateError::Parameter { parameter: name.to_owned(), reason };
        let given = overrides.get(name).cloned();
        let value = given
            .or_else(|| declaration.as_mapping_get("Default").and_then(literal))
            .ok_or_else(|| fault("has no default and no value was given".to_owned()))?;
        allowed(&value, declaration).map_err(fault)?;
        values.insert(name, value);
    }
    match overrides.keys().find(|name| !values.contains_key(name.as_str())) {
        Some(unknown) => Err(TemplateError::Parameter {
            parameter: unknown.clone(),
            reason: "the template has no such parameter".to_owned(),
        }),
        None => Ok(values),
    }
}

/// Checks a parameter's value against its declaration, as CloudFormation does before it creates anything.
fn allowed(value: &str, declaration: &Yaml) -> Result<(), String> {
    let limit = |name| declaration.as_mapping_get(name).and_then(literal);
    if limit("Type").as_deref() == Some("Number") {
        let number: f64 = value.parse().map_err(|_| format!("{value:?} is not a number"))?;
        let bound = |name| limit(name).and_then(|bound| bound.parse::<f64>().ok());
        if bound("MinValue").is_some_and(|min| number < min) || bound("MaxValue").is_some_and(|max| number > max) {
            let text = |name| limit(name).unwrap_or_else(|| "any".to_owned());
            return Err(format!("{value} is not between {} and {}", text("MinValue"), text("MaxValue")));
        }
    }
    match declaration.as_mapping_get("AllowedValues").and_then(Yaml::as_sequence) {
        Some(values) if !values.iter().any(|it| literal(it).as_deref() == Some(value)) => {
            let values: Vec<String> = values.iter().filter_map(literal).collect();
            Err(format!("{value:?} is not one of {}", values.join(", ")))
        }
        _ => Ok(()),
    }
}

/// A plain scalar, as CloudFormation passes it on: always text.
pub(super) fn literal(yaml: &Yaml) -> Option<String> {
    match yaml {
        Yaml::Value(Scalar::String(text)) => Some(text.to_string()),
        Yaml::Value(Scalar::Integer(number)) => Some(number.to_string()),
        Yaml::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        Yaml::Value(Scalar::Boolean(truth)) => Some(truth.to_string()),
        _ => None,
    }
}
