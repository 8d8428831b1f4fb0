//! The columns of runs that have some.

use shared::click_format::ClickFormat;
use shared::columns::declaration::SessionColumns;

/// Columns of every kind, of the fields that clicks of [`super::stream`] have; sorted by name, as tables are read.
pub const DECLARATION: &str = "\
    a_first = first(/page)
    b_last = last(/page)
    c_all = count()
    d_some = count(/event_name in ['e1', 'e2', 'e3', 'e5', 'e8', 'e13', 'e21'])
    e_sum = sum(/value)
    f_min = min(/value) where /page = '/1'
    g_max = max(/value)
    h_any = any(/page = '/2')
";

/// What clicks look like, and what sessions carry; no columns if the `declaration` is not one.
#[must_use]
pub fn click_format(declaration: &str) -> ClickFormat {
    ClickFormat::default().with_columns(SessionColumns::parse(declaration).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_columns_are_sorted_by_name() {
        let format = click_format(DECLARATION);
        let names: Vec<_> = format.columns().names().collect();
        assert_eq!(names.len(), 8);
        assert!(names.is_sorted(), "{names:?}");
        assert!(click_format("").columns().is_empty());
    }
}
