//! Resolves the value of a property: a literal, !Ref, !GetAtt NAME.Arn, !Sub or !If.
//!
//! Owns the existing resources, their names, and the location of every node, for errors. Must not know which properties
//! a resource has. Long forms (`Fn::Sub:`) and other functions are errors in a property that is needed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use saphyr::Yaml;

use super::TemplateError;
use super::parameters::{self, literal};

/// The emulators' region and account, and so the values of AWS::Region and AWS::AccountId.
const REGION: &str = "us-east-1";
const ACCOUNT: &str = "000000000000";

/// The types of the resources that are read. Conditions of other resources need not be supported.
const TYPES: [&str; 3] = ["AWS::Kinesis::Stream", "AWS::DynamoDB::Table", "AWS::Serverless::Function"];

/// Everything that a name in the template can refer to.
pub(super) struct Scope<'t> {
    document: &'t Yaml<'t>,
    parameters: BTreeMap<&'t str, String>,
    resources: BTreeMap<&'t str, Named>,
    /// Resources whose condition does not hold, with the condition's name.
    left_out: BTreeMap<&'t str, &'t str>,
}

/// A resource that can be referred to: the values of !Ref and !GetAtt NAME.Arn.
struct Named {
    name: String,
    arn: String,
}

impl<'t> Scope<'t> {
    pub(super) fn new(document: &'t Yaml<'t>, overrides: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let parameters = parameters::values(document, overrides)?;
        let mut scope = Self { document, parameters, resources: BTreeMap::new(), left_out: BTreeMap::new() };
        // A resource's name can refer to a parameter but not to another resource, whose name is not known yet.
        let mut resources = BTreeMap::new();
        let mut left_out = BTreeMap::new();
        for (logical_id, kind, resource) in scope.declared() {
            match resource.condition_that_fails()? {
                Some(condition) => _ = left_out.insert(logical_id, condition),
                None => _ = resources.insert(logical_id, named(logical_id, kind, &resource)?),
            }
        }
        (scope.resources, scope.left_out) = (resources, left_out);
        Ok(scope)
    }

    /// Logical id, type and node of each existing resource of one of [`TYPES`], in the template's order.
    pub(super) fn resources(&self) -> impl Iterator<Item = (&'t str, &'t str, Node<'t, '_>)> {
        self.declared().filter(|(logical_id, ..)| self.resources.contains_key(logical_id))
    }

    /// Like [`Scope::resources`], including those whose condition does not hold.
    fn declared(&self) -> impl Iterator<Item = (&'t str, &'t str, Node<'t, '_>)> {
        let resources = self.document.as_mapping_get("Resources").and_then(Yaml::as_mapping);
        resources.into_iter().flatten().filter_map(|(logical_id, resource)| {
            let logical_id = logical_id.as_str()?;
            let kind = resource.as_mapping_get("Type")?.as_str()?;
            let node = Node { yaml: resource, scope: self, resource: logical_id, property: String::new() };
            TYPES.contains(&kind).then_some((logical_id, kind, node))
        })
    }

    pub(super) fn document(&self) -> &'t Yaml<'t> {
        self.document
    }

    /// `Globals.Function`: the defaults of every function.
    pub(super) fn function_globals(&self) -> Option<Node<'t, '_>> {
        let yaml = self.document.as_mapping_get("Globals")?.as_mapping_get("Function")?;
        Some(Node::new(self, "Globals", "Function", yaml))
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

    /// Why a name, or the name before `.Arn`, cannot be resolved: its condition, or else `otherwise`.
    fn nothing_behind(&self, path: &str, otherwise: &str) -> String {
        let name = path.split_once('.').map_or(path, |(name, _)| name);
        match self.left_out.get(name) {
            Some(condition) => format!("{name} is left out because {condition} is false"),
            None => otherwise.to_owned(),
        }
    }
}

/// The short form of an intrinsic function, such as `!Ref`, with its argument.
pub(super) fn short_form<'t>(yaml: &'t Yaml<'t>) -> Option<(String, &'t Yaml<'t>)> {
    match yaml {
        // The tag of `!Ref` has the handle `!` and the suffix `Ref`.
        Yaml::Tagged(tag, argument) => Some((format!("{}{}", tag.handle, tag.suffix), argument)),
        _ => None,
    }
}

