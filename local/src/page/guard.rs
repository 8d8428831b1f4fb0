//! Lets only the page itself call its server.
//!
//! Any site that the same browser visits can send requests to a loopback port, and a name that resolves to 127.0.0.1
//! makes them requests of that site's own origin (DNS rebinding). So the `Host` must be one that only the page has, and
//! a request that names its origin, as every POST and every event source of another site does, must name the page's.

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Headers of every response. The page may load what its own server sends, and nothing else.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store")),
];

/// Passes on a request of the page on this port, and adds [`HEADERS`] to the response.
pub(crate) async fn guard(State(port): State<u16>, request: Request, next: Next) -> Response {
    let mut response = match fault(request.method(), request.headers(), port) {
        Some(fault) => (StatusCode::FORBIDDEN, fault).into_response(),
        None => next.run(request).await,
    };
    response.headers_mut().extend(HEADERS);
    response
}

/// Why the request is not one of the page on `port`.
fn fault(method: &Method, headers: &HeaderMap, port: u16) -> Option<&'static str> {
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let text = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        let first = values.next().map(|value| value.to_str().unwrap_or_default());
        (first, values.next().is_some())
    };
    let (Some(host), false) = text(HOST) else { return Some("the request needs one Host header") };
    if !hosts.iter().any(|known| known == host) {
        return Some("the Host header is not that of this page");
    }
    let (origin, repeated) = text(ORIGIN);
    if repeated || origin.is_some_and(|origin| origin.strip_prefix("http://") != Some(host)) {
        return Some("the Origin header is not that of this page");
    }
    if *method == Method::POST {
        if origin.is_none() {
            return Some("a POST needs an Origin header");
        }
        if text(CONTENT_TYPE) != (Some("application/json"), false) {
            return Some("the Content-Type of a POST must be application/json");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: u16 = 4711;

    fn is_allowed(method: Method, headers: &[(HeaderName, &'static str)]) -> bool {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        fault(&method, &map, PORT).is_none()
    }

    #[test]
    fn only_a_host_that_means_this_machine_and_this_port_is_allowed() {
        for host in ["127.0.0.1:4711", "localhost:4711"] {
            assert!(is_allowed(Method::GET, &[(HOST, host)]), "{host}");
        }
        for host in ["rebound.example:4711", "127.0.0.1", "127.0.0.1:80", "localhost", "localhost:4711.example", ""] {
            assert!(!is_allowed(Method::GET, &[(HOST, host)]), "{host}");
        }
        assert!(!is_allowed(Method::GET, &[]));
        assert!(!is_allowed(Method::GET, &[(HOST, "localhost:4711"), (HOST, "rebound.example")]));
    }

    #[test]
    fn another_origin_can_neither_read_nor_post() {
        let host = (HOST, "127.0.0.1:4711");
        let own = (ORIGIN, "http://127.0.0.1:4711");
        let json = (CONTENT_TYPE, "application/json");
        assert!(is_allowed(Method::GET, &[host.clone(), own.clone()]));
        assert!(is_allowed(Method::POST, &[host.clone(), own.clone(), json.clone()]));
        let others = ["http://localhost:4711", "https://127.0.0.1:4711", "http://evil.example", "null", ""];
        for origin in others.map(|origin| (ORIGIN, origin)) {
            assert!(!is_allowed(Method::GET, &[host.clone(), origin.clone()]), "{origin:?}");
            assert!(!is_allowed(Method::POST, &[host.clone(), origin.clone(), json.clone()]), "{origin:?}");
            assert!(!is_allowed(Method::POST, &[host.clone(), own.clone(), origin, json.clone()]));
        }
    }

    #[test]
    fn a_post_needs_an_origin_and_a_type_that_forms_cannot_send() {
        let (host, own) = ((HOST, "localhost:4711"), (ORIGIN, "http://localhost:4711"));
        let json = (CONTENT_TYPE, "application/json");
        assert!(is_allowed(Method::POST, &[host.clone(), own.clone(), json.clone()]));
        assert!(!is_allowed(Method::POST, &[host.clone(), json]));
        assert!(!is_allowed(Method::POST, &[host.clone(), own.clone()]));
        assert!(!is_allowed(Method::POST, &[host, own, (CONTENT_TYPE, "text/plain")]));
    }
}
