//! Kinesis reduced to two operations: a stream that throttles the records of some partition keys whenever they are put.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

/// Serves until the test's process ends; returns its URL.
pub fn throttling(throttles: fn(&str) -> bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let connection = connection.unwrap();
            std::thread::spawn(move || serve(&connection, throttles));
        }
    });
    url
}

/// Answers requests until the client closes the connection.
fn serve(connection: &TcpStream, throttles: fn(&str) -> bool) {
    let mut requests = BufReader::new(connection);
    while let Some((operation, body)) = request(&mut requests) {
        let answer = if operation == "PutRecords" { put(&body, throttles) } else { summary() }.to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
        (&mut &*connection).write_all([head, answer].concat().as_bytes()).unwrap();
    }
}

/// The next request's operation and body.
fn request(requests: &mut impl BufRead) -> Option<(String, Value)> {
    let (mut operation, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("x-amz-target") => {
                value.rsplit('.').next().unwrap().clone_into(&mut operation);
            }
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    requests.read_exact(&mut body).ok()?;
    Some((operation, serde_json::from_slice(&body).unwrap()))
}

fn put(body: &Value, throttles: fn(&str) -> bool) -> Value {
    let results = body["Records"].as_array().unwrap().iter().map(|record| {
        if throttles(record["PartitionKey"].as_str().unwrap()) {
            json!({ "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded" })
        } else {
            json!({ "SequenceNumber": "1", "ShardId": "shardId-000000000000" })
        }
    });
    let results: Vec<_> = results.collect();
    let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
    json!({ "FailedRecordCount": failed, "Records": results })
}

fn summary() -> Value {
    json!({ "StreamDescriptionSummary": {
        "StreamName": "clicks", "StreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
        "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24, "StreamCreationTimestamp": 1_721_390_000,
        "EnhancedMonitoring": [], "OpenShardCount": 1
    } })
}
