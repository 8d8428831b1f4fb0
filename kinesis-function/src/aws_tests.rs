//! The client configuration, its faults, and the lifetime of idle connections.
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const LAMBDA: [(&str, &str); 5] = [
    ("AWS_REGION", "eu-central-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "id"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
    ("AWS_SESSION_TOKEN", "token"),
];

fn config(pairs: &[(&str, &str)]) -> Result<SdkConfig, ConfigError> {
    let pairs = LAMBDA.iter().chain(pairs);
    sdk_config(pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// The faults of an invalid configuration.
fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
    config(pairs).unwrap_err().faults().to_vec()
}

fn endpoint(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    config.service_config().unwrap().load_config(key.unwrap())
}

#[test]
fn endpoint_of_a_service_takes_precedence_over_the_common_one() {
    let both = config(&[("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_KINESIS", "http://one")]).unwrap();
    assert_eq!(endpoint(&both, "Kinesis").as_deref(), Some("http://one"));
    assert_eq!(endpoint(&both, "DynamoDB").as_deref(), Some("http://all"));
    assert_eq!(
        endpoint(&config(&[("AWS_ENDPOINT_URL", "")]).unwrap(), "DynamoDB"),
        None,
        "an empty value counts as missing"
    );
}

#[test]
fn malformed_endpoint_is_named_before_any_call() {
    for wrong in ["localhost:8000", "127.0.0.1", "ftp://host", "http://", "http://a b", "/path"] {
        let expected = format!("AWS_ENDPOINT_URL_KINESIS is {wrong:?}, expected a URL such as http://127.0.0.1:8000");
        assert_eq!(faults(&[("AWS_ENDPOINT_URL_KINESIS", wrong)]), [expected]);
    }
}

#[test]
fn region_and_credentials_come_from_the_variables_that_lambda_sets() {
    let lambda = config(&[]).unwrap();
    assert_eq!(lambda.region().unwrap().as_ref(), "eu-central-1");
    assert!(lambda.credentials_provider().is_some());
    let names = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let none = sdk_config([]).unwrap_err();
    assert_eq!(none.faults(), names.map(|name| format!("{name} is missing")));
}

#[test]
fn calls_are_attempted_once_within_bounded_time() {
    let config = config(&[]).unwrap();
    assert_eq!(config.retry_config().unwrap().max_attempts(), 1);
    assert_eq!(config.timeout_config().unwrap().connect_timeout(), Some(Duration::from_secs(3)));
    assert_eq!(config.timeout_config().unwrap().operation_attempt_timeout(), Some(Duration::from_secs(5)));
    assert_eq!(with_sdk_retries(&config).retry_config().unwrap().max_attempts(), 3);
}

#[test]
fn unusable_root_certificates_are_a_fault_and_never_replaced_by_others() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("roots.pem");
    let shown = path.to_str().unwrap();
    let missing = faults(&[("SSL_CERT_FILE", shown)]);
    assert!(missing[0].starts_with(&format!("SSL_CERT_FILE is {shown:?}, which cannot be read: ")), "{missing:?}");

    std::fs::File::create(&path).unwrap().write_all(b"no certificate").unwrap();
    let empty = faults(&[("SSL_CERT_FILE", shown)]);
    assert_eq!(empty, [format!("SSL_CERT_FILE is {shown:?}, which contains no usable PEM certificate")]);

    std::fs::write(&path, AMAZON_ROOTS).unwrap();
    assert!(config(&[("SSL_CERT_FILE", shown)]).is_ok());
}

/// An unparsable certificate panics in this test instead of in production.
#[tokio::test]
async fn built_in_roots_can_be_parsed() {
    // Nothing listens on that port, so the call fails, but only after its TLS client has been built.
    let config = config(&[("AWS_ENDPOINT_URL", "https://127.0.0.1:1")]).unwrap();
    assert!(aws_sdk_dynamodb::Client::new(&config).list_tables().send().await.is_err());
    let text = std::str::from_utf8(AMAZON_ROOTS).unwrap();
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 5);
}

/// Starts a service that keeps connections open and counts them.
fn counting_service() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || answer_all(connection.unwrap()));
        }
    });
    (url, connections)
}

/// Answers each request whose body is an empty object.
fn answer_all(mut connection: TcpStream) {
    let mut received = Vec::new();
    let mut buffer = [0; 4_096];
    while let Ok(1..) = connection.read(&mut buffer).inspect(|count| received.extend_from_slice(&buffer[..*count])) {
        if received.ends_with(b"\r\n\r\n{}") {
            received.clear();
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        }
    }
}

/// A frozen environment must not wake up with connections that the service has closed meanwhile.
#[tokio::test]
async fn connections_idle_for_too_long_are_not_reused() {
    let (url, connections) = counting_service();
    let client = aws_sdk_dynamodb::Client::new(&config(&[("AWS_ENDPOINT_URL", &url)]).unwrap());
    let seen_after_idling_for = async |seconds| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        client.list_tables().send().await.unwrap();
        connections.load(Ordering::SeqCst)
    };
    assert_eq!(seen_after_idling_for(0).await, 1);
    assert_eq!(seen_after_idling_for(18).await, 1);
    assert_eq!(seen_after_idling_for(22).await, 2);
}
