//! The listener: HTTP/1.1 on a thread of its own.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, LOCATION, WWW_AUTHENTICATE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tracing::{debug, info, warn};

use super::exchange::{Answer, Request};
use super::seats::{Seat, Seats};
use super::{Access, BODY_MAX, Rest, RestSettings, UNDER_WAY_MAX};
use crate::connect::herder::Herder;

/// How long a client may take for the head of a request, and for its body.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The running listener.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// When the address is not to be had, or when it is not loopback and everybody would be let in.
    pub fn start(settings: &RestSettings, herder: Arc<Herder>) -> io::Result<Server> {
        let address = settings.address;
        if matches!(settings.access, Access::Open) && !address.ip().is_loopback() {
            let message = format!(
                "{address} is reached from other machines, expected a token or a password beside it"
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let rest = Arc::new(Rest::new(herder, settings));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread =
            std::thread::Builder::new().name("connect-rest".to_owned()).spawn(move || {
                runtime.block_on(async {
                    match TcpListener::from_std(listener) {
                        Ok(listener) => tokio::select! {
                            () = accept(listener, rest) => {}
                            _ = stopped => {}
                        },
                        Err(error) => warn!(%error, "the REST interface has no listener"),
                    }
                });
            })?;
        info!(%address, "REST interface");
        Ok(Server { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, rest: Arc<Rest>) {
    let seats = Arc::new(Seats::default());
    let turns = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Such as too many open files: it passes.
                debug!(%error, "a connection to the REST interface was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (rest, turns, seat) = (Arc::clone(&rest), Arc::clone(&turns), seats.take());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&rest, &turns, &seat, request));
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                served = served => {
                    if let Err(error) = served {
                        debug!(%peer, %error, "a connection to the REST interface ended");
                    }
                }
                () = seat.needed() => {
                    debug!(%peer, "a connection to the REST interface made room for another");
                }
            }
        });
    }
}

async fn answer(
    rest: &Arc<Rest>,
    turns: &Semaphore,
    seat: &Seat,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    if let Err(refusal) = admit(rest, &request) {
        return Ok(response(refusal));
    }
    let Some(_busy) = seat.busy() else {
        let busy = Answer::error(503, "too many requests are under way, try again later");
        return Ok(response(busy));
    };
    Ok(response(match read(request).await {
        Err(refusal) => refusal,
        Ok(request) => {
            let _turn = turns.acquire().await;
            let rest = Arc::clone(rest);
            // A definition is synced to the disk, and Kafka may be asked: others go on meanwhile.
            let answered = tokio::task::spawn_blocking(move || rest.answer(&request)).await;
            answered.unwrap_or_else(|_| Answer::error(500, "the request could not be answered"))
        }
    }))
}

/// Whether a request shows what it has to show.
fn admit(rest: &Rest, request: &hyper::Request<Incoming>) -> Result<(), Answer> {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if rest.admits(shown) {
        return Ok(());
    }
    let mut answer = Answer::error(401, "User cannot access the resource.");
    answer.challenge = Some(rest.challenge());
    Err(answer)
}

async fn read(request: hyper::Request<Incoming>) -> Result<Request, Answer> {
    let header = |name: HeaderName| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let mut read = Request {
        method: request.method().as_str().to_owned(),
        content_type: header(CONTENT_TYPE),
        accept: header(ACCEPT),
        host: header(HOST),
        ..Request::default()
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    read = read.with_target(&target)?;
    let too_large = || {
        let message = format!("the body could not be read, or has more than {BODY_MAX} bytes");
        Answer::error(413, &message)
    };
    let body = request.into_body();
    if body.size_hint().lower() > BODY_MAX as u64 {
        return Err(too_large());
    }
    let body = Limited::new(body, BODY_MAX).collect();
    match tokio::time::timeout(PATIENCE, body).await {
        Ok(Ok(body)) => read.body = body.to_bytes().to_vec(),
        Ok(Err(_)) => return Err(too_large()),
        Err(_) => return Err(Answer::error(408, "the body did not come")),
    }
    Ok(read)
}

fn response(answer: Answer) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::builder().status(answer.status);
    if let Some(kind) = answer.content_type {
        response = response.header(CONTENT_TYPE, kind);
    }
    if let Some(location) = answer.location {
        response = response.header(LOCATION, location);
    }
    if let Some(challenge) = answer.challenge {
        response = response.header(WWW_AUTHENTICATE, challenge);
    }
    response.body(Full::new(Bytes::from(answer.body))).unwrap_or_else(|_| {
        let mut response = hyper::Response::new(Full::default());
        *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
