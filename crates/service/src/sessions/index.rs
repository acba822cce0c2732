//! The sessions and links that are valid now, in memory, by public id. Only hashes of codes and tokens are kept.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
};

use attestary_event::{EnvironmentId, TenantId};
use attestary_store::Rng;
use parking_lot::Mutex;

use super::{Grant, Link, OpenPortal, Portal, Session, Started, WebOrigin};
use crate::{
    credential::{self, LINK_PREFIX, SESSION_PREFIX, SecretHash},
    ids,
    secret::Secret,
};

const SESSION: &str = "ses_";
const LINK: &str = "lnk_";
/// Sessions at once, and links at once: 50,000 of about 1 KB each are 50 MB.
pub(super) const SESSIONS_MAX: usize = 50_000;
/// Sessions and links between two sweeps of those that ended.
const SWEEP_EVERY: usize = 256;
/// Sessions that one token of a viewer begins: its package asks twice whenever it is mounted, and a page under development mounts
/// it twice.
const BEGINNINGS_MAX: u8 = 8;
/// How long the origin of an ended portal session is still answered, so that its page can read why, and ask anew.
const ORIGIN_MS: u64 = 24 * 60 * 60 * 1000;

/// Sessions and links.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    sessions: HashMap<Box<str>, Arc<Session>>,
    links: HashMap<Box<str>, Waiting>,
    /// Origins of portal sessions, and until when they are known.
    origins: HashMap<Box<str>, u64>,
    changes: usize,
}

/// A link, which stays known for its frame after it was used.
struct Waiting {
    secret_hash: SecretHash,
    /// Taken by the one who uses it.
    grant: Option<Grant>,
    frame: Option<WebOrigin>,
    /// Of a viewer's token: the page that began with it, and how often.
    begun: Option<(Option<WebOrigin>, u8)>,
    expires_ms: u64,
    forget_ms: u64,
}

impl Sessions {
    /// Adds a link that works until `expires_ms` and whose page may be framed until `forget_ms`; `None` when full.
    pub(super) fn add_link(
        &self,
        grant: Grant,
        now_ms: u64,
        expires_ms: u64,
        forget_ms: u64,
        rng: &dyn Rng,
    ) -> Option<Link> {
        let (id, code, secret_hash) = minted(LINK, LINK_PREFIX, now_ms, rng);
        let frame = grant.portal.as_ref().map(|portal| portal.origin.clone());
        let mut tables = self.0.lock();
        tables.make_room(now_ms);
        if tables.links.len() >= SESSIONS_MAX {
            return None;
        }
        let grant = Some(grant);
        let waiting = Waiting { secret_hash, grant, frame, begun: None, expires_ms, forget_ms };
        tables.links.insert(id[LINK.len()..].into(), waiting);
        Some(Link { id, code, expires_ms })
    }

    /// Returns what a code gives, once.
    pub(super) fn take_link(&self, code: &str, now_ms: u64) -> Option<Grant> {
        self.0.lock().link(code, now_ms)?.grant.take()
    }

    /// Returns what a viewer's token gives: to the page that asks first, and to that page again a few times.
    pub(super) fn lend_link(
        &self,
        code: &str,
        page: Option<&WebOrigin>,
        now_ms: u64,
        is_viewers: impl FnOnce(&Grant) -> bool,
    ) -> Option<Grant> {
        let mut tables = self.0.lock();
        let waiting = tables.link(code, now_ms)?;
        let grant = waiting.grant.as_ref().filter(|grant| is_viewers(grant))?;
        let times = match &waiting.begun {
            None => 0,
            Some((first, times)) if first.as_ref() == page && *times < BEGINNINGS_MAX => *times,
            Some(_) => return None,
        };
        waiting.begun = Some((page.cloned(), times + 1));
        Some(grant.clone())
    }

    /// Begins a session; `None` when full.
    pub(super) fn start(
        &self,
        grant: Grant,
        now_ms: u64,
        expires_ms: u64,
        rng: &dyn Rng,
    ) -> Option<Started> {
        let (id, token, secret_hash) = minted(SESSION, SESSION_PREFIX, now_ms, rng);
        let session = Arc::new(Session {
            person: grant.person,
            role: grant.role,
            scopes: grant.scopes,
            environment: grant.environment,
            tenants: grant.tenants,
            portal: grant.portal,
            created_by: grant.created_by,
            created_ms: now_ms,
            expires_ms,
            used_ms: now_ms.into(),
            secret_hash,
            fresh_tokens: Mutex::default(),
            id,
        });
        let mut tables = self.0.lock();
        tables.make_room(now_ms);
        if tables.sessions.len() >= SESSIONS_MAX {
            return None;
        }
        if let Some(portal) = &session.portal {
            tables.origins.insert(portal.origin.as_str().into(), expires_ms + ORIGIN_MS);
        }
        tables.sessions.insert(session.id[SESSION.len()..].into(), Arc::clone(&session));
        Some(Started { session, token })
    }

