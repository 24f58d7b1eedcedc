use super::*;
use crate::output::samples::seconds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn serve() -> (Server, watch::Sender<Snapshot>) {
    let (shown, snapshot) = watch::channel(Snapshot {
        title: "Hello".into(),
        ..Snapshot::default()
    });
    let any = "127.0.0.1:0".parse().unwrap();
    (Server::start(any, Site::new(snapshot)).await.unwrap(), shown)
}

/// Asks as an HTTP/1.0 client: the body ends with the connection.
async fn ask(server: &Server, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: banyan\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Head and body of an answer that ends.
async fn get(server: &Server, path: &str) -> (String, Vec<u8>) {
    let mut answer = Vec::new();
    ask(server, path).await.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head, answer[end + 4..].to_vec())
}

/// Lets the segmenter take what was played.
async fn segmented(server: &Server) {
    for _ in 0..10_000 {
        if server.site.hls.playlist().is_some() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("no segment");
}

#[tokio::test]
async fn the_page_stands_alone() {
    let (server, _shown) = serve().await;
    let (head, body) = get(&server, "/").await;
    let page = String::from_utf8(body).unwrap();
    assert!(
        head.starts_with("HTTP/1.0 200") && head.contains("text/html"),
        "{head}"
    );
    assert!(page.contains("/live.m3u8") && !page.contains("https://") && !page.contains("http://"));
}

#[tokio::test]
async fn the_status_is_the_snapshot() {
    let (server, shown) = serve().await;
    shown.send_modify(|snapshot| snapshot.tiers = 2);
    let (head, body) = get(&server, "/status.json").await;
    let status: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(head.contains("application/json"), "{head}");
    assert_eq!((&status["title"], &status["tiers"]), (&"Hello".into(), &2.into()));
    assert_eq!(status["phase"], "starting");
}

#[tokio::test]
async fn hls_has_a_playlist_whose_parts_are_served() {
    let (server, _shown) = serve().await;
    let (head, _) = get(&server, "/live.m3u8").await;
    assert!(head.starts_with("HTTP/1.0 503"), "{head}");
    seconds(3).for_each(|play| server.play(play));
    segmented(&server).await;
    let (head, body) = get(&server, "/live.m3u8").await;
    let playlist = String::from_utf8(body).unwrap();
    assert!(head.contains("application/vnd.apple.mpegurl"), "{head}");
    let init = playlist
        .split("URI=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let segment = playlist.lines().find(|line| line.ends_with(".m4s")).unwrap();
    let (head, body) = get(&server, &format!("/{init}")).await;
    assert!(
        head.contains("video/mp4; codecs=\"avc1.42c00a,mp4a.40.2\""),
        "{head}"
    );
    assert_eq!(&body[4..8], b"ftyp");
    let (_, body) = get(&server, &format!("/{segment}")).await;
    assert!(body.windows(4).any(|name| name == b"mdat"));
    let (head, _) = get(&server, "/segment-999.m4s").await;
    assert!(head.starts_with("HTTP/1.0 404"), "{head}");
}

/// Packets of a transport stream in the answer to `/stream.ts`.
fn ts_packets(answer: &[u8]) -> usize {
    let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let packets = answer[body..].chunks(188);
    assert!(packets.clone().all(|packet| packet[0] == 0x47), "out of step");
    packets.len()
}

#[tokio::test]
async fn every_client_gets_a_stream_of_its_own_until_the_end() {
    let (server, _shown) = serve().await;
    seconds(3).for_each(|play| server.play(play));
    let mut clients = [ask(&server, "/stream.ts").await, ask(&server, "/stream.ts").await];
    for client in &mut clients {
        // Its head has come, so it is a reader now.
        assert_eq!(client.read_u8().await.unwrap(), b'H');
    }
    server.play(crate::output::samples::frame(3 * 90_000, true));
    server.finish().await;
    for mut client in clients {
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        // 25 frames and as much sound since the newest keyframe of the first three seconds, each a packet at least.
        assert!(ts_packets(&answer) >= 50);
    }
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let (server, shown) = serve().await;
    let second = Server::start(server.address(), Site::new(shown.subscribe())).await;
    let error = second.err().unwrap();
    assert_eq!(error.exit_code(), 1);
    let text = error.to_string();
    assert!(
        text.contains(&server.address().to_string()) && text.contains("--http"),
        "{text}"
    );
}
