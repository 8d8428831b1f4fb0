//! The streams, tables and functions of this project's template.yaml, as plain types.
//!
//! Owns which properties are read and their defaults. `intrinsics` resolves !Ref, !If and similar functions. Must not
//! create anything: see `resources`. Ignores everything that a local run does not need (roles, log groups, outputs).

mod conditions;
mod intrinsics;
mod parameters;
mod schedules;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use intrinsics::{Node, Scope};
use saphyr::{LoadableYamlNode, Yaml};

pub use schedules::ScheduleSpec;

/// Shards of a new on-demand stream on AWS.
const ON_DEMAND_SHARDS: u32 = 4;
/// Maximum open shards of a stream: AWS' quota for an account in us-east-1, which one stream can use up.
const SHARDS: RangeInclusive<u32> = 1..=20_000;
/// Lambda's limits and default for a function's timeout, in seconds.
const TIMEOUT_SECONDS: RangeInclusive<u32> = 1..=900;
const DEFAULT_TIMEOUT_SECONDS: u32 = 3;
/// Lambda's limits and defaults for an event source mapping of Kinesis.
const BATCH_SIZE: RangeInclusive<u32> = 1..=10_000;
const DEFAULT_BATCH_SIZE: u32 = 100;
const BATCHING_WINDOW_SECONDS: RangeInclusive<u32> = 0..=300;

/// template.yaml with every parameter and reference resolved.
#[derive(Debug, Clone)]
pub struct Template {
    streams: Vec<StreamSpec>,
    tables: Vec<TableSpec>,
    functions: BTreeMap<String, FunctionSpec>,
}

/// A Kinesis stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    /// The stream's name.
    pub name: String,
    /// Initial number of open shards; 4 if it is on demand.
    pub shards: u32,
}

/// A DynamoDB table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    /// The table's name.
    pub name: String,
    /// Its primary key.
    pub key: KeySchema,
    /// The attribute with an item's expiry time (seconds since 1970), if TTL is enabled.
    pub ttl_attribute: Option<String>,
}

/// The primary key of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySchema {
    /// The partition (HASH) key.
    pub partition: KeyAttribute,
    /// The sort (RANGE) key, if there is one.
    pub sort: Option<KeyAttribute>,
}

impl KeySchema {
    /// Partition key, then sort key.
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.partition).chain(&self.sort)
    }
}

/// One attribute of a key, with its definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyAttribute {
    /// The attribute's name.
    pub name: String,
    /// The type of its values.
    pub kind: KeyKind,
}

/// The type of a key attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// `S`
    Text,
    /// `N`
    Number,
    /// `B`
    Binary,
}

/// The properties of a Lambda function that are needed to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSpec {
    /// Its environment variables, resolved.
    pub environment: BTreeMap<String, String>,
    /// Maximum duration of an invocation, in seconds, 1 to 900.
    pub timeout_seconds: u32,
    /// The mapping of the stream that it reads.
    pub mapping: MappingSpec,
    /// The schedules that invoke it, without disabled ones.
    pub schedules: Vec<ScheduleSpec>,
}

/// An event source mapping of a Kinesis stream. It retries without limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingSpec {
    /// The stream's name.
    pub stream: String,
    /// Maximum records per batch, 1 to 10,000. (The 6 MB payload limit may apply first.)
    pub batch_size: u32,
    /// How long records are gathered for a batch, in seconds, 0 to 300.
    pub maximum_batching_window_seconds: u32,
    /// Where reading a shard starts.
    pub starting_position: StartingPosition,
    /// Whether the function's response reports failed records; otherwise it is ignored and the whole batch counts as
    /// done.
    pub report_batch_item_failures: bool,
    /// Whether a batch is split in two if the function fails or times out.
    pub bisect_batch_on_function_error: bool,
}

/// Where a mapping starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartingPosition {
    /// At the oldest record.
    TrimHorizon,
    /// At the next record to arrive.
    Latest,
}

/// A fault in template.yaml, or something in it that this crate cannot resolve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Not YAML, or not a single mapping.
    #[error("cannot parse the template: {reason}")]
    Syntax {
        /// The parser's error, with line and column.
        reason: String,
    },
    /// A parameter that does not exist, has no value, or has a value that its constraints forbid.
    #[error("parameter {parameter}: {reason}")]
    Parameter {
        /// The parameter's name.
        parameter: String,
        /// The fault.
        reason: String,
    },
    /// A property that is missing or malformed.
    #[error("{resource}: {property}: {reason}")]
    Property {
        /// The resource's logical id.
        resource: String,
        /// The path of the property, such as `Properties.Events.Clicks.Properties.BatchSize`.
        property: String,
        /// The fault.
        reason: String,
    },
    /// An intrinsic function that is not supported here, or whose argument does not exist.
    #[error("{resource}: {property}: cannot resolve {tag} {argument}: {reason}")]
    Unresolved {
        /// The resource's logical id.
        resource: String,
        /// The path of the property.
        property: String,
        /// The function's short form, such as `!Ref`.
        tag: String,
        /// Its argument.
        argument: String,
        /// Why it cannot be resolved.
        reason: String,
    },
    /// The template has no such function.
    #[error("the template has no AWS::Serverless::Function named {logical_id}")]
    NoSuchFunction {
        /// The requested name.
        logical_id: String,
    },
}

