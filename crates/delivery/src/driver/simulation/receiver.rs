//! The receiver, as a transport: a webhook's or an object store's.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::time::sleep;

use super::{
    Mutant,
    world::{Inner, World},
};
use crate::{
    destination::Request,
    health::Cause,
    transport::Transport,
    verdict::{Failure, Reply, Response},
};

/// How the receiver behaves at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    Fine,
    Down,
    Refusing,
    Throttling,
    Hanging,
    LosingAnswers,
    Small,
    Unauthorized,
    Flaky,
}

pub(super) const WEATHERS: [Weather; 9] = [
    Weather::Fine,
    Weather::Down,
    Weather::Refusing,
    Weather::Throttling,
    Weather::Hanging,
    Weather::LosingAnswers,
    Weather::Small,
    Weather::Unauthorized,
    Weather::Flaky,
];

/// The receiver as a transport.
pub(super) struct Receiver(Arc<World>);

impl Receiver {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self(world)
    }

    async fn answer(&self, id: &str, seqs: &[u64], digest: Option<String>) -> Reply {
        let world = &self.0;
        let (before, after) = world.with(|inner| {
            // Until the outcome is known, a repeat must carry the same id.
            inner.check_id(id);
            inner.counts.together += u64::from(inner.open > 0);
            inner.open += 1;
            (inner.chance.below(500), inner.chance.below(500))
        });
        sleep(Duration::from_millis(before)).await;
        let any = world.is(Mutant::AnyObjectCounts);
        let reply = world.with(|inner| match digest {
            Some(digest) => inner.store(id, seqs, digest, any),
            None => inner.receive(seqs),
        });
        match reply {
            Some(reply) => {
                sleep(Duration::from_millis(after)).await;
                world.with(|inner| inner.known(&reply, id));
                reply
            }
            None => {
                sleep(Duration::from_secs(30)).await;
                world.with(|inner| inner.open = inner.open.saturating_sub(1));
                Reply::Failed(Failure::new(Cause::Timeout, "no answer"))
            }
        }
    }

    fn distort(&self, reply: Reply) -> Reply {
        let fine = Reply::Http(Response { status: 200, ..Response::default() });
        match &reply {
            Reply::Http(response)
                if response.status == 400 && self.0.is(Mutant::RefusedEventsDropped) =>
            {
                fine
            }
            Reply::Http(response)
                if response.status >= 500 && self.0.is(Mutant::CursorPassesFailedBatch) =>
            {
                fine
            }
            _ => reply,
        }
    }
}

