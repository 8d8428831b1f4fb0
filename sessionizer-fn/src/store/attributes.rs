//! Attributes of stored items, read with an error that names what is wrong, and written.

use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::statements::Item;

/// A number as an attribute.
pub(crate) fn number_value(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The number in attribute `name`.
pub(crate) fn number(item: &Item, name: &str) -> Result<u64, String> {
    let digits = of_type(item, name, "a number", |value| value.as_n().ok())?;
    digits.parse().map_err(|_| format!("{name} is {digits}, expected an integer from 0 to {}", u64::MAX))
}

/// The bytes in attribute `name`.
pub(crate) fn bytes<'i>(item: &'i Item, name: &str) -> Result<&'i [u8], String> {
    Ok(of_type(item, name, "binary", |value| value.as_b().ok())?.as_ref())
}

fn of_type<'i, T: ?Sized>(
    item: &'i Item,
    name: &str,
    expected: &str,
    typed: impl FnOnce(&'i AttributeValue) -> Option<&'i T>,
) -> Result<&'i T, String> {
    let value = item.get(name).ok_or_else(|| format!("it has no attribute {name}"))?;
    typed(value).ok_or_else(|| format!("{name} is not {expected}"))
}
