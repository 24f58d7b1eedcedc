use super::*;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A service that gives these answers, one a connection, and keeps what it was asked.
struct Service {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Service {
    async fn new(answers: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, heard) = (answers.into_iter().collect::<Vec<_>>(), asked.clone());
        let task = tokio::spawn(async move {
            let mut open = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut text = Vec::new();
                while !text.ends_with(b"\r\n\r\n") {
                    stream.read_buf(&mut text).await.unwrap();
                }
                heard.lock().unwrap().push(String::from_utf8(text).unwrap());
                // Whoever has read enough closes.
                let _ = stream.write_all(answer.as_bytes()).await;
                if answer.contains("Content-Length") {
                    // This one doesn't close when asked to.
                    open.push(stream);
                }
            }
            std::future::pending::<()>().await;
        });
        Self { address, asked, task }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn until_closed(body: &str) -> String {
    format!("HTTP/1.0 200 OK\r\nServer: x\r\n\r\n{body}")
}

#[tokio::test]
async fn the_token_opens_the_user_data() {
    for answers in [
        [answer("200 OK", "TOKEN=="), answer("200 OK", "{}")],
        [until_closed("TOKEN=="), until_closed("{}")],
    ] {
        let service = Service::new(answers).await;
        assert_eq!(ask(service.address).await.unwrap(), b"{}");
        let asked = service.asked();
        assert!(asked[0].starts_with("PUT /latest/api/token HTTP/1.1\r\n"));
        assert!(asked[0].contains("X-aws-ec2-metadata-token-ttl-seconds: 60\r\n"));
        assert!(asked[1].starts_with("GET /latest/user-data HTTP/1.1\r\n"));
        assert!(asked[1].contains("X-aws-ec2-metadata-token: TOKEN==\r\n"));
    }
}

#[tokio::test]
async fn what_is_too_long_is_refused_however_it_comes() {
    let body = "x".repeat(BOOT_DATA_MAX + 1);
    for long in [
        answer("200 OK", &body),
        until_closed(&body),
        until_closed(&body.repeat(9)),
    ] {
        let service = Service::new([answer("200 OK", "t"), long]).await;
        assert!(matches!(ask(service.address).await, Err(Unanswered::TooLong)));
    }
    let most = "x".repeat(BOOT_DATA_MAX);
    for fits in [answer("200 OK", &most), until_closed(&most)] {
        let service = Service::new([answer("200 OK", "t"), fits]).await;
        assert_eq!(ask(service.address).await.unwrap().len(), BOOT_DATA_MAX);
    }
}

#[tokio::test]
async fn a_machine_without_user_data_is_told_so_and_not_asked_again() {
    let service = Service::new([answer("200 OK", "t"), answer("404 Not Found", "none")]).await;
    let unanswered = ask_until_answered(service.address).await.unwrap_err();
    let sentence = unanswered.to_string();
    assert!(
        sentence.contains("404") && sentence.contains("user data"),
        "{sentence}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_up_yet_is_asked_again() {
    let answers = [
        answer("503 Later", ""),
        answer("200 OK", "t"),
        answer("500 Later", ""),
        answer("200 OK", "t"),
        answer("200 OK", "{}"),
    ];
    let service = Service::new(answers).await;
    assert_eq!(ask_until_answered(service.address).await.unwrap(), b"{}");
    assert_eq!(service.asked().len(), 5);
}

#[tokio::test]
async fn what_is_no_answer_is_none() {
    for odd in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n\r\n",
        "HTTP/1.1 many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "",
    ] {
        let service = Service::new([odd.to_owned()]).await;
        let unanswered = ask(service.address).await.unwrap_err();
        assert!(
            matches!(unanswered, Unanswered::Silent { .. }),
            "{odd}: {unanswered}"
        );
    }
    let split = Service::new([answer("200 OK", "t\r\nX-Evil: 1")]).await;
    assert!(matches!(ask(split.address).await, Err(Unanswered::Silent { .. })));
}

#[test]
fn the_address_is_an_address() {
    assert_eq!(
        parse_address("http://127.0.0.1:80/"),
        Some("127.0.0.1:80".parse().unwrap())
    );
    assert_eq!(
        parse_address("http://127.0.0.1:8080"),
        Some("127.0.0.1:8080".parse().unwrap())
    );
    for other in [
        "",
        "127.0.0.1:80",
        "https://127.0.0.1:80",
        "http://localhost",
        "http://1.2.3.4",
    ] {
        assert_eq!(parse_address(other), None, "{other}");
    }
}
