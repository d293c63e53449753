//! The rules of the page's server: which requests are answered, and the heads of the answers.
//!
//! Any page that the browser has open may send requests to a port of this machine, and a name of
//! DNS may point to it. So a request needs the exact `Host`, no other `Origin`, and for all but
//! the page itself the secret token in a header, which no other page can know or send.

use std::fmt::Write;

/// The longest head of a request.
pub(crate) const HEAD_MAX: usize = 16 * 1024;

/// What the server knows of itself.
pub(crate) struct Site {
    /// `127.0.0.1:PORT` or `[::1]:PORT`.
    pub(crate) host: String,
    pub(crate) token: String,
}

/// What a request is answered with.
#[derive(Debug, PartialEq)]
pub(crate) enum Route {
    Page,
    /// A command for the program.
    Command(String),
    /// A status and its sentence.
    Refused(u16, &'static str),
}

/// Decides about a request by its head, which ends before the empty line.
pub(crate) fn route(site: &Site, head: &str) -> Route {
    let mut lines = head.split("\r\n");
    let request = lines.next().unwrap_or("");
    let Some((method, path)) = request.strip_suffix(" HTTP/1.1").and_then(|it| it.split_once(' '))
    else {
        return Route::Refused(400, "Bad Request");
    };
    let mut headers = Vec::new();
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) if is_name(name) => {
                headers.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t'])));
            }
            _ => return Route::Refused(400, "Bad Request"),
        }
    }
    let values = |name: &str| -> Vec<&str> {
        headers.iter().filter(|(key, _)| key == name).map(|(_, value)| *value).collect()
    };
    if values("host") != [site.host.as_str()] {
        return Route::Refused(421, "Misdirected Request");
    }
    let origin = format!("http://{}", site.host);
    let is_own = |value: &&str| *value == origin;
    let is_near = |value: &&str| matches!(*value, "same-origin" | "none");
    if !values("origin").iter().all(is_own) || !values("sec-fetch-site").iter().all(is_near) {
        return Route::Refused(403, "Forbidden");
    }
    if method != "GET" {
        return Route::Refused(405, "Method Not Allowed");
    }
    let has_body = values("content-length").iter().any(|value| *value != "0");
    if has_body || !values("transfer-encoding").is_empty() {
        return Route::Refused(413, "Content Too Large");
    }
    if path == "/" {
        return Route::Page;
    }
    let Some(command) = path.strip_prefix("/api/").and_then(command) else {
        return Route::Refused(404, "Not Found");
    };
    match values("x-evloop-token")[..] {
        [token] if is_equal(token, &site.token) => Route::Command(command),
        _ => Route::Refused(401, "Unauthorized"),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Returns the command that a path names: those that only look. The server itself answers `peers`.
fn command(path: &str) -> Option<String> {
    if let "status" | "loops" | "tasks" | "timers" | "sources" | "peers" = path {
        return Some(path.to_owned());
    }
    let (name @ ("sample" | "polls"), ms) = path.split_once('/')? else { return None };
    let ms: u32 = ms.parse().ok()?;
    (1..=5000).contains(&ms).then(|| format!("{name} {ms}"))
}

/// Compares in a time that does not depend on where the texts differ.
fn is_equal(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differences == 0
}

/// Returns the head of an answer. The connection ends with the answer, so it has no length.
pub(crate) fn head(status: u16, reason: &str, content_type: &str, policy: &str) -> String {
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
    let headers = [
        ("Content-Type", content_type),
        ("Content-Security-Policy", policy),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Connection", "close"),
    ];
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head + "\r\n"
}

/// The policy of all answers but the page: nothing is loaded, nothing runs.
pub(crate) const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// Returns the policy of the page: its own script and style, by this nonce, and its own server.
pub(crate) fn page_policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(text: &str) -> Route {
        let site = Site { host: "127.0.0.1:80".into(), token: "secret".into() };
        route(&site, &text.replace('\n', "\r\n"))
    }

    fn status(text: &str) -> u16 {
        match routed(text) {
            Route::Refused(status, _) => status,
            _ => 200,
        }
    }

    #[test]
    fn the_page_needs_the_host_and_commands_the_token() {
        assert_eq!(routed("GET / HTTP/1.1\nHost: 127.0.0.1:80"), Route::Page);
        let with = "HTTP/1.1\nHost: 127.0.0.1:80\nx-evloop-token: secret";
        assert_eq!(routed(&format!("GET /api/tasks {with}")), Route::Command("tasks".into()));
        assert_eq!(
            routed(&format!("GET /api/sample/1000 {with}")),
            Route::Command("sample 1000".into())
        );
        assert_eq!(
            routed(&format!("GET /api/polls/500 {with}")),
            Route::Command("polls 500".into())
        );
        for path in [
            "/api/tasks?token=secret",
            "/api/trace",
            "/api/sample/0",
            "/api/sample/9999",
            "/api/sample/1%0a",
            "/api/polls/0",
            "/api/status/1",
            "/x",
            "//",
            "/api/tasks 1",
            "http://127.0.0.1:80/",
        ] {
            assert_eq!(status(&format!("GET {path} {with}")), 404, "{path}");
        }
        for token in [
            "",
            "x-evloop-token: secre",
            "x-evloop-token: secrets",
            "x-evloop-token: \n\
            x-evloop-token: secret",
            "Authorization: secret",
        ] {
            let head = format!("GET /api/tasks HTTP/1.1\nHost: 127.0.0.1:80\n{token}");
            assert_eq!(status(head.trim_end()), 401, "{token}");
        }
    }

    #[test]
    fn other_hosts_and_origins_are_refused() {
        for host in [
            "",
            "Host: localhost:80",
            "Host: 127.0.0.1",
            "Host: 127.0.0.1:81",
            "Host: evil.example:80",
            "Host: 127.0.0.1:80\nHost: 127.0.0.1:80",
            "Host: 127.1:80",
        ] {
            assert_eq!(status(format!("GET / HTTP/1.1\n{host}").trim_end()), 421, "{host}");
        }
        let from = |line: &str| status(&format!("GET / HTTP/1.1\nHost: 127.0.0.1:80\n{line}"));
        assert_eq!(from("Origin: http://127.0.0.1:80"), 200);
        assert_eq!(from("Sec-Fetch-Site: none"), 200);
        for line in [
            "Origin: null",
            "Origin: http://localhost:80",
            "Origin: https://127.0.0.1:80",
            "Origin: http://127.0.0.1:80\nOrigin: http://a.b",
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
        ] {
            assert_eq!(from(line), 403, "{line}");
        }
    }

    #[test]
    fn rubbish_and_other_methods_are_refused() {
        for text in [
            "",
            "\n",
            "GET /",
            "GET / HTTP/1.0",
            "GET / HTTP/1.1\n a: b",
            "GET / HTTP/1.1\nHost : 127.0.0.1:80",
            "GET / HTTP/1.1\nnothing",
        ] {
            assert_eq!(status(text), 400, "{text}");
        }
        let host = "HTTP/1.1\nHost: 127.0.0.1:80";
        for method in ["POST", "HEAD", "OPTIONS", "get"] {
            assert_eq!(status(&format!("{method} / {host}")), 405, "{method}");
        }
        assert_eq!(status(&format!("GET / {host}\nContent-Length: 5")), 413);
        assert_eq!(status(&format!("GET / {host}\nTransfer-Encoding: chunked")), 413);
    }
}
