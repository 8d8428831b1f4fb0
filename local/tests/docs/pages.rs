//! The files of this repository, and what its Markdown pages contain.

use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

pub const README: &str = "README.md";

/// A Markdown page, reduced to what the tests look at.
#[derive(Debug, Default)]
pub struct Page {
    /// Its path from the root, with `/`.
    pub path: String,
    /// The texts of its headings, in order.
    pub headings: Vec<String>,
    /// The targets of its links and images.
    pub links: Vec<String>,
    /// Its code spans.
    pub code_spans: Vec<String>,
    /// The code blocks that hold shell commands: those marked `sh`, and those without a language.
    pub shell_blocks: Vec<String>,
}

impl Page {
    pub fn parse(path: &str, markdown: &str) -> Self {
        let mut page = Self { path: path.to_owned(), ..Self::default() };
        let (mut heading, mut block) = (None, None);
        for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.headings.extend(heading.take()),
                Event::Start(Tag::CodeBlock(kind)) => {
                    let is_shell = match &kind {
                        CodeBlockKind::Indented => true,
                        CodeBlockKind::Fenced(language) => ["", "sh"].contains(&language.as_ref()),
                    };
                    block = is_shell.then(String::new);
                }
                Event::End(TagEnd::CodeBlock) => page.shell_blocks.extend(block.take()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                    page.code_spans.push(code.into_string());
                }
                Event::Text(text) => {
                    if let Some(text_so_far) = heading.as_mut().or(block.as_mut()) {
                        text_so_far.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page
    }
}

/// Every Markdown page of the repository.
pub fn pages() -> Vec<Page> {
    let paths = repository_paths().into_iter().filter(|path| path.ends_with(".md"));
    let pages: Vec<_> = paths.map(|path| Page::parse(&path, &repository_file(&path))).collect();
    assert!(pages.len() >= 10, "{:?}", pages.iter().map(|page| &page.path).collect::<Vec<_>>());
    pages
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub fn repository_file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The paths of all files from the root, with `/`, without hidden folders and build output.
pub fn repository_paths() -> Vec<String> {
    let mut paths = Vec::new();
    collect(&root(), "", &mut paths);
    paths.sort();
    paths
}

fn collect(folder: &Path, prefix: &str, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        if !entry.file_type().unwrap().is_dir() {
            paths.push(path);
        } else if !name.starts_with('.') && name != "target" {
            collect(&entry.path(), &format!("{path}/"), paths);
        }
    }
}
