//! The format of the clicks in a stream: where their fields are, how they write the time, which of them count.
//!
//! The default is the format of the design, section 2, and needs no configuration.

use crate::attributes::Attributes;
use crate::click::{Click, DecodedClick, LatestBelievable, decode_user_id, no_placeholder};
use crate::columns::declaration::SessionColumns;
use crate::columns::reader::{COLUMN_SLOTS, ColumnReader};
use crate::columns::values::ColumnValues;
use crate::event_filter::EventFilter;
use crate::field_path::{FieldPath, PathError};
use crate::fields::{Field, FieldName, Object, ObjectJson, Wording};
use crate::limits::MAX_USER_ID_PATHS;
use crate::path_tree::PathTree;
use crate::record_values::RecordValues;
use crate::rejection::Rejection;
use crate::timestamp_format::TimestampFormat;
use crate::user_id::UserId;

const USER_ID: &str = "user_id";
const EVENT_TIMESTAMP: &str = "event_timestamp";
const EVENT_NAME: &str = "event_name";
const EVENT_TYPE: &str = "event_type";
const DEVICE_TYPE: &str = "device_type";

/// User ids that stand for none, as raw JSON, in the order in which a rejection names them.
const ABSENT_USERS: [&str; 2] = ["\"\"", "null"];

/// Slots of the fields in the tree of paths. Those of the user id come last, because there may be several.
const TIMESTAMP_SLOT: usize = 0;
const NAME_SLOT: usize = 1;
const TYPE_SLOT: usize = 2;
const DEVICE_SLOT: usize = 3;
const USER_SLOT: usize = 4;
pub(crate) const SLOTS: usize = USER_SLOT + MAX_USER_ID_PATHS;

/// The same with those of the columns.
pub(crate) const SLOTS_WITH_COLUMNS: usize = SLOTS + COLUMN_SLOTS;

/// Where the fields of a click are. The default is the contract's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickFields {
    /// Where the user id may be: the first of these that is there, not null and not an empty string counts. 1 to
    /// [`MAX_USER_ID_PATHS`].
    pub user_id: Vec<FieldPath>,
    /// Where the time is; not read with [`TimestampFormat::Arrival`].
    pub event_timestamp: FieldPath,
    /// Where the event's name is.
    pub event_name: FieldPath,
    /// Where the kind of event is.
    pub event_type: FieldPath,
    /// Where the kind of device is.
    pub device_type: FieldPath,
}

impl Default for ClickFields {
    fn default() -> Self {
        Self {
            user_id: vec![FieldPath::of_contract(USER_ID)],
            event_timestamp: FieldPath::of_contract(EVENT_TIMESTAMP),
            event_name: FieldPath::of_contract(EVENT_NAME),
            event_type: FieldPath::of_contract(EVENT_TYPE),
            device_type: FieldPath::of_contract(DEVICE_TYPE),
        }
    }
}

/// How clicks are read from records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickFormat {
    fields: ClickFields,
    /// The user id's paths, as messages name them together.
    user_id_paths: String,
    timestamp_format: TimestampFormat,
    filter: EventFilter,
    columns: ColumnReader,
    tree: PathTree,
}

/// What one value of a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A click.
    Click(DecodedClick),
    /// An event that the filter leaves out. It is not looked at any further: whatever else is wrong with it does not
    /// matter.
    Filtered,
}

impl Default for ClickFormat {
    fn default() -> Self {
        Self::of(ClickFields::default(), TimestampFormat::default(), EventFilter::default(), ColumnReader::default())
    }
}

impl ClickFormat {
    /// The format with these fields, times and filter.
    ///
    /// # Errors
    /// If there is no path for the user id, or more than [`MAX_USER_ID_PATHS`].
    pub fn new(fields: ClickFields, timestamp_format: TimestampFormat, filter: EventFilter) -> Result<Self, PathError> {
        match fields.user_id.len() {
            0 => Err(PathError::Empty),
            count if count > MAX_USER_ID_PATHS => Err(PathError::TooMany(count)),
            _ => Ok(Self::of(fields, timestamp_format, filter, ColumnReader::default())),
        }
    }

    /// The same format, in which clicks carry what they add to `columns`.
    #[must_use]
    pub fn with_columns(self, columns: SessionColumns) -> Self {
        Self::of(self.fields, self.timestamp_format, self.filter, ColumnReader::new(columns))
    }

    fn of(fields: ClickFields, timestamp_format: TimestampFormat, filter: EventFilter, columns: ColumnReader) -> Self {
        let time = Some((TIMESTAMP_SLOT, &fields.event_timestamp));
        let attributes =
            [(NAME_SLOT, &fields.event_name), (TYPE_SLOT, &fields.event_type), (DEVICE_SLOT, &fields.device_type)];
        let users = fields.user_id.iter().enumerate().map(|(place, path)| (USER_SLOT + place, path));
        let paths = users.chain(time.filter(|_| timestamp_format != TimestampFormat::Arrival)).chain(attributes);
        let of_columns = columns.paths().iter().enumerate().map(|(place, path)| (SLOTS + place, path));
        let tree = PathTree::of(paths.chain(of_columns));
        let user_id_paths = fields.user_id.iter().map(FieldPath::as_str).collect::<Vec<_>>().join(" or ");
        Self { fields, user_id_paths, timestamp_format, filter, columns, tree }
    }

