//! The program `local serve`, and the address of its page.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The running program. Dropping it kills it, also when a test panics.
pub struct Served {
    child: Child,
    pub url: String,
}

impl Served {
    pub fn start(arguments: &[&str]) -> Self {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_local"));
        let mut child = serve.arg("serve").args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.by_ref().map(|line| line.trim().to_owned()).find(|line| line.starts_with("http://127.0.0.1:"));
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: url.expect("serve prints the address of its page") }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
