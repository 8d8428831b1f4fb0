//! template.yaml as JSON, with every `!Tag` in its long form, for tests of parts that a local run does not need.

use std::path::Path;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Value, json};

/// A file of this project.
pub fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

/// The resources of template.yaml by logical id.
pub fn resources() -> serde_json::Map<String, Value> {
    let text = file("template.yaml");
    let documents = Yaml::load_from_str(&text).unwrap();
    let Value::Object(mut template) = json_of(&documents[0]) else { panic!("the template is not a mapping") };
    let Some(Value::Object(resources)) = template.remove("Resources") else { panic!("it has no resources") };
    resources
}

/// The properties of a resource.
pub fn properties(logical_id: &str) -> Value {
    resources()[logical_id]["Properties"].clone()
}

fn json_of(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::Boolean(truth)) => json!(truth),
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Sequence(items) => items.iter().map(json_of).collect(),
        Yaml::Mapping(entries) => {
            entries.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), json_of(value))).collect()
        }
        Yaml::Tagged(tag, argument) => {
            let name = if tag.suffix == "Ref" { "Ref".to_owned() } else { format!("Fn::{}", tag.suffix) };
            json!({ name: json_of(argument) })
        }
        other => panic!("unexpected in a template: {other:?}"),
    }
}