fn named(logical_id: &str, kind: &str, resource: &Node) -> Result<Named, TemplateError> {
    let (name_property, service, prefix) = match kind {
        "AWS::Kinesis::Stream" => ("Name", "kinesis", "stream/"),
        "AWS::DynamoDB::Table" => ("TableName", "dynamodb", "table/"),
        _ => ("FunctionName", "lambda", "function:"),
    };
    let name = resource.get("Properties")?.find(name_property)?;
    // CloudFormation would generate a name that starts with the logical id.
    let name = name.map_or_else(|| Ok(logical_id.to_owned()), |name| name.text())?;
    let arn = format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{prefix}{name}");
    Ok(Named { name, arn })
}

/// A node of the template, with its location.
pub(super) struct Node<'t, 's> {
    yaml: &'t Yaml<'t>,
    scope: &'s Scope<'t>,
    resource: &'t str,
    property: String,
}

impl<'t, 's> Node<'t, 's> {
    /// The node at `property` of `resource`, or of another part of the template.
    pub(super) fn new(scope: &'s Scope<'t>, resource: &'t str, property: &str, yaml: &'t Yaml<'t>) -> Self {
        Self { yaml, scope, resource, property: property.to_owned() }
    }

    pub(super) fn yaml(&self) -> &'t Yaml<'t> {
        self.yaml
    }

    pub(super) fn scope(&self) -> &'s Scope<'t> {
        self.scope
    }

    pub(super) fn property(&self) -> &str {
        &self.property
    }

    /// The argument of the function at this location, as a node with the same location.
    pub(super) fn argument(&self, argument: &'t Yaml<'t>) -> Self {
        Self::new(self.scope, self.resource, &self.property, argument)
    }

    /// The property `key`, if it exists.
    pub(super) fn find(&self, key: &str) -> Result<Option<Self>, TemplateError> {
        self.yaml.as_mapping_get(key).map_or(Ok(None), |yaml| self.child(key, yaml).chosen())
    }

    /// The property `key`, which must exist.
    pub(super) fn get(&self, key: &str) -> Result<Self, TemplateError> {
        // The error has the location of the missing property, not of its parent.
        let missing = || self.child(key, self.yaml).fault("missing".to_owned());
        self.find(key)?.ok_or_else(missing)
    }

    /// The parts of a list.
    pub(super) fn items(&self) -> Result<Vec<Self>, TemplateError> {
        let items = self.yaml.as_sequence().ok_or_else(|| self.must_be("a list"))?;
        let items = items.iter().enumerate().map(|(position, yaml)| self.child(&position.to_string(), yaml).chosen());
        items.filter_map(Result::transpose).collect()
    }

    /// The names and values of a mapping.
    pub(super) fn entries(&self) -> Result<Vec<(String, Self)>, TemplateError> {
        let entries = self.yaml.as_mapping().ok_or_else(|| self.must_be("a mapping"))?;
        let mut found = Vec::new();
        for (key, value) in entries {
            let key = literal(key).ok_or_else(|| self.must_be("a mapping with plain names"))?;
            if let Some(child) = self.child(&key, value).chosen()? {
                found.push((key, child));
            }
        }
        Ok(found)
    }

    /// The resolved value, as text.
    pub(super) fn text(&self) -> Result<String, TemplateError> {
        let Some((tag, argument)) = short_form(self.yaml) else {
            return literal(self.yaml).ok_or_else(|| self.must_be("a plain value"));
        };
        let nothing = |path: &str, otherwise: &str| self.unresolved(self.scope.nothing_behind(path, otherwise));
        match (tag.as_str(), literal(argument)) {
            ("!Ref", Some(name)) => {
                let otherwise = "no parameter, stream, table or function has this name";
                self.scope.value_of(&name).map(str::to_owned).ok_or_else(|| nothing(&name, otherwise))
            }
            ("!GetAtt", Some(path)) => {
                let otherwise = "only NAME.Arn of a stream, table or function is supported";
                self.scope.attribute_of(&path).map(str::to_owned).ok_or_else(|| nothing(&path, otherwise))
            }
            ("!Sub", Some(text)) => self.substitute(&text).map_err(|reason| self.unresolved(reason)),
            ("!Ref" | "!GetAtt" | "!Sub", None) => Err(self.unresolved("only a single string is supported".to_owned())),
            _ => Err(self.unresolved("only !Ref, !GetAtt, !Sub and !If are supported".to_owned())),
        }
    }