impl Template {
    /// This project's template.yaml, as of compile time, with the defaults of all parameters.
    ///
    /// # Errors
    /// If the template has a fault, which a test rules out.
    pub fn of_this_project() -> Result<Self, TemplateError> {
        Self::of_this_project_with(&BTreeMap::new())
    }

    /// This project's template.yaml with `parameters` in place of its defaults, by name.
    ///
    /// # Errors
    /// If a parameter does not exist or its value is not allowed.
    pub fn of_this_project_with(parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        Self::parse(include_str!("../../template.yaml"), parameters)
    }

    /// Reads a template, with `parameters` in place of its defaults, by name.
    ///
    /// # Errors
    /// The first fault, with its location.
    pub fn parse(text: &str, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let documents =
            Yaml::load_from_str(text).map_err(|error| TemplateError::Syntax { reason: error.to_string() })?;
        let [document] = documents.as_slice() else {
            let reason = format!("expected one document, found {}", documents.len());
            return Err(TemplateError::Syntax { reason });
        };
        let scope = Scope::new(document, parameters)?;
        let mut template = Self { streams: Vec::new(), tables: Vec::new(), functions: BTreeMap::new() };
        for (logical_id, kind, resource) in scope.resources() {
            match kind {
                "AWS::Kinesis::Stream" => template.streams.push(stream(&resource)?),
                "AWS::DynamoDB::Table" => template.tables.push(table(&resource)?),
                _ => {
                    let global = scope.function_globals();
                    template.functions.insert(logical_id.to_owned(), function(&resource, global.as_ref())?);
                }
            }
        }
        Ok(template)
    }

    /// All Kinesis streams, in the template's order.
    pub fn streams(&self) -> &[StreamSpec] {
        &self.streams
    }

    /// All DynamoDB tables, in the template's order.
    pub fn tables(&self) -> &[TableSpec] {
        &self.tables
    }

    /// The function with this logical id, such as `SessionizerFunction`.
    ///
    /// # Errors
    /// If there is none.
    pub fn function(&self, logical_id: &str) -> Result<&FunctionSpec, TemplateError> {
        self.functions
            .get(logical_id)
            .ok_or_else(|| TemplateError::NoSuchFunction { logical_id: logical_id.to_owned() })
    }
}

fn stream(resource: &Node) -> Result<StreamSpec, TemplateError> {
    let properties = resource.get("Properties")?;
    let name = properties.get("Name")?.text()?;
    let mode = match properties.find("StreamModeDetails")? {
        Some(details) => details.get("StreamMode")?.text()?,
        None => "PROVISIONED".to_owned(),
    };
    let shards = match mode.as_str() {
        "ON_DEMAND" => ON_DEMAND_SHARDS,
        "PROVISIONED" => properties.get("ShardCount")?.number(SHARDS)?,
        other => return Err(properties.fault(format!("unknown stream mode {other}"))),
    };
    Ok(StreamSpec { name, shards })
}

fn table(resource: &Node) -> Result<TableSpec, TemplateError> {
    let properties = resource.get("Properties")?;
    let definitions = properties.get("AttributeDefinitions")?;
    let kinds = attribute_kinds(&definitions)?;

    let name = properties.get("TableName")?.text()?;
    let key = key_schema(&properties.get("KeySchema")?, &kinds)?;
    if let Some(indexes) = properties.find("GlobalSecondaryIndexes")? {
        return Err(indexes.fault("indexes are not supported".to_owned()));
    }

    // DynamoDB rejects a table with unused definitions, and so does this.
    let in_the_key = |name: &String| key.attributes().any(|attribute| attribute.name == *name);
    if let Some(unused) = kinds.keys().find(|name| !in_the_key(name)) {
        return Err(definitions.fault(format!("{unused} is not in the key")));
    }
    Ok(TableSpec { name, key, ttl_attribute: ttl_attribute(&properties)? })
}

fn attribute_kinds(definitions: &Node) -> Result<BTreeMap<String, KeyKind>, TemplateError> {
    let mut kinds = BTreeMap::new();
    for definition in definitions.items()? {
        let kind = match definition.get("AttributeType")?.text()?.as_str() {
            "S" => KeyKind::Text,
            "N" => KeyKind::Number,
            "B" => KeyKind::Binary,
            other => return Err(definition.fault(format!("unknown attribute type {other}"))),
        };
        kinds.insert(definition.get("AttributeName")?.text()?, kind);
    }
    Ok(kinds)
}