    /// Returns the session whose token was presented, and counts that as use.
    pub(crate) fn check(&self, token: &str, now_ms: u64) -> Option<Arc<Session>> {
        let presented = credential::parse_as(SESSION_PREFIX, token)?;
        let found = self.0.lock().sessions.get(presented.public_id).cloned();
        let hash = found.as_ref().map_or(SecretHash::NONE, |session| session.secret_hash);
        let matches = hash.matches(&presented.secret_hash);
        let session = found.filter(|session| matches && now_ms < session.idle_expires_ms())?;
        session.used_ms.fetch_max(now_ms, Ordering::Relaxed);
        Some(session)
    }

    /// Returns true while the session goes on.
    pub(crate) fn is_valid(&self, session: &Session, now_ms: u64) -> bool {
        now_ms < session.idle_expires_ms()
            && self.0.lock().sessions.contains_key(&session.id[SESSION.len()..])
    }

    /// Ends a session: it is refused from the next request on.
    pub(super) fn end(&self, session: &Session) {
        self.0.lock().sessions.remove(&session.id[SESSION.len()..]);
    }

    /// Returns the portal sessions of one tenant that go on, newest first. What began with a session's link is shown as
    /// that session.
    pub(super) fn portals(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        now_ms: u64,
    ) -> Vec<OpenPortal> {
        let tables = self.0.lock();
        let mut open = BTreeMap::new();
        for session in tables.sessions.values() {
            let Some(portal) = &session.portal else { continue };
            if !session.is_of(environment, tenant) || now_ms >= session.expires_ms {
                continue;
            }
            let id = portal.made_with.as_ref().unwrap_or(&session.id).clone();
            let shown = OpenPortal {
                id: id.clone(),
                person: session.person.clone(),
                scopes: session.scopes,
                origin: portal.origin.to_string(),
                created_by: session.created_by.clone(),
                created_ms: session.created_ms,
                expires_ms: session.expires_ms,
            };
            open.entry(id).or_insert(shown);
        }
        open.into_values().rev().collect()
    }

    /// Ends one portal session with its link and what began with the link. Returns false when there is none.
    pub(super) fn revoke_portal(
        &self,
        environment: &EnvironmentId,
        tenant: &TenantId,
        id: &str,
        now_ms: u64,
    ) -> bool {
        let of = |portal: &Option<Portal>| {
            portal.as_ref().is_some_and(|portal| portal.made_with.as_deref() == Some(id))
        };
        let mut tables = self.0.lock();
        let before = tables.sessions.len();
        tables.sessions.retain(|_, session| {
            let meant = session.portal.is_some() && (session.id == id || of(&session.portal));
            !(meant && session.is_of(environment, tenant) && now_ms < session.expires_ms)
        });
        let mut found = tables.sessions.len() < before;
        for waiting in tables.links.values_mut() {
            let meant = waiting.grant.as_ref().is_some_and(|grant| {
                of(&grant.portal)
                    && grant.environment == *environment
                    && grant.tenants.as_ref().is_some_and(|own| own.contains(tenant))
            });
            if meant {
                found |= now_ms < waiting.expires_ms;
                waiting.grant = None;
            }
        }
        found
    }

    pub(super) fn knows_origin(&self, origin: &str, now_ms: u64) -> bool {
        self.0.lock().origins.get(origin).is_some_and(|until| now_ms < *until)
    }

    pub(super) fn frame_origin(&self, link_id: &str, now_ms: u64) -> Option<WebOrigin> {
        let tables = self.0.lock();
        let waiting = tables.links.get(link_id.strip_prefix(LINK)?)?;
        waiting.frame.clone().filter(|_| now_ms < waiting.forget_ms)
    }
}

impl Tables {
    /// Returns the link of a code that still works.
    fn link(&mut self, code: &str, now_ms: u64) -> Option<&mut Waiting> {
        let presented = credential::parse_as(LINK_PREFIX, code)?;
        let waiting = self.links.get_mut(presented.public_id);
        let hash = waiting.as_ref().map_or(SecretHash::NONE, |waiting| waiting.secret_hash);
        let matches = hash.matches(&presented.secret_hash);
        waiting.filter(|waiting| matches && now_ms < waiting.expires_ms)
    }

    /// Forgets what ended, now and then.
    fn make_room(&mut self, now_ms: u64) {
        self.changes += 1;
        let full = self.sessions.len() >= SESSIONS_MAX || self.links.len() >= SESSIONS_MAX;
        if full || self.changes >= SWEEP_EVERY {
            self.changes = 0;
            self.sessions.retain(|_, session| now_ms < session.idle_expires_ms());
            self.links.retain(|_, waiting| now_ms < waiting.forget_ms);
            self.origins.retain(|_, until| now_ms < *until);
        }
    }
}

fn minted(id: &str, prefix: &str, now_ms: u64, rng: &dyn Rng) -> (String, Secret, SecretHash) {
    let id = ids::mint(id, now_ms, rng);
    let mut random = zeroize::Zeroizing::new([0; 32]);
    rng.fill(&mut *random);
    let text = credential::mint_as(prefix, &id[SESSION.len()..], &random);
    let presented =
        credential::parse_as(prefix, text.reveal()).expect("a minted text is of its own form");
    let hash = presented.secret_hash;
    (id, text, hash)
}
