use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::lines::Content;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The records of a file named `name` with content `bytes`, and how reading it ended.
fn read(name: &str, bytes: &[u8]) -> (Vec<(u64, String)>, Result<(), String>) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let input = Input::open(&path).unwrap();
    assert_eq!(input.length(), Some(bytes.len() as u64));
    let position = input.position();
    let mut lines = input.into_lines().unwrap();
    let mut records = Vec::new();
    while let Some(line) = lines.blocking_recv() {
        match line {
            Ok(Line { number, content: Content::Record(data) }) => {
                records.push((number, String::from_utf8(data).unwrap()));
            }
            Ok(line) => unreachable!("no line is that long: {line:?}"),
            Err(error) => return (records, Err(error.to_string().replace(path.to_str().unwrap(), name))),
        }
    }
    assert_eq!(position.bytes(), bytes.len() as u64, "a progress bar ends at its end");
    (records, Ok(()))
}

fn records(texts: &[&str]) -> Vec<(u64, String)> {
    texts.iter().zip(1..).map(|(text, number)| (number, (*text).to_owned())).collect()
}

#[test]
fn gzip_is_recognized_by_content_and_not_by_name() {
    assert_eq!(read("plain.gz", b"a\nb\n"), (records(&["a", "b"]), Ok(())));
    assert_eq!(read("gzipped", &gzip(b"a\nb\n")), (records(&["a", "b"]), Ok(())));
    assert_eq!(read("empty.gz", b""), (vec![], Ok(())));
    assert_eq!(read("gzipped_nothing.gz", &gzip(b"")), (vec![], Ok(())));
    let two_bytes_of_magic = [0x1f, 0x8b];
    let (found, end) = read_bytes(&two_bytes_of_magic);
    assert_eq!((found, end), (vec![two_bytes_of_magic.to_vec()], Ok(())));
}

/// Like `read`, for bytes that are not UTF-8.
fn read_bytes(bytes: &[u8]) -> (Vec<Vec<u8>>, Result<(), String>) {
    let (reader, _) = decompressed(Box::new(Cursor::new(bytes.to_vec()))).unwrap();
    let mut lines = Lines::new(reader);
    let mut found = Vec::new();
    loop {
        match lines.next_line() {
            Ok(Some(Line { content: Content::Record(data), .. })) => found.push(data),
            Ok(Some(line)) => unreachable!("no line is that long: {line:?}"),
            Ok(None) => return (found, Ok(())),
            Err(error) => return (found, Err(error.to_string())),
        }
    }
}

#[test]
fn every_member_of_a_gzip_file_is_read_and_a_line_can_span_two() {
    let members = [gzip(b"a\nb"), gzip(b""), gzip(b"c\nd\n")].concat();
    assert_eq!(read("members.gz", &members), (records(&["a", "bc", "d"]), Ok(())));
}

#[test]
fn gzip_is_recognized_in_a_pipe_that_returns_one_byte_at_a_time() {
    struct Trickle(Cursor<Vec<u8>>);
    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let end = buffer.len().min(1);
            self.0.read(&mut buffer[..end])
        }
    }
    let (reader, is_gzip) = decompressed(Box::new(Trickle(Cursor::new(gzip(b"a\nb\n"))))).unwrap();
    assert!(is_gzip);
    assert_eq!(reader.lines().collect::<Result<Vec<_>, _>>().unwrap(), ["a", "b"]);
}

#[test]
fn damaged_gzip_is_an_error_that_names_the_file_and_the_line() {
    let lines: String = (0..1_000).map(|number| format!("record {number}\n")).collect();
    let whole = gzip(lines.as_bytes());
    let expected = |name, lines_read: usize, fault| {
        (lines_read, Err(format!("{name}, after line {lines_read}: the gzip data is damaged or truncated: {fault}")))
    };
    let (found, end) = read("cut.gz", &whole[..whole.len() - 1]);
    assert_eq!((found.len(), end), expected("cut.gz", 1_000, "unexpected end of file"));
    let (found, end) = read("half.gz", &whole[..whole.len() / 2]);
    assert!((1..1_000).contains(&found.len()), "{} records", found.len());
    assert_eq!((found.len(), end), expected("half.gz", found.len(), "incomplete deflate stream"));
    let (found, end) = read("trailing.gz", &[&whole[..], b"something else\n"].concat());
    assert_eq!((found.len(), end), expected("trailing.gz", 1_000, "invalid gzip header"));
    let mut corrupt = whole.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 8].fill(0xff);
    let (found, end) = read("corrupt.gz", &corrupt);
    assert_eq!((found.len(), end), expected("corrupt.gz", found.len(), "incomplete deflate stream"));
    let mut wrong_sum = whole;
    let checksum = wrong_sum.len() - 8;
    wrong_sum[checksum] ^= 1;
    let (found, end) = read("sum.gz", &wrong_sum);
    let fault = "corrupt gzip stream does not have a matching checksum";
    assert_eq!((found.len(), end), expected("sum.gz", 1_000, fault));
}

#[test]
fn unreadable_input_is_an_error_when_it_is_opened() {
    let folder = tempfile::TempDir::new().unwrap();
    let refused = |path: &Path| Input::open(path).unwrap_err().to_string();
    let missing = folder.path().join("missing");
    let expected = format!("--input {} cannot be opened for reading: No such file or directory", missing.display());
    assert!(refused(&missing).starts_with(&expected), "{}", refused(&missing));
    let expected = format!("--input {} cannot be opened for reading: is a directory", folder.path().display());
    assert_eq!(refused(folder.path()), expected);
}
