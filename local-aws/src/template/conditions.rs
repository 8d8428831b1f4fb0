//! Evaluates the template's conditions: !Equals, !Not, !And, !Or and !Condition.
//!
//! Owns only the conditions; `intrinsics` handles resources and !If branches that depend on them. A condition is
//! evaluated only if something needed here depends on it, so unsupported functions in other conditions do no harm.

use std::ops::RangeInclusive;

use saphyr::Yaml;

use super::TemplateError;
use super::intrinsics::{Node, Scope, short_form};

/// How many conditions CloudFormation allows in !And and !Or.
const OPERANDS: RangeInclusive<usize> = 2..=10;

impl Scope<'_> {
    /// Whether the condition called `name` holds; `None` if there is no condition with this name.
    ///
    /// # Errors
    /// If it cannot be evaluated, with its location in the template.
    pub(super) fn holds(&self, name: &str) -> Result<Option<bool>, TemplateError> {
        self.holds_within(name, self.conditions().count())
    }

    /// `steps` limits the nesting: a condition that needs more steps than there are conditions depends on itself.
    fn holds_within(&self, name: &str, steps: usize) -> Result<Option<bool>, TemplateError> {
        let Some(condition) = self.conditions().find(|condition| condition.property() == name) else { return Ok(None) };
        match steps.checked_sub(1) {
            Some(steps) => truth(&condition, steps).map(Some),
            None => Err(condition.fault("depends on itself".to_owned())),
        }
    }

    fn conditions(&self) -> impl Iterator<Item = Node<'_, '_>> {
        let declared = self.document().as_mapping_get("Conditions").and_then(Yaml::as_mapping);
        declared
            .into_iter()
            .flatten()
            .filter_map(|(name, yaml)| Some(Node::new(self, "Conditions", name.as_str()?, yaml)))
    }
}

/// Whether the condition written at `node` holds.
fn truth(node: &Node, steps: usize) -> Result<bool, TemplateError> {
    let Some((tag, argument)) = short_form(node.yaml()) else {
        return Err(node.fault("not a condition".to_owned()));
    };
    if tag == "!Condition" {
        let holds = node.scope().holds_within(argument.as_str().unwrap_or_default(), steps)?;
        return holds.ok_or_else(|| node.unresolved("no condition has this name".to_owned()));
    }
    if !["!Equals", "!Not", "!And", "!Or"].contains(&tag.as_str()) {
        return Err(node.unresolved("only !Equals, !Not, !And, !Or and !Condition are supported".to_owned()));
    }
    let operands = node.argument(argument).items()?;
    let truths = || operands.iter().map(|operand| truth(operand, steps)).collect::<Result<Vec<bool>, _>>();
    match (tag.as_str(), operands.as_slice()) {
        ("!Equals", [left, right]) => Ok(left.text()? == right.text()?),
        ("!Not", [condition]) => Ok(!truth(condition, steps)?),
        ("!And", all) if OPERANDS.contains(&all.len()) => Ok(!truths()?.contains(&false)),
        ("!Or", any) if OPERANDS.contains(&any.len()) => Ok(truths()?.contains(&true)),
        (_, operands) => Err(node.fault(format!("wrong number of operands for {tag}: {}", operands.len()))),
    }
}
