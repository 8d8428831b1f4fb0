//! Links lead to files that exist, and to headings that exist.

use std::collections::BTreeMap;

use crate::pages::{Page, pages, root};

/// The anchors of a page by the rule of GitHub: lower case, spaces to hyphens, other punctuation dropped, and a number
/// behind a heading that appeared before.
fn anchors(page: &Page) -> Vec<String> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let anchor = |heading: &String| {
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let slug = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let times = seen.entry(slug.clone()).or_default();
        *times += 1;
        if *times == 1 { slug } else { format!("{slug}-{}", *times - 1) }
    };
    page.headings.iter().map(anchor).collect()
}

/// The path that `link` on the page at `from` leads to, from the root. None if it leaves the repository.
fn resolved(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn fault(page: &Page, link: &str, pages: &[Page]) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() { Some(page.path.clone()) } else { resolved(&page.path, path) };
    let Some(target) = target.filter(|target| root().join(target).exists()) else {
        return Some("no such file".to_owned());
    };
    let anchor = anchor?;
    let Some(target) = pages.iter().find(|page| page.path == target) else {
        return Some("an anchor into a file that is not Markdown".to_owned());
    };
    let anchors = anchors(target);
    (!anchors.iter().any(|known| known == anchor)).then(|| format!("no such heading among {anchors:?}"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    let mut faults = Vec::new();
    for page in &pages {
        let of_page = page.links.iter().filter_map(|link| Some((link, fault(page, link, &pages)?)));
        faults.extend(of_page.map(|(link, fault)| format!("{}: {link}: {fault}", page.path)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn broken_links_are_found() {
    let pages = [Page::parse("docs/a.md", "# What's `x`, exactly?\n## Twice\n## Twice\n"), Page::default()];
    assert_eq!(anchors(&pages[0]), ["whats-x-exactly", "twice", "twice-1"]);
    let fault = |link| fault(&Page::parse("README.md", ""), link, &pages).is_some();
    assert!(!fault("docs/design.md") && !fault("https://example.com/#x") && !fault("./docs"));
    assert!(fault("docs/no-such-page.md") && fault("../outside.md") && fault("#no-such-heading"));
    assert!(fault("template.yaml#an-anchor"));
}
