use std::fs::read_to_string;

use tempfile::TempDir;

use super::*;

fn folder_with(name: &str, content: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn output_that_was_only_opened_leaves_no_trace() {
    let (folder, existing) = folder_with("existing", "as it was");
    let new = folder.path().join("new");
    drop([Output::open("--sessions", &existing).unwrap(), Output::open("--rejected", &new).unwrap()]);
    assert_eq!(read_to_string(existing).unwrap(), "as it was");
    assert!(!new.exists());
}

#[test]
fn unfinished_output_is_empty() {
    let (folder, existing) = folder_with("existing", "as it was");
    for path in [existing, folder.path().join("new")] {
        let mut output = Output::open("--sessions", &path).unwrap();
        output.start().unwrap();
        output.writer().write_line(b"written").unwrap();
        output.writer().flush().unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "written\n");
        output.writer().write_line(b"still in the buffer").unwrap();
        let writer = output.writer().clone();
        drop(output);
        let late = writer.write_line(b"by a thread that does not know yet").unwrap_err().to_string();
        assert_eq!(late, format!("--sessions {} cannot be written: broken pipe", path.display()));
        drop(writer);
        assert_eq!(read_to_string(&path).unwrap(), "");
    }
}

#[test]
fn finished_output_contains_only_what_was_written() {
    let (_folder, path) = folder_with("existing", "as it was, and longer than what is written");
    let mut output = Output::open("--sessions", &path).unwrap();
    output.start().unwrap();
    output.writer().write_line(b"one").unwrap();
    output.writer().write_line(b"two").unwrap();
    output.finish().unwrap();
    assert_eq!(read_to_string(&path).unwrap(), "one\ntwo\n");
}

#[test]
fn two_paths_to_one_file_are_an_error_that_names_both_options() {
    let (folder, input) = folder_with("input", "");
    let handle = Handle::from_path(&input).unwrap();
    let [hard, symbolic, other] = ["hard", "symbolic", "other"].map(|name| folder.path().join(name));
    fs::hard_link(&input, &hard).unwrap();
    std::os::unix::fs::symlink(&input, &symbolic).unwrap();
    let dotted = folder.path().join(".").join("input");
    let open = |option, path: &Path| Output::open(option, path).unwrap();
    for path in [&input, &hard, &symbolic, &dotted] {
        let error = Output::check_distinct(&[("--input", &handle)], [&open("--sessions", path)]).unwrap_err();
        let expected = format!("--sessions {} is also given as --input: they must be different files", path.display());
        assert_eq!(error.to_string(), expected);
        let outputs = [open("--sessions", &hard), open("--boundaries", &other), open("--rejected", path)];
        let error = Output::check_distinct(&[], &outputs).unwrap_err();
        let expected =
            format!("--rejected {} is also given as --sessions: they must be different files", path.display());
        assert_eq!(error.to_string(), expected);
    }
    let outputs = [open("--sessions", &hard), open("--boundaries", &other)];
    assert!(Output::check_distinct(&[], &outputs).is_ok());
}

#[test]
fn only_one_output_can_be_standard_output_but_several_can_be_one_device() {
    let open = |option, path: &str| Output::open(option, Path::new(path)).unwrap();
    let error = Output::check_distinct(&[], [&open("--sessions", "-"), &open("--rejected", "-")]).unwrap_err();
    assert_eq!(error.to_string(), "--rejected - is also given as --sessions: they must be different files");
    let devices = ["--sessions", "--rejected"].map(|option| open(option, "/dev/null"));
    assert!(Output::check_distinct(&[], &devices).is_ok());
}

#[test]
fn unwritable_output_is_an_error_when_it_is_opened() {
    let folder = TempDir::new().unwrap();
    let refused = |path: &Path| Output::open("--rejected", path).unwrap_err().to_string();
    let path = folder.path().join("no such folder").join("file");
    let expected = format!("--rejected {} cannot be opened for writing: No such file or directory", path.display());
    assert!(refused(&path).starts_with(&expected), "{}", refused(&path));
    let expected = format!("--rejected {} cannot be opened for writing: Is a directory", folder.path().display());
    assert!(refused(folder.path()).starts_with(&expected), "{}", refused(folder.path()));
}

#[test]
fn failed_write_names_option_and_path() {
    let mut output = Output::open("--sessions", Path::new("/dev/full")).unwrap();
    output.start().unwrap();
    output.writer().write_line(b"a session").unwrap();
    let message = output.finish().unwrap_err().to_string();
    assert!(message.starts_with("--sessions /dev/full cannot be written: No space left on device"), "{message}");
}
