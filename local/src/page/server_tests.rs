use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local_aws::{LocalAws, LocalAwsOptions, Template};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::page::history::Kind;

/// Anything that takes longer than this is considered stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// Long enough for an answer, if there is one.
const A_MOMENT: Duration = Duration::from_millis(300);

const STREAM: &str = "click-stream";

/// A served page, whose clicks reach a stream without readers.
struct Site {
    aws: LocalAws,
    feed: Arc<Feed>,
    port: u16,
    client: Client<HttpConnector, Full<Bytes>>,
    serving: tokio::task::JoinHandle<Infallible>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Site {
    async fn new() -> Self {
        let aws = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
        let template = Template::of_this_project_with(&Default::default()).unwrap();
        aws.create_resources(&template, Some(1)).await.unwrap();
        let listener = listen().await.unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback());
        let feed = Arc::new(Feed::default());
        let settings =
            Settings { gap_ms: 10_000, cut_offset_ms: Some(-3_600_000), grace_ms: 5_000, takes_clicks: true };
        let app = app(address.port(), settings, Arc::clone(&feed), Clicks::new(aws.kinesis(), STREAM.to_owned()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { aws, feed, port: address.port(), client, serving: tokio::spawn(serve(listener, app)) }
    }

    async fn send(&self, request: http::request::Builder, body: &str) -> (StatusCode, HeaderMap, String) {
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let answer = timeout(PATIENCE, self.client.request(request)).await.unwrap().unwrap();
        let (head, body) = answer.into_parts();
        let body = timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        http::Request::builder().method(method).uri(format!("http://127.0.0.1:{}{path}", self.port))
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, String) {
        self.send(self.request("GET", path), "").await
    }

    /// Posts as the page does.
    async fn post(&self, path: &str, body: &str) -> (StatusCode, String) {
        let origin = format!("http://127.0.0.1:{}", self.port);
        let request = self.request("POST", path).header("Origin", origin).header("Content-Type", "application/json");
        let (status, _, body) = self.send(request, body).await;
        (status, body)
    }

    /// What has been put into the stream.
    async fn records(&self) -> Vec<String> {
        let records = crate::export::records(&self.aws.kinesis(), STREAM).await.unwrap();
        records.into_iter().map(|(_, record)| String::from_utf8(record.data.into_inner()).unwrap()).collect()
    }

    async fn events(&self, seen: Option<&str>) -> Events {
        let request = self.request("GET", "/events");
        let request = seen.into_iter().fold(request, |request, seen| request.header("Last-Event-ID", seen));
        let answer = self.client.request(request.body(Full::default()).unwrap()).await.unwrap();
        Events { status: answer.status(), body: answer.into_body(), text: String::new() }
    }
}

/// An open stream of events.
struct Events {
    status: StatusCode,
    body: hyper::body::Incoming,
    text: String,
}

impl Events {
    /// The text from the last event that was returned to the next one of this kind.
    async fn until(&mut self, kind: &str) -> String {
        let line = format!("event: {kind}\n");
        loop {
            if let Some(start) = self.text.find(&line)
                && let Some(end) = self.text[start..].find("\n\n")
            {
                return self.text.drain(..start + end + 2).collect();
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.unwrap().unwrap().unwrap();
            self.text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }
}

#[tokio::test]
async fn every_file_of_the_page_is_served_and_names_nothing_elsewhere() {
    let site = Site::new().await;
    for (path, content_type, content) in FILES {
        let (status, headers, body) = site.get(path).await;
        assert_eq!(
            (status, &headers[CONTENT_TYPE], body.as_str()),
            (StatusCode::OK, &content_type.parse().unwrap(), content)
        );
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        let without_namespace = content.replace(r#"xmlns="http://www.w3.org/2000/svg""#, "");
        for elsewhere in ["//cdn", "http:", "https:", "@import", "@font-face", "url(", "data:"] {
            assert!(!without_namespace.contains(elsewhere), "{path} contains {elsewhere}");
        }
        // What a file loads is among the files.
        for (_, rest) in ["src=\"", "href=\"", "from '."]
            .iter()
            .flat_map(|start| content.match_indices(start).map(move |(at, _)| (start, &content[at + start.len()..])))
        {
            let named = rest.split(['"', '\'']).next().unwrap();
            assert!(FILES.iter().any(|(known, ..)| *known == named), "{path} loads {named}");
        }
    }
    assert_eq!(
        site.get("/settings").await.2,
        r#"{"gap_ms":10000,"cut_offset_ms":-3600000,"grace_ms":5000,"takes_clicks":true}"#
    );
    assert_eq!(site.get("/../Cargo.toml").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn another_site_can_neither_read_nor_put_anything() {
    let site = Site::new().await;
    let click = r#"{"user":"a","late_ms":0}"#;
    let rebound = site.request("GET", "/events").header("Host", format!("rebound.example:{}", site.port));
    let (status, headers, body) = site.send(rebound, "").await;
    assert_eq!((status, body.as_str()), (StatusCode::FORBIDDEN, "the Host header is not that of this page"));
    assert!(headers.contains_key("content-security-policy"));
    for origin in ["http://evil.example", "null"] {
        let post = site.request("POST", "/click").header("Origin", origin).header("Content-Type", "application/json");
        assert_eq!(site.send(post, click).await.0, StatusCode::FORBIDDEN, "{origin}");
    }
    assert_eq!(site.send(site.request("POST", "/click"), click).await.0, StatusCode::FORBIDDEN);
    assert_eq!(site.records().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_click_is_put_at_its_time_and_a_broken_record_as_it_was_asked_for() {
    let site = Site::new().await;
    let began_ms = unix_ms();
    assert_eq!(site.post("/click", r#"{"user":"a\"b","late_ms":0}"#).await, (StatusCode::NO_CONTENT, String::new()));
    assert_eq!(site.post("/click", r#"{"user":"a\"b","late_ms":15000}"#).await.0, StatusCode::NO_CONTENT);
    assert_eq!(site.post("/broken", r#"{"user":"a","fault":"no_user"}"#).await.0, StatusCode::NO_CONTENT);
    let records = site.records().await;
    let times = records[..2].iter().map(|record| {
        let click: serde_json::Value = serde_json::from_str(record).unwrap();
        assert_eq!(click["user_id"], "a\"b");
        click["event_timestamp"].as_str().unwrap().parse::<u64>().unwrap()
    });
    let times: Vec<_> = times.collect();
    assert!(times[0] >= began_ms && times[0] <= unix_ms(), "{times:?} from {began_ms}");
    assert!(times[1] + 15_000 >= times[0] && times[1] < began_ms, "{times:?} from {began_ms}");
    assert!(!records[2].contains("user_id"), "{}", records[2]);
}

#[tokio::test]
async fn invalid_input_is_refused_with_field_value_and_limit() {
    let site = Site::new().await;
    let long = "é".repeat(257);
    let longest = format!(r#"{{"user":"{}","late_ms":0}}"#, "\\ud83d\\ude00".repeat(256));
    let cases = [
        ("/click", r#"{"user":"","late_ms":0}"#.to_owned(), "user is empty, expected 1 to 256 characters"),
        (
            "/click",
            format!(r#"{{"user":"{long}","late_ms":0}}"#),
            "user has 257 characters, more than the limit of 256",
        ),
        (
            "/click",
            r#"{"user":"a","late_ms":86400001}"#.to_owned(),
            "late_ms is 86400001, more than the limit of 86400000",
        ),
        ("/click", r#"{"user":"a","late_ms":-1}"#.to_owned(), "the body is invalid: invalid value: integer `-1`"),
        ("/click", r#"{"user":"a"}"#.to_owned(), "the body is invalid: missing field `late_ms`"),
        ("/click", r#"{"user":"a","late_ms":0,"more":1}"#.to_owned(), "the body is invalid: unknown field `more`"),
        ("/click", "user=a".to_owned(), "the body is invalid: expected value"),
        ("/broken", r#"{"user":"a","fault":"all"}"#.to_owned(), "the body is invalid: unknown variant `all`"),
        ("/shop", r#"{"open":1}"#.to_owned(), "the body is invalid: invalid type: integer `1`"),
    ];
    for (path, body, expected) in cases {
        let (status, fault) = site.post(path, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(fault.starts_with(expected), "{body}: {fault}");
    }
    assert_eq!(site.records().await, Vec::<String>::new());
    assert_eq!(site.post("/click", &longest).await, (StatusCode::NO_CONTENT, String::new()));
    let too_large = format!(r#"{{"user":"a","late_ms":0{}}}"#, " ".repeat(MAX_BODY_BYTES));
    assert_eq!(site.post("/click", &too_large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_browser_gets_the_history_and_a_reconnected_one_only_what_it_missed() {
    let site = Site::new().await;
    let push = |text: &str| site.feed.update(|shown| shown.history.push(Kind::Boundary, text.to_owned()));
    push("one");
    let mut first = site.events(None).await;
    let history = first.until("boundary").await;
    assert!(history.starts_with("event: start-over\ndata: {}\n\n"), "{history}");
    assert!(history.contains("data: one"), "{history}");
    let counters = first.until("counters").await;
    assert!(counters.contains(r#""clicks":0"#), "{counters}");
    push("two");
    let two = first.until("boundary").await;
    let id = two.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    drop(first);
    push("three");
    let mut second = site.events(Some(&id)).await;
    let missed = second.until("boundary").await;
    assert!(missed.contains("data: three") && !missed.contains("start-over") && !missed.contains("two"), "{missed}");
    for unknown in ["", "1-1", "what"] {
        let all = site.events(Some(unknown)).await.until("counters").await;
        assert!(all.starts_with("event: start-over") && all.contains("one") && all.contains("three"), "{all}");
    }
}

#[tokio::test]
async fn browsers_and_connections_are_bounded() {
    let site = Site::new().await;
    let mut viewers = Vec::new();
    for _ in 0..MAX_VIEWERS {
        let mut events = site.events(None).await;
        events.until("counters").await;
        viewers.push(events);
    }
    let refused = site.events(None).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    drop((refused, viewers.pop()));
    while site.feed.viewers() == MAX_VIEWERS {
        // The server notices the end of a connection when it writes to it.
        site.feed.update(|shown| shown.counters.clicks += 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(site.events(None).await.status, StatusCode::OK);
    drop(viewers);

    // Connections that say nothing take all the room until one of them is closed.
    let site = Site::new().await;
    let connect = async || TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        idle.push(connect().await);
    }
    let mut next = connect().await;
    let request = format!("GET /settings HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", site.port);
    next.write_all(request.as_bytes()).await.unwrap();
    let mut byte = [0];
    assert!(timeout(A_MOMENT, next.read(&mut byte)).await.is_err(), "there is no room");
    idle.pop();
    assert_eq!(timeout(PATIENCE, next.read(&mut byte)).await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn demo_users_start_with_the_button_and_stop_when_nobody_watches() {
    let site = Site::new().await;
    let clicks = Clicks::new(site.aws.kinesis(), STREAM.to_owned());
    let feed = Arc::clone(&site.feed);
    let clicking = tokio::spawn(async move { crate::page::shoppers::click(&clicks, &feed, 1_000).await });
    tokio::time::sleep(A_MOMENT).await;
    assert_eq!(site.records().await.len(), 0, "nobody has started them");
    let mut events = site.events(None).await;
    events.until("counters").await;
    assert_eq!(site.post("/shop", r#"{"open":true}"#).await.0, StatusCode::NO_CONTENT);
    assert!(events.until("counters").await.contains(r#""producing":true"#));
    let count = async || site.records().await.len();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while count().await < 5 {
        assert!(tokio::time::Instant::now() < deadline, "the demo users do not click");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(events);
    while site.feed.lock().counters.producing {
        site.feed.changes.send_replace(());
        assert!(tokio::time::Instant::now() < deadline, "the demo users click although nobody watches");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let stopped = count().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(count().await, stopped);
    clicking.abort();
}
