//! Finds the value of a property: literally, or through !Ref, !GetAtt NAME.Arn and !Sub.
//!
//! Owns the parameters' values, the resources' names, and the place of every node, for errors. Must not know which
//! properties a resource has. Long forms (`Fn::Sub:`) and other functions are errors where a value is needed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use saphyr::{Scalar, Yaml};

use super::TemplateError;

/// What the emulators call themselves, and so what AWS::Region and AWS::AccountId are here.
const REGION: &str = "us-east-1";
const ACCOUNT: &str = "000000000000";

/// Everything a name in the template can lead to.
pub(super) struct Scope<'t> {
    document: &'t Yaml<'t>,
    parameters: BTreeMap<&'t str, String>,
    resources: BTreeMap<&'t str, Named>,
}

/// A resource that can be referred to: what !Ref and !GetAtt NAME.Arn give.
struct Named {
    name: String,
    arn: String,
}

impl<'t> Scope<'t> {
    pub(super) fn new(document: &'t Yaml<'t>, overrides: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let parameters = parameters(document, overrides)?;
        let mut scope = Self { document, parameters, resources: BTreeMap::new() };
        // A resource's name may come from a parameter, but not from another resource, whose name is not known yet.
        let mut resources = BTreeMap::new();
        for (logical_id, kind, resource) in scope.resources() {
            if let Some(named) = named(logical_id, kind, &resource)? {
                resources.insert(logical_id, named);
            }
        }
        scope.resources = resources;
        Ok(scope)
    }

    /// Logical id, type and node of each resource, in the template's order.
    pub(super) fn resources(&self) -> Vec<(&'t str, &'t str, Node<'t, '_>)> {
        let resources = self.document.as_mapping_get("Resources").and_then(Yaml::as_mapping);
        let entries = resources.into_iter().flatten();
        entries
            .filter_map(|(logical_id, resource)| {
                let logical_id = logical_id.as_str()?;
                let kind = resource.as_mapping_get("Type")?.as_str()?;
                let node = Node { yaml: resource, scope: self, resource: logical_id, property: String::new() };
                Some((logical_id, kind, node))
            })
            .collect()
    }

    /// `Globals.Function`: what holds for every function that does not say otherwise.
    pub(super) fn function_globals(&self) -> Option<Node<'t, '_>> {
        let yaml = self.document.as_mapping_get("Globals")?.as_mapping_get("Function")?;
        Some(Node { yaml, scope: self, resource: "Globals", property: "Function".to_owned() })
    }

    fn value_of(&self, name: &str) -> Option<&str> {
        match name {
            "AWS::Region" => Some(REGION),
            "AWS::AccountId" => Some(ACCOUNT),
            "AWS::Partition" => Some("aws"),
            _ => {
                let parameter = self.parameters.get(name);
                parameter.or_else(|| self.resources.get(name).map(|it| &it.name)).map(String::as_str)
            }
        }
    }

    fn attribute_of(&self, path: &str) -> Option<&str> {
        let (name, attribute) = path.split_once('.')?;
        let resource = self.resources.get(name)?;
        (attribute == "Arn").then_some(resource.arn.as_str())
    }
}

fn named(logical_id: &str, kind: &str, resource: &Node) -> Result<Option<Named>, TemplateError> {
    let (name_property, service, prefix) = match kind {
        "AWS::Kinesis::Stream" => ("Name", "kinesis", "stream/"),
        "AWS::DynamoDB::Table" => ("TableName", "dynamodb", "table/"),
        "AWS::Serverless::Function" => ("FunctionName", "lambda", "function:"),
        _ => return Ok(None),
    };
    let name = resource.find("Properties").and_then(|properties| properties.find(name_property));
    // CloudFormation would make up a name that begins with the logical id.
    let name = name.map_or_else(|| Ok(logical_id.to_owned()), |name| name.text())?;
    let arn = format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{prefix}{name}");
    Ok(Some(Named { name, arn }))
}

fn parameters<'t>(
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
            .ok_or_else(|| fault("it has no default and was given no value".to_owned()))?;
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

/// Holds a parameter's value against its declaration, as CloudFormation does before anything is made.
fn allowed(value: &str, declaration: &Yaml) -> Result<(), String> {
    let limit = |name| declaration.as_mapping_get(name).and_then(literal);
    if limit("Type").as_deref() == Some("Number") {
        let number: f64 = value.parse().map_err(|_| format!("{value:?} is not a number"))?;
        let bound = |name| limit(name).and_then(|bound| bound.parse::<f64>().ok());
        if bound("MinValue").is_some_and(|min| number < min) || bound("MaxValue").is_some_and(|max| number > max) {
            let text = |name| limit(name).unwrap_or_else(|| "any".to_owned());
            return Err(format!("{value} is not within {} and {}", text("MinValue"), text("MaxValue")));
        }
    }
    match declaration.as_mapping_get("AllowedValues").and_then(Yaml::as_sequence) {
        Some(values) if !values.iter().any(|it| literal(it).as_deref() == Some(value)) => {
            let values: Vec<String> = values.iter().filter_map(literal).collect();
            Err(format!("{value:?} is none of {}", values.join(", ")))
        }
        _ => Ok(()),
    }
}

