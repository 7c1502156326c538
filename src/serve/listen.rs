//! Connections, with limits: whoever sends nothing holds nobody up.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How long the head of a request may take; also how long a connection is kept on which nothing is asked.
const HEAD: Duration = Duration::from_secs(10);

/// How many connections there are at once.
const CONNECTIONS: usize = 1024;

/// How long requests that are being answered may take once it is to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// How long it waits where no connection can be taken, for lack of file descriptors for one.
const BREATH: Duration = Duration::from_millis(100);

/// Answers on a socket until `stop` is there, and then what is being answered.
pub async fn listen(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let (graceful, room) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // Whoever sent what is no request has been told so, or has gone.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(STOPS_WITHIN, graceful.shutdown()).await;
}