    /// The node at this location after resolving every !If; `None` for `!Ref AWS::NoValue`.
    fn chosen(self) -> Result<Option<Self>, TemplateError> {
        let Some((tag, argument)) = short_form(self.yaml) else { return Ok(Some(self)) };
        if tag == "!Ref" && argument.as_str() == Some("AWS::NoValue") {
            return Ok(None);
        }
        if tag != "!If" {
            return Ok(Some(self));
        }
        let Some([condition, then, otherwise]) = argument.as_sequence().map(Vec::as_slice) else {
            return Err(self.unresolved("expected a condition and two values".to_owned()));
        };
        let holds = self.scope.holds(condition.as_str().unwrap_or_default())?;
        let holds = holds.ok_or_else(|| self.unresolved("no condition has this name".to_owned()))?;
        self.argument(if holds { then } else { otherwise }).chosen()
    }

    /// The condition of this resource, if it does not hold.
    fn condition_that_fails(&self) -> Result<Option<&'t str>, TemplateError> {
        let Some(condition) = self.yaml.as_mapping_get("Condition") else { return Ok(None) };
        let place = self.child("Condition", condition);
        let name = condition.as_str().ok_or_else(|| place.must_be("the name of a condition"))?;
        match self.scope.holds(name)? {
            Some(true) => Ok(None),
            Some(false) => Ok(Some(name)),
            None => Err(place.fault(format!("no condition is named {name}"))),
        }
    }

    /// The resolved value, as a whole number within `limits`.
    pub(super) fn number(&self, limits: RangeInclusive<u32>) -> Result<u32, TemplateError> {
        let text = self.text()?;
        match text.parse::<u32>() {
            Ok(number) if limits.contains(&number) => Ok(number),
            _ => {
                let (least, most) = (limits.start(), limits.end());
                Err(self.fault(format!("{text} is not a whole number from {least} to {most}")))
            }
        }
    }

    /// The resolved value, as true or false.
    pub(super) fn truth(&self) -> Result<bool, TemplateError> {
        let text = self.text()?;
        text.parse().map_err(|_| self.fault(format!("{text} is neither true nor false")))
    }

    /// The name of the stream with this ARN. It must be one of the template's: the local run has no others.
    pub(super) fn stream_name(&self) -> Result<String, TemplateError> {
        let arn = self.text()?;
        let stream =
            self.scope.resources.values().find(|resource| resource.arn == arn && arn.starts_with("arn:aws:kinesis:"));
        stream
            .map(|stream| stream.name.clone())
            .ok_or_else(|| self.fault(format!("{arn} is not a stream of this template")))
    }

    /// The error for a function at this location that cannot be resolved.
    pub(super) fn unresolved(&self, reason: String) -> TemplateError {
        let Some((tag, argument)) = short_form(self.yaml) else { return self.fault(reason) };
        let first = argument.as_sequence().and_then(|parts| parts.first()).unwrap_or(argument);
        TemplateError::Unresolved {
            resource: self.resource.to_owned(),
            property: self.property.clone(),
            tag,
            argument: literal(first).unwrap_or_else(|| "(not a plain value)".to_owned()),
            reason,
        }
    }

    /// A fault at this location.
    pub(super) fn fault(&self, reason: String) -> TemplateError {
        TemplateError::Property { resource: self.resource.to_owned(), property: self.property.clone(), reason }
    }

    fn must_be(&self, what: &str) -> TemplateError {
        self.fault(format!("must be {what}"))
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
                    let nothing = || self.scope.nothing_behind(name, &format!("nothing is named {name}"));
                    result.push_str(value.ok_or_else(nothing)?);
                }
            }
            rest = after;
        }
        result.push_str(rest);
        Ok(result)
    }
}