/// Reads the seqs of a JSON array of events.
fn seqs(body: &[u8]) -> Vec<u64> {
    let events: Vec<serde_json::Value> =
        serde_json::from_slice(body).expect("the body holds JSON events");
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// Returns the name of an object in the form of a webhook's id: `<digest>-<first>-<last>`, or the test's.
fn object_id(url: &url::Url) -> String {
    let name = url.path().rsplit('/').next().unwrap_or_default();
    let parts: Vec<&str> = name.split(['-', '.']).collect();
    match (parts[0].parse::<u64>(), parts.get(1), parts.get(2)) {
        (Ok(first), Some(last), Some(digest)) => {
            format!("{digest}-{first}-{}", last.parse::<u64>().unwrap())
        }
        _ => name.to_owned(),
    }
}

impl Inner {
    /// Decides what an object store does with an object; `None` when no answer comes.
    fn store(&mut self, id: &str, seqs: &[u64], digest: String, any: bool) -> Option<Reply> {
        // A store does not look into objects: no event is refused.
        let poison = std::mem::take(&mut self.poison);
        let reply = match self.objects.get(id) {
            Some(found) if matches!(self.weather, Weather::Fine | Weather::LosingAnswers) => {
                self.counts.found += 1;
                if let Some(seq) = seqs.iter().find(|seq| !self.doubtful.contains(seq)) {
                    let problem =
                        format!("event {seq} came again although its delivery was certain");
                    self.problem.get_or_insert(problem);
                }
                Some(Reply::Existing { same: any || *found == digest })
            }
            // Somebody else's object stands where the batch belongs, until a person removes it.
            None if self.weather == Weather::Fine && self.chance.percent(1) => {
                Some(Reply::Existing { same: any })
            }
            known => {
                let known = known.is_some();
                let before = self.counts.accepted;
                if known {
                    Some(Reply::Failed(Failure::new(Cause::Connect, "refused")))
                } else {
                    let reply = self.receive(seqs);
                    if self.counts.accepted > before {
                        // A range that retention cut into becomes another object; nothing else may.
                        let twice = seqs.iter().find(|seq| self.accepted[*seq] > 1);
                        if let Some(seq) = twice.filter(|_| self.retained_from == 0) {
                            let problem = format!("event {seq} is in two objects");
                            self.complain(problem);
                        }
                        self.objects.insert(id.to_owned(), digest);
                    }
                    reply
                }
            }
        };
        self.poison = poison;
        reply
    }

    /// Decides what the receiver does with a batch; `None` when no answer comes.
    fn receive(&mut self, seqs: &[u64]) -> Option<Reply> {
        let status = |status| Some(Reply::Http(Response { status, ..Response::default() }));
        let weather = match self.weather {
            Weather::Flaky => WEATHERS[self.chance.below(8) as usize],
            weather => weather,
        };
        match weather {
            Weather::Down => return Some(Reply::Failed(Failure::new(Cause::Connect, "refused"))),
            Weather::Refusing => return status(503),
            Weather::Unauthorized => return status(401),
            Weather::Hanging => {
                self.counts.hangs += 1;
                return None;
            }
            Weather::Throttling => {
                self.counts.throttles += 1;
                let retry_after = Some(self.chance.below(90).to_string());
                return Some(Reply::Http(Response {
                    status: 429,
                    retry_after,
                    ..Response::default()
                }));
            }
            Weather::Small if seqs.len() > 5 => {
                self.counts.splits += 1;
                return status(413);
            }
            _ => {}
        }
        if seqs.iter().any(|seq| self.poison.contains(seq)) {
            self.counts.refusals += 1;
            return status(400);
        }
        self.accept(seqs);
        if weather == Weather::LosingAnswers {
            self.counts.lost_answers += 1;
            self.doubtful.extend(seqs);
            return None;
        }
        status(200)
    }

    /// The answer reached the sender: whatever it said, the outcome is known.
    fn known(&mut self, reply: &Reply, id: &str) {
        self.open = self.open.saturating_sub(1);
        let retried = match reply {
            Reply::Http(response) => matches!(response.status, 401 | 429 | 503),
            Reply::Existing { same } => !same,
            _ => true,
        };
        if !retried {
            self.expected.retain(|expected| expected != id);
        }
    }
}

impl Transport for Receiver {
    fn carry(&mut self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let (id, seqs, digest) = match request {
                Request::Http { headers, body, .. } => {
                    let id = headers["webhook-id"].to_str().unwrap().to_owned();
                    (id, seqs(&body), None)
                }
                Request::Object(put) => {
                    let array = put.body.strip_suffix(b"\n").unwrap_or(&put.body);
                    let array =
                        array.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b","[..]);
                    let seqs = seqs(&[&b"["[..], &array[..], b"]"].concat());
                    (object_id(&put.url), seqs, Some(put.digest.1))
                }
                _ => panic!("webhooks and object stores make no other requests"),
            };
            if id.contains("-test-") {
                sleep(Duration::from_millis(50)).await;
                return Reply::Http(Response { status: 204, ..Response::default() });
            }
            if !seqs.is_sorted() {
                self.0.with(|inner| inner.complain(format!("a batch is out of order: {seqs:?}")));
            }
            let reply = self.answer(&id, &seqs, digest).await;
            self.distort(reply)
        })
    }
}
