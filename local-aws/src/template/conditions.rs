//! Whether a condition of the template holds: !Equals, !Not, !And, !Or and !Condition.
//!
//! Owns the conditions only; what depends on one, a resource or a branch of !If, is `intrinsics`' part. A condition is
//! evaluated when something that is needed here depends on it: one with another function does no harm elsewhere.

use std::ops::RangeInclusive;

use saphyr::Yaml;

use super::TemplateError;
use super::intrinsics::{Node, Scope, short_form};

/// How many conditions CloudFormation lets !And and !Or take.
const OPERANDS: RangeInclusive<usize> = 2..=10;

impl Scope<'_> {
    /// Whether the condition called `name` holds; `None` when there is no condition of this name.
    ///
    /// # Errors
    /// When it cannot be evaluated, with the place in the template's conditions.
    pub(super) fn holds(&self, name: &str) -> Result<Option<bool>, TemplateError> {
        self.holds_within(name, self.conditions().count())
    }

    /// `steps` is how many conditions may still be gone through: whoever needs more than there are goes in a circle.
    fn holds_within(&self, name: &str, steps: usize) -> Result<Option<bool>, TemplateError> {
        let Some(condition) = self.conditions().find(|condition| condition.property() == name) else { return Ok(None) };
        match steps.checked_sub(1) {
            Some(steps) => truth(&condition, steps).map(Some),
            None => Err(condition.fault("it depends on itself".to_owned())),
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
        return Err(node.fault("it is no condition".to_owned()));
    };
    if tag == "!Condition" {
        let holds = node.scope().holds_within(argument.as_str().unwrap_or_default(), steps)?;
        return holds.ok_or_else(|| node.unresolved("no condition has this name".to_owned()));
    }
    if !["!Equals", "!Not", "!And", "!Or"].contains(&tag.as_str()) {
        return Err(node.unresolved("only !Equals, !Not, !And, !Or and !Condition are known".to_owned()));
    }
    let operands = node.argument(argument).items()?;
    let truths = || operands.iter().map(|operand| truth(operand, steps)).collect::<Result<Vec<bool>, _>>();
    match (tag.as_str(), operands.as_slice()) {
        ("!Equals", [left, right]) => Ok(left.text()? == right.text()?),
        ("!Not", [condition]) => Ok(!truth(condition, steps)?),
        ("!And", all) if OPERANDS.contains(&all.len()) => Ok(!truths()?.contains(&false)),
        ("!Or", any) if OPERANDS.contains(&any.len()) => Ok(truths()?.contains(&true)),
        (_, operands) => Err(node.fault(format!("{tag} does not take {} operands", operands.len()))),
    }
}
