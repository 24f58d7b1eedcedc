//! What is spent on finding out how large datagrams may be.

use crate::{Config, Endpoint, identity, tls};
use quinn::PathStats;

/// Acknowledged one after the other: by then discovery is over. Fewer than a link may have streams, for nobody reads them.
const EXCHANGES: usize = 10;

fn endpoint(feeds: bool, coordinator: Option<&Endpoint>) -> Endpoint {
    let config = Config {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        coordinator: coordinator.map(Endpoint::id),
        feeds,
        ..Config::default()
    };
    Endpoint::bind(&identity::generate(), config).unwrap()
}

/// What `dialler` has sent on a link to `acceptor`, once something was said.
async fn after_some_words(dialler: &Endpoint, acceptor: &Endpoint) -> PathStats {
    let config = dialler.client(Some(acceptor.id()));
    let connecting = dialler
        .transport()
        .connect_with(config, acceptor.local(), tls::SERVER_NAME);
    let accept = async { acceptor.transport().accept().await.unwrap().await.unwrap() };
    let (ours, _theirs) = tokio::join!(connecting.unwrap(), accept);
    let ours = ours.unwrap();
    for _ in 0..EXCHANGES {
        let mut stream = ours.open_uni().await.unwrap();
        stream.write_all(&[1]).await.unwrap();
        stream.finish().unwrap();
        // Resolves when all is acknowledged, or the reader gives up.
        stream.stopped().await.unwrap();
        if ours.stats().path.current_mtu > 1200 {
            break;
        }
    }
    ours.stats().path
}

#[tokio::test]
async fn one_probe_finds_what_most_paths_bear() {
    let acceptor = endpoint(true, None);
    let path = after_some_words(&endpoint(true, None), &acceptor).await;
    assert_eq!((path.sent_plpmtud_probes, path.current_mtu), (1, 1452));
}

#[tokio::test]
async fn none_is_sent_where_no_chunk_follows() {
    let acceptor = endpoint(true, None);
    for dialler in [endpoint(false, None), endpoint(true, Some(&acceptor))] {
        let path = after_some_words(&dialler, &acceptor).await;
        assert_eq!((path.sent_plpmtud_probes, path.current_mtu), (0, 1200));
    }
}
