//! Four columns as a shop would declare them, and the fields that they read.
//!
//! Their cost depends on the clicks: here each of them has a page, of 312 or so, and one of six is a checkout with a
//! value, so that nearly every session has revenue.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shared::columns::declaration::SessionColumns;
use shared::columns::number::Number;
use shared::columns::values::{ColumnValue, ColumnValues, Seen, TextAt};
use shared::event_time::EventTime;
use shared::merging::Merging;

use crate::error::BenchError;
use crate::event::attributes;

/// The declaration: entry page, exit page, searches, revenue.
pub const DECLARATION: &str = "entry_page = first(/page)
exit_page = last(/page)
searches = count(/event_name = 'search')
revenue = sum(/value) where /event_name = 'checkout'";

const CATEGORIES: [&str; 12] = [
    "women/shoes",
    "women/dresses",
    "women/coats",
    "men/shoes",
    "men/shirts",
    "men/jackets",
    "kids/shoes",
    "kids/toys",
    "home/kitchen",
    "home/garden",
    "sport/running",
    "sport/outdoor",
];
const ARTICLES: [&str; 5] = ["classic-blue", "light", "leather-brown", "basic-two-pack", "winter-edition"];
const PRODUCTS: u64 = 300;

/// Billionths of a hundredth: values have two digits after the point.
const BILLIONTHS: i128 = 10_000_000;

/// What clicks have for columns, and whether these are declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub enum Columns {
    /// Clicks of the walkthrough's five fields, and no columns.
    #[default]
    None,
    /// Clicks also have the fields `page` and, if they are checkouts, `value`. Nobody reads them.
    Undeclared,
    /// The same clicks, and the four columns.
    Declared,
}

impl Columns {
    /// The declared columns.
    ///
    /// # Errors
    /// None in practice: the declaration is valid.
    pub fn declared(self) -> Result<SessionColumns, BenchError> {
        match self {
            Self::None | Self::Undeclared => Ok(SessionColumns::default()),
            Self::Declared => SessionColumns::parse(DECLARATION).map_err(|faults| {
                BenchError::failed(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }),
        }
    }

    /// The fields of a click that columns read, as the end of its JSON object, without the bracket.
    #[must_use]
    pub fn fields(self, user: usize, ms: u64) -> String {
        if self == Self::None {
            return String::new();
        }
        let value = cents(user, ms).map(|cents| format!(r#","value":{}.{:02}"#, cents / 100, cents % 100));
        format!(r#","page":"{}"{}"#, page(user, ms), value.unwrap_or_default())
    }

    /// What the click of `user` at `time` adds to each column: the same as if its JSON were decoded.
    #[must_use]
    pub fn of_click(self, user: usize, time: EventTime) -> ColumnValues {
        if self != Self::Declared {
            return ColumnValues::default();
        }
        let text = || Some(TextAt { time, text: page(user, time.ms()).into() });
        let [name, ..] = attributes(user, time.ms());
        let value = cents(user, time.ms()).and_then(|cents| Number::from_billionths(i128::from(cents) * BILLIONTHS));
        let seen =
            [Seen::First(text()), Seen::Last(text()), Seen::Count(u64::from(name == "search")), Seen::Sum(value)];
        seen.into_iter().map(ColumnValue::from).collect()
    }

    /// What a session of `user` with clicks at `times` has of each column.
    #[must_use]
    pub fn of_session(self, user: usize, times: impl IntoIterator<Item = EventTime>) -> ColumnValues {
        let clicks = times.into_iter().map(|time| self.of_click(user, time));
        let merged = clicks.reduce(|mut session, click| {
            session.merge(&click);
            session
        });
        merged.unwrap_or_default()
    }
}

/// The path of the page of a click: 14 to 33 bytes.
fn page(user: usize, ms: u64) -> String {
    let [name, ..] = attributes(user, ms);
    let product = product(user, ms);
    let (category, article) = (picked(&CATEGORIES, product), picked(&ARTICLES, product));
    match name {
        "search" => "/search/results".to_owned(),
        "cart" => "/checkout/cart".to_owned(),
        "checkout" => "/checkout/confirmation".to_owned(),
        "category" => format!("/{category}/all"),
        _ => format!("/{category}/{product:03}-{article}"),
    }
}

/// The value of a click in hundredths, from 5 to 155, if it is a checkout.
fn cents(user: usize, ms: u64) -> Option<u64> {
    let [name, ..] = attributes(user, ms);
    (name == "checkout").then(|| 500 + mixed(user, ms) % 15_000)
}

fn product(user: usize, ms: u64) -> u64 {
    mixed(user, ms) % PRODUCTS
}

/// Any number, the same for the same click. The name of its event has no influence on it.
fn mixed(user: usize, ms: u64) -> u64 {
    (ms / 6).wrapping_add(user as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

fn picked<'t>(texts: &[&'t str], number: u64) -> &'t str {
    usize::try_from(number).ok().and_then(|number| texts.get(number % texts.len())).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use shared::click::LatestBelievable;
    use shared::click_format::{ClickFormat, Decoded};

    use super::*;
    use crate::event::click_json;
    use crate::workload::{BEGIN_MS, SimulatedClick};

    #[test]
    fn values_of_a_click_are_those_decoded_from_its_json() {
        let format = ClickFormat::default().with_columns(Columns::Declared.declared().unwrap());
        for ms in BEGIN_MS..BEGIN_MS + 60 {
            let json = click_json(SimulatedClick { user: 3, ms }, Columns::Declared);
            let decoded = format.decode_one(&json, LatestBelievable::after_arrival(ms, 0)).unwrap();
            let Decoded::Click(decoded) = decoded else { panic!("{decoded:?}") };
            let time = EventTime::from_ms(ms).unwrap();
            assert_eq!(decoded.click.columns, Columns::Declared.of_click(3, time), "at {ms}");
            assert_eq!(decoded.adjusted_columns, 0, "at {ms}");
        }
    }

    #[test]
    fn pages_are_some_hundreds_of_14_to_33_bytes() {
        let pages: HashSet<_> = (0..10_000).map(|ms| page(5, BEGIN_MS + 7 * ms)).collect();
        let lengths = || pages.iter().map(String::len);
        assert_eq!((lengths().min(), lengths().max()), (Some(14), Some(33)));
        assert!((300..=320).contains(&pages.len()), "{}", pages.len());
    }

    #[test]
    fn clicks_without_columns_have_the_five_fields_only() {
        let click = SimulatedClick { user: 3, ms: BEGIN_MS + 1 };
        let [none, undeclared, declared] =
            [Columns::None, Columns::Undeclared, Columns::Declared].map(|columns| click_json(click, columns).len());
        assert!(none < undeclared && undeclared == declared, "{none}, {undeclared}, {declared}");
    }
}
