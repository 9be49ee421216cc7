//! HTTP/1.1 between a client and the server, as far as these two use it: every body has a
//! length. The client's connection is kept; each request gets a new one to the server.

use super::{Exchange, Fault, Orders, Shared};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

type Stream = BufReader<TcpStream>;

/// Bytes that are read at once, if there are so many.
const BUFFER: usize = 128 * 1024;

/// What to do with the client's connection after an exchange.
#[derive(PartialEq, Eq)]
enum Then {
    Keep,
    Close,
}

/// A message's head, to the empty line and with it.
struct Head {
    bytes: Vec<u8>,
    /// Bytes in the body.
    length: u64,
}

pub(super) async fn serve(client: TcpStream, shared: Arc<Shared>) {
    // Heads and bodies are written one by one; nothing should wait for an acknowledgement.
    if client.set_nodelay(true).is_err() {
        return;
    }
    let mut client = BufReader::with_capacity(BUFFER, client);
    loop {
        let head = match Head::read(&mut client).await {
            Ok(Some(head)) => head,
            // The client went away.
            Ok(None) | Err(Unrelayed::Broken) => return,
            Err(Unrelayed::Odd(what)) => return shared.trouble(what),
        };
        let under_way = shared.under_way();
        let orders = shared.arrived(head.route());
        let exchanged = exchange(&mut client, &head, orders, &shared).await;
        drop(under_way);
        match exchanged {
            Ok(Then::Keep) => {}
            // A connection that breaks by itself breaks the client's too, as it would alone.
            Ok(Then::Close) | Err(Unrelayed::Broken) => return,
            Err(Unrelayed::Odd(what)) => return shared.trouble(what),
        }
    }
}

async fn exchange(
    client: &mut Stream,
    request: &Head,
    orders: Orders,
    shared: &Shared,
) -> Result<Then, Unrelayed> {
    // Who was held for long may have no client any more.
    let held = !orders.holds.is_empty();
    for (rule, bar) in orders.holds {
        shared.fired(rule);
        bar.pass(&request.bytes).await;
    }
    // What happens is noted before the client can know it.
    let Some((rule, fault)) = orders.fault else {
        let (mut server, reply) = ask(client, request, shared).await?;
        let answer = (!held).then(|| reply.status());
        shared.exchanged(request.exchange(answer));
        client.get_mut().write_all(&reply.bytes).await?;
        copy(&mut server, client, reply.length).await?;
        return Ok(Then::Keep);
    };
    if !matches!(fault, Fault::Change(_)) {
        shared.exchanged(request.exchange(None));
    }
    let then = match fault {
        Fault::DropRequest => {
            discard(client, request.length).await?;
            shared.fired(rule);
            Then::Close
        }
        Fault::Answer(canned) => {
            discard(client, request.length).await?;
            shared.fired(rule);
            client.get_mut().write_all(&canned.to_bytes()).await?;
            Then::Keep
        }
        Fault::CutHead | Fault::CutRequest => {
            let mut server = shared.connect().await?;
            if request.length == 0 || matches!(fault, Fault::CutHead) {
                discard(client, request.length).await?;
                let half = &request.bytes[..request.bytes.len() / 2];
                server.get_mut().write_all(half).await?;
            } else {
                server.get_mut().write_all(&request.bytes).await?;
                copy(client, &mut server, request.length / 2).await?;
                discard(client, request.length - request.length / 2).await?;
            }
            server.get_mut().shutdown().await?;
            // The server is done with it before the client can try again.
            let _ = server.read_to_end(&mut Vec::new()).await;
            shared.fired(rule);
            Then::Close
        }
        Fault::DropReply => {
            let (mut server, reply) = ask(client, request, shared).await?;
            discard(&mut server, reply.length).await?;
            shared.fired(rule);
            Then::Close
        }
        Fault::AnswerInstead(canned) => {
            let (mut server, reply) = ask(client, request, shared).await?;
            discard(&mut server, reply.length).await?;
            shared.fired(rule);
            client.get_mut().write_all(&canned.to_bytes()).await?;
            Then::Keep
        }
        Fault::CutReply(_) | Fault::HalveReply => {
            let (mut server, reply) = ask(client, request, shared).await?;
            let keep = match fault {
                Fault::CutReply(keep) => keep,
                _ => reply.length / 2,
            };
            if reply.length <= keep {
                let length = reply.length;
                let what = format!("an answer of {length} bytes can't be cut after {keep}");
                return Err(Unrelayed::Odd(what));
            }
            client.get_mut().write_all(&reply.bytes).await?;
            copy(&mut server, client, keep).await?;
            shared.fired(rule);
            Then::Close
        }
        Fault::ChangeHead(change) => {
            let head = String::from_utf8_lossy(&request.bytes).into_owned();
            let changed = Head {
                bytes: change(&head).into_bytes(),
                length: request.length,
            };
            if changed.bytes != request.bytes {
                shared.fired(rule);
            }
            let (mut server, reply) = ask(client, &changed, shared).await?;
            client.get_mut().write_all(&reply.bytes).await?;
            copy(&mut server, client, reply.length).await?;
            Then::Keep
        }
        Fault::Change(change) => {
            let (mut server, reply) = ask(client, request, shared).await?;
            let mut body = vec![0; reply.usize()];
            server.read_exact(&mut body).await?;
            let before = body.clone();
            change(&mut body);
            shared.exchanged(request.exchange(Some(reply.status())));
            if body != before {
                shared.fired(rule);
            }
            client.get_mut().write_all(&reply.bytes).await?;
            client.get_mut().write_all(&body).await?;
            Then::Keep
        }
    };
    Ok(then)
}