fn key_schema(schema: &Node, kinds: &BTreeMap<String, KeyKind>) -> Result<KeySchema, TemplateError> {
    let mut partition = None;
    let mut sort = None;
    for element in schema.items()? {
        let name = element.get("AttributeName")?.text()?;
        let Some(kind) = kinds.get(&name).copied() else {
            return Err(element.fault(format!("{name} is not in AttributeDefinitions")));
        };
        let role = match element.get("KeyType")?.text()?.as_str() {
            "HASH" => &mut partition,
            "RANGE" => &mut sort,
            other => return Err(element.fault(format!("unknown key type {other}"))),
        };
        if role.replace(KeyAttribute { name, kind }).is_some() {
            return Err(element.fault("a second key of the same type".to_owned()));
        }
    }
    let partition = partition.ok_or_else(|| schema.fault("no HASH key".to_owned()))?;
    Ok(KeySchema { partition, sort })
}

fn ttl_attribute(table: &Node) -> Result<Option<String>, TemplateError> {
    let Some(ttl) = table.find("TimeToLiveSpecification")? else { return Ok(None) };
    if ttl.get("Enabled")?.truth()? { ttl.get("AttributeName")?.text().map(Some) } else { Ok(None) }
}

fn function(resource: &Node, global: Option<&Node>) -> Result<FunctionSpec, TemplateError> {
    let properties = resource.get("Properties")?;
    let timeout = match (properties.find("Timeout")?, global) {
        (None, Some(global)) => global.find("Timeout")?,
        (own, _) => own,
    };
    let timeout_seconds = timeout.map_or(Ok(DEFAULT_TIMEOUT_SECONDS), |timeout| timeout.number(TIMEOUT_SECONDS))?;

    let mut environment = BTreeMap::new();
    if let Some(own) = properties.find("Environment")? {
        for (name, value) in own.get("Variables")?.entries()? {
            environment.insert(name, value.text()?);
        }
    }

    let events = properties.get("Events")?;
    let (mut mappings, mut schedules) = (Vec::new(), Vec::new());
    for (_, event) in events.entries()? {
        match event.get("Type")?.text()?.as_str() {
            "Kinesis" => mappings.push(mapping(&event.get("Properties")?)?),
            "ScheduleV2" => schedules.extend(schedules::schedule(&event.get("Properties")?)?),
            _ => {}
        }
    }
    match <[MappingSpec; 1]>::try_from(mappings) {
        Ok([mapping]) => Ok(FunctionSpec { environment, timeout_seconds, mapping, schedules }),
        Err(mappings) => Err(events.fault(format!("expected one event of type Kinesis, found {}", mappings.len()))),
    }
}

fn mapping(event: &Node) -> Result<MappingSpec, TemplateError> {
    let number = |property: &str, limits: RangeInclusive<u32>, default: u32| {
        event.find(property)?.map_or(Ok(default), |value| value.number(limits))
    };
    let position = event.get("StartingPosition")?;
    let starting_position = match position.text()?.as_str() {
        "TRIM_HORIZON" => StartingPosition::TrimHorizon,
        "LATEST" => StartingPosition::Latest,
        other => return Err(position.fault(format!("cannot start at {other}"))),
    };
    let mut report_batch_item_failures = false;
    if let Some(types) = event.find("FunctionResponseTypes")? {
        for response_type in types.items()? {
            match response_type.text()?.as_str() {
                "ReportBatchItemFailures" => report_batch_item_failures = true,
                other => return Err(response_type.fault(format!("unknown response type {other}"))),
            }
        }
    }
    // A local mapping retries without limit and runs one batch of a shard at a time. A template that says otherwise
    // would behave differently on AWS.
    for (property, only) in
        [("MaximumRetryAttempts", "-1"), ("MaximumRecordAgeInSeconds", "-1"), ("ParallelizationFactor", "1")]
    {
        if let Some(value) = event.find(property)?
            && value.text()? != only
        {
            return Err(value.fault(format!("only {only} is supported")));
        }
    }
    Ok(MappingSpec {
        stream: event.get("Stream")?.stream_name()?,
        batch_size: number("BatchSize", BATCH_SIZE, DEFAULT_BATCH_SIZE)?,
        maximum_batching_window_seconds: number("MaximumBatchingWindowInSeconds", BATCHING_WINDOW_SECONDS, 0)?,
        starting_position,
        report_batch_item_failures,
        bisect_batch_on_function_error: event
            .find("BisectBatchOnFunctionError")?
            .map_or(Ok(false), |value| value.truth())?,
    })
}
