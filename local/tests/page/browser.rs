//! A headless Chromium, driven through ChromeDriver by the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Anything that takes longer than this is considered stuck.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The wait between two looks at the page.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The key under which WebDriver returns an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

const MISSING: &str = "The tests of the live page need Chromium and ChromeDriver, both from Debian: \
                       apt-get install chromium chromium-driver";

/// A running browser with one window. Dropping it ends the browser and its driver, also when a test panics.
pub struct Browser {
    runtime: Runtime,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
    driver: Child,
    address: String,
    session: String,
    /// Its profile: new, and deleted with it.
    _profile: TempDir,
}

impl Browser {
    /// Opens a window of this size.
    pub fn start(width: u32, height: u32, arguments: &[&str]) -> Self {
        let mut command = Command::new("chromedriver");
        let started = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = started.unwrap_or_else(|error| panic!("chromedriver: {error}. {MISSING}"));
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| Some(line.split_once("started successfully on port ")?.1.to_owned()));
        // Its further output is read, so that it cannot block.
        std::thread::spawn(move || lines.for_each(drop));
        let port = port.unwrap_or_else(|| panic!("chromedriver did not start. {MISSING}"));
        let profile = TempDir::new().unwrap();
        let mut browser = Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            driver,
            address: format!("http://127.0.0.1:{}", port.trim_end_matches('.')),
            session: String::new(),
            _profile: profile,
        };
        let folder = browser._profile.path().display();
        // The sandbox refuses to run as root, as in a container. The page is this project's own, and the other switches
        // turn off what the browser would otherwise fetch for itself.
        let fixed = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-extensions",
        ];
        let mut arguments: Vec<_> = fixed.iter().chain(arguments).map(ToString::to_string).collect();
        arguments.extend([format!("--user-data-dir={folder}"), format!("--window-size={width},{height}")]);
        let capabilities = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let answer = browser.call("POST", "/session", &json!({"capabilities": {"alwaysMatch": capabilities}}));
        let answer = answer.unwrap_or_else(|error| panic!("Chromium did not start: {error}. {MISSING}"));
        browser.session = answer["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    /// One request to the driver.
    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let request = http::Request::builder().method(method).uri(format!("{}{path}", self.address));
        let request = request.header("Content-Type", "application/json").body(Full::from(body)).unwrap();
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
            answer.into_body().collect().await.map(|body| body.to_bytes()).map_err(|error| error.to_string())
        };
        let answer = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, exchange).await });
        let answer = answer.map_err(|_| "no answer".to_owned())??;
        let mut answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        let value = answer["value"].take();
        if value["error"].is_string() { Err(format!("{}: {}", value["error"], value["message"])) } else { Ok(value) }
    }

    fn of_session(&self, method: &str, command: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{command}", self.session);
        self.call(method, &path, body).unwrap_or_else(|error| panic!("{command} {body}: {error}"))
    }

    pub fn open(&self, url: &str) {
        self.of_session("POST", "url", &json!({"url": url}));
    }

    /// The value of a JavaScript expression.
    pub fn value(&self, expression: &str) -> Value {
        self.evaluated(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    fn evaluated(&self, expression: &str) -> Result<Value, String> {
        let script = json!({"script": format!("return {expression}"), "args": []});
        self.call("POST", &format!("/session/{}/execute/sync", self.session), &script)
    }

    /// Waits until the expression is neither null, false, 0 nor an empty string, and returns its value. An error counts
    /// as not yet: an element may still be missing.
    pub fn until(&self, expression: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.evaluated(expression).unwrap_or_default();
            if !matches!(&value, Value::Null | Value::Bool(false)) && value != json!(0) && value != json!("") {
                return value;
            }
            if Instant::now() >= deadline {
                panic!("{expression} stays {value} on this page:\n{}", self.value("document.body.innerText"));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn element(&self, selector: &str) -> String {
        let found = self.of_session("POST", "element", &json!({"using": "css selector", "value": selector}));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// The accessible names of elements, as a screen reader reads them.
    #[must_use]
    pub fn labels(&self, selector: &str) -> Vec<String> {
        let found = self.of_session("POST", "elements", &json!({"using": "css selector", "value": selector}));
        let label = |element: &Value| {
            let element = element[ELEMENT].as_str().unwrap();
            let label = self.of_session("GET", &format!("element/{element}/computedlabel"), &Value::Null);
            label.as_str().unwrap_or_default().to_owned()
        };
        found.as_array().unwrap().iter().map(label).collect()
    }

    /// Clicks with the mouse on the middle of the element.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.of_session("POST", &format!("element/{element}/click"), &json!({}));
    }

    /// Replaces the content of a field.
    pub fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.of_session("POST", &format!("element/{element}/clear"), &json!({}));
        self.of_session("POST", &format!("element/{element}/value"), &json!({"text": text}));
    }

    /// Types on the keyboard, wherever the focus is.
    pub fn press(&self, key: &str) {
        let actions = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        let keyboard = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.of_session("POST", "actions", &keyboard);
    }

    /// A picture of the window, as a PNG in base64.
    #[must_use]
    pub fn screenshot(&self) -> String {
        self.of_session("GET", "screenshot", &json!({})).as_str().unwrap().to_owned()
    }

    /// The errors in the browser's console: exceptions, failed requests, and violations of the page's security policy.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        let log = self.of_session("POST", "se/log", &json!({"type": "browser"}));
        let errors = log.as_array().unwrap().iter().filter(|entry| entry["level"] == "SEVERE");
        errors.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// Keys by their WebDriver codes.
pub mod keys {
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const LEFT: &str = "\u{e012}";
    pub const RIGHT: &str = "\u{e014}";
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver then ends Chromium; it does not if it is killed. Both may have ended already.
        let _ = self.call("DELETE", &format!("/session/{}", self.session), &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