/// Hands the request to the server and reads the head of its answer.
async fn ask(
    client: &mut Stream,
    request: &Head,
    shared: &Shared,
) -> Result<(Stream, Head), Unrelayed> {
    let mut server = shared.connect().await?;
    server.get_mut().write_all(&request.bytes).await?;
    copy(client, &mut server, request.length).await?;
    match Head::read(&mut server).await? {
        Some(reply) => Ok((server, reply)),
        None => Err(Unrelayed::Broken),
    }
}

/// Copies exactly this many bytes.
async fn copy(from: &mut Stream, to: &mut Stream, length: u64) -> io::Result<()> {
    let copied = tokio::io::copy_buf(&mut from.take(length), to.get_mut()).await?;
    complete(copied, length)
}

async fn discard(from: &mut Stream, length: u64) -> io::Result<()> {
    let read = tokio::io::copy_buf(&mut from.take(length), &mut tokio::io::sink()).await?;
    complete(read, length)
}

fn complete(came: u64, wanted: u64) -> io::Result<()> {
    if came == wanted {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Shared {
    async fn connect(&self) -> io::Result<Stream> {
        let server = TcpStream::connect(self.server).await?;
        server.set_nodelay(true)?;
        Ok(BufReader::with_capacity(BUFFER, server))
    }
}

impl Head {
    /// The next head; `None` where the connection ends instead.
    async fn read(stream: &mut Stream) -> Result<Option<Self>, Unrelayed> {
        let mut bytes = Vec::new();
        loop {
            let begin = bytes.len();
            if stream.read_until(b'\n', &mut bytes).await? == 0 {
                return Ok(None);
            }
            if bytes[begin..] == *b"\r\n" {
                break;
            }
        }
        let mut length = 0;
        for line in String::from_utf8_lossy(&bytes).lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(Unrelayed::Odd(format!("a body without a length: {line}")));
            }
            if name.eq_ignore_ascii_case("content-length") {
                length = value
                    .trim()
                    .parse()
                    .map_err(|_| Unrelayed::Odd(line.to_owned()))?;
            }
        }
        Ok(Some(Self { bytes, length }))
    }

    /// The route that a request's first line names, `files/download`.
    fn route(&self) -> &str {
        let line = self.bytes.split(|&byte| byte == b'\r').next();
        let line = str::from_utf8(line.unwrap_or_default()).unwrap_or_default();
        let path = line.split(' ').nth(1).unwrap_or_default();
        path.strip_prefix("/2/").unwrap_or(path)
    }

    /// The status that an answer's first line names.
    fn status(&self) -> u16 {
        let status = self.bytes.split(|&byte| byte == b' ').nth(1);
        let status = status.and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        status.unwrap_or_default()
    }

    /// What came of this request: the status of the server's own answer, if the client gets it.
    fn exchange(&self, answer: Option<u16>) -> Exchange {
        let text = String::from_utf8_lossy(&self.bytes);
        let argument = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("dropbox-api-arg")
                .then(|| serde_json::from_str(value).expect("an argument in JSON"))
        });
        Exchange {
            route: self.route().to_owned(),
            argument: argument.unwrap_or_default(),
            length: self.length,
            answer,
        }
    }

    fn usize(&self) -> usize {
        usize::try_from(self.length).expect("an answer that fits in memory")
    }
}

/// Why an exchange was not relayed.
enum Unrelayed {
    /// A connection broke.
    Broken,
    /// Something that the proxy doesn't speak.
    Odd(String),
}

impl From<io::Error> for Unrelayed {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}