/// A plain scalar as CloudFormation passes it on: always text.
fn literal(yaml: &Yaml) -> Option<String> {
    match yaml {
        Yaml::Value(Scalar::String(text)) => Some(text.to_string()),
        Yaml::Value(Scalar::Integer(number)) => Some(number.to_string()),
        Yaml::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        Yaml::Value(Scalar::Boolean(truth)) => Some(truth.to_string()),
        _ => None,
    }
}

/// A node of the template that knows where it stands.
pub(super) struct Node<'t, 's> {
    yaml: &'t Yaml<'t>,
    scope: &'s Scope<'t>,
    resource: &'t str,
    property: String,
}

impl<'t, 's> Node<'t, 's> {
    /// The property `key`, if it is there.
    pub(super) fn find(&self, key: &str) -> Option<Self> {
        self.yaml.as_mapping_get(key).map(|yaml| self.child(key, yaml))
    }

    /// The property `key`, which must be there.
    pub(super) fn get(&self, key: &str) -> Result<Self, TemplateError> {
        // The place that is missing is named, rather than the one that lacks it.
        let missing = || self.child(key, self.yaml).fault("it is missing".to_owned());
        self.find(key).ok_or_else(missing)
    }

    /// The parts of a list.
    pub(super) fn items(&self) -> Result<Vec<Self>, TemplateError> {
        let items = self.yaml.as_sequence().ok_or_else(|| self.not("a list"))?;
        Ok(items.iter().enumerate().map(|(position, yaml)| self.child(&position.to_string(), yaml)).collect())
    }

    /// The names and values of a mapping.
    pub(super) fn entries(&self) -> Result<Vec<(String, Self)>, TemplateError> {
        let entries = self.yaml.as_mapping().ok_or_else(|| self.not("a mapping"))?;
        entries
            .iter()
            .map(|(key, value)| {
                let key = literal(key).ok_or_else(|| self.not("a mapping with plain names"))?;
                let child = self.child(&key, value);
                Ok((key, child))
            })
            .collect()
    }

    /// A value as text, resolved.
    pub(super) fn text(&self) -> Result<String, TemplateError> {
        let Yaml::Tagged(tag, argument) = self.yaml else {
            return literal(self.yaml).ok_or_else(|| self.not("a plain value"));
        };
        // The tag of `!Ref` has the handle `!` and the suffix `Ref`.
        let tag = format!("{}{}", tag.handle, tag.suffix);
        let argument = literal(argument).unwrap_or_else(|| "of something that is no text".to_owned());
        let unresolved = |reason: String| TemplateError::Unresolved {
            resource: self.resource.to_owned(),
            property: self.property.clone(),
            tag: tag.clone(),
            argument: argument.clone(),
            reason,
        };
        match tag.as_str() {
            "!Ref" => self
                .scope
                .value_of(&argument)
                .map(str::to_owned)
                .ok_or_else(|| unresolved("no parameter, stream, table or function has this name".to_owned())),
            "!GetAtt" => self
                .scope
                .attribute_of(&argument)
                .map(str::to_owned)
                .ok_or_else(|| unresolved("only NAME.Arn of a stream, table or function is known".to_owned())),
            "!Sub" => self.substitute(&argument).map_err(unresolved),
            _ => Err(unresolved("only !Ref, !GetAtt and !Sub are known".to_owned())),
        }
    }

    /// A value as a whole number within `limits`, resolved.
    pub(super) fn number(&self, limits: RangeInclusive<u32>) -> Result<u32, TemplateError> {
        let text = self.text()?;
        match text.parse::<u32>() {
            Ok(number) if limits.contains(&number) => Ok(number),
            _ => {
                let (least, most) = (limits.start(), limits.end());
                Err(self.fault(format!("{text} is no whole number from {least} to {most}")))
            }
        }
    }

    /// The name of the stream whose arn this is. It must be one of the template's: the local run has no other.
    pub(super) fn stream_name(&self) -> Result<String, TemplateError> {
        let arn = self.text()?;
        let stream =
            self.scope.resources.values().find(|resource| resource.arn == arn && arn.starts_with("arn:aws:kinesis:"));
        stream
            .map(|stream| stream.name.clone())
            .ok_or_else(|| self.fault(format!("{arn} is no stream of this template")))
    }

    /// A fault at this place.
    pub(super) fn fault(&self, reason: String) -> TemplateError {
        TemplateError::Property { resource: self.resource.to_owned(), property: self.property.clone(), reason }
    }

    fn not(&self, what: &str) -> TemplateError {
        self.fault(format!("it is not {what}"))
    }

    fn child(&self, key: &str, yaml: &'t Yaml<'t>) -> Self {
        let property = match self.property.as_str() {
            "" => key.to_owned(),
            parent => format!("{parent}.{key}"),
        };
        Node { yaml, scope: self.scope, resource: self.resource, property }
    }

    /// `!Sub`: every `${NAME}` or `${NAME.Arn}` in `text` becomes its value, `${!NAME}` becomes `${NAME}`.
    fn substitute(&self, text: &str) -> Result<String, String> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| "a ${ has no }".to_owned())?;
            result.push_str(before);
            match name.strip_prefix('!') {
                Some(literal) => result.push_str(&format!("${{{literal}}}")),
                None => {
                    let value = self.scope.value_of(name).or_else(|| self.scope.attribute_of(name));
                    result.push_str(value.ok_or_else(|| format!("nothing is named {name}"))?);
                }
            }
            rest = after;
        }
        result.push_str(rest);
        Ok(result)
    }
}