    /// The values of the record `data`, each decoded on its own.
    ///
    /// A record contains one JSON object, or several one behind the other with or without white space and commas
    /// between them, or an array of objects. There is always at least one value; a record without any is rejected.
    #[must_use]
    pub fn values<'r>(&'r self, data: &'r [u8], latest: LatestBelievable) -> RecordValues<'r> {
        RecordValues::new(self, data, latest)
    }

    /// The only value of the record `data`.
    ///
    /// # Errors
    /// A [`Rejection`] for anything else than one object, and for an object that is not a click.
    pub fn decode_one(&self, data: &[u8], latest: LatestBelievable) -> Result<Decoded, Rejection> {
        if self.has_columns() {
            let Object { values, json } = Object::<SLOTS_WITH_COLUMNS>::read(data, &self.tree, Wording::ONE_OBJECT)?;
            self.decode_object(&values, &json, latest)
        } else {
            let Object { values, json } = Object::<SLOTS>::read(data, &self.tree, Wording::ONE_OBJECT)?;
            self.decode_object(&values, &json, latest)
        }
    }

    /// The columns to which clicks add.
    #[must_use]
    pub fn columns(&self) -> &SessionColumns {
        self.columns.declared()
    }

    /// Whether fields of columns are to be found besides those of clicks: [`SLOTS_WITH_COLUMNS`] instead of [`SLOTS`].
    pub(crate) fn has_columns(&self) -> bool {
        !self.columns.is_empty()
    }

    /// The user id in `data`, an object, whatever else is wrong with it; `None` if none can be read.
    #[must_use]
    pub fn user_id_in(&self, data: &[u8]) -> Option<UserId> {
        let Object { values, json } = Object::<SLOTS>::read(data, &self.tree, Wording::ONE_OBJECT).ok()?;
        self.found_user_id(&values, &json).ok().map(|(_, user_id)| user_id)
    }

    /// The tree of the fields' paths.
    pub(crate) fn tree(&self) -> &PathTree {
        &self.tree
    }

    /// The click with these `values` in the object `json`.
    pub(crate) fn decode_object(
        &self,
        values: &[Option<&str>],
        json: &ObjectJson<'_>,
        latest: LatestBelievable,
    ) -> Result<Decoded, Rejection> {
        let is_filtered = || !self.filter.counts(Field::of(values[NAME_SLOT]).text().as_deref());
        if self.filter != EventFilter::All && is_filtered() {
            return Ok(Decoded::Filtered);
        }
        self.decode_click(values, json, latest).map(Decoded::Click)
    }

    /// The same, whatever the filter.
    pub(crate) fn decode_click(
        &self,
        values: &[Option<&str>],
        json: &ObjectJson<'_>,
        latest: LatestBelievable,
    ) -> Result<DecodedClick, Rejection> {
        let user_id = self.decode_user_id(values, json)?;
        let timestamp = FieldName { name: EVENT_TIMESTAMP, path: self.fields.event_timestamp.as_str() };
        let time = self.timestamp_format.decode(timestamp, &Field::of(values[TIMESTAMP_SLOT]), json, latest)?;
        let mut adjusted_attributes = 0;
        let mut attribute = |slot: usize| Field::of(values[slot]).into_attribute(&mut adjusted_attributes);
        let attributes = Attributes {
            event_name: attribute(NAME_SLOT),
            event_type: attribute(TYPE_SLOT),
            device_type: attribute(DEVICE_SLOT),
        };
        let mut adjusted_columns = 0;
        let columns = match values.get(SLOTS..) {
            Some(fields) if self.has_columns() => self.columns.read(fields, time, &mut adjusted_columns),
            _ => ColumnValues::default(),
        };
        let click = Click { user_id, time, attributes, columns };
        Ok(DecodedClick { click, adjusted_attributes, adjusted_columns })
    }

    fn decode_user_id(&self, values: &[Option<&str>], json: &ObjectJson<'_>) -> Result<UserId, Rejection> {
        let (name, user_id) = self.found_user_id(values, json)?;
        no_placeholder(name, user_id)
    }

    /// The first user id that is there, not null and not an empty string, as some trackers write one that they lack; and
    /// where it is.
    fn found_user_id(
        &self,
        values: &[Option<&str>],
        json: &ObjectJson<'_>,
    ) -> Result<(FieldName<'_>, UserId), Rejection> {
        let found = || self.fields.user_id.iter().zip(&values[USER_SLOT..]);
        let first = found().find_map(|(path, raw)| Some((path, raw.filter(|raw| !ABSENT_USERS.contains(raw))?)));
        let (path, raw) = match first {
            Some((path, raw)) => (path.as_str(), Some(raw)),
            None => {
                let raw = ABSENT_USERS.into_iter().find(|absent| found().any(|(_, raw)| *raw == Some(*absent)));
                (self.user_id_paths.as_str(), raw)
            }
        };
        let name = FieldName { name: USER_ID, path };
        Ok((name, decode_user_id(name, Field::of(raw), json)?))
    }
}

#[cfg(test)]
#[path = "click_format_tests.rs"]
mod tests;
