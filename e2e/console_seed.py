"""Events of a tenant that people look at: a working day with sign-ins, documents, a locked account and hostile text."""

import datetime
import random
import uuid

HOSTILE = [
    '<img src=x onerror="document.title=\'broken\'">',
    "<script>document.title='broken'</script>",
    "\u202egnp.exe \u2066\u200b\u0007 end",
    "'; DROP TABLE events; --",
    "{{constructor.constructor('alert(1)')()}}",
    "<b>bold</b>" + "A" * 8000,
]

PEOPLE = [("alice", "Alice Nguyen"), ("bob", "Bob Okafor"), ("carla", "Carla Weiß"), ("dmitri", "Dmitri Petrov"), ("eve", "Eve Tanaka"), ("sync-bot", "Sync Bot")]
DOCUMENTS = [("doc_1", "Board minutes Q3"), ("doc_2", "Payroll 2026"), ("doc_7", "Merger plan"), ("doc_9", "Customer list")]
ACTIONS = [
    ("user.login", "success", 9), ("user.login.failed", "failure", 3), ("user.logout", "success", 5), ("document.viewed", "success", 14),
    ("document.updated", "success", 6), ("document.shared", "success", 2), ("user.invited", "success", 1), ("role.assigned", "success", 1),
    ("api_key.created", "success", 1), ("document.deleted", "denied", 1), ("export.completed", "success", 1),
]


def events(tenant, count=1200, seed=7, now=None):
    """Returns events over the last 24 hours, oldest first, more of them in working hours."""
    rng = random.Random(seed)
    now = now or datetime.datetime.now(datetime.timezone.utc)
    times = sorted(now - datetime.timedelta(seconds=abs(rng.gauss(0, 1)) * 30000 % 86000) for _ in range(count))
    names, outcomes, weights = zip(*[(name, outcome, weight) for name, outcome, weight in ACTIONS])
    made = []
    for number, time in enumerate(times):
        at = rng.choices(range(len(names)), weights)[0]
        person = rng.choices(PEOPLE, [6, 5, 4, 3, 2, 4])[0]
        document = rng.choice(DOCUMENTS)
        event = {
            "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "tenant": tenant, "action": names[at], "outcome": outcomes[at],
            "occurred_at": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "actor": {"type": "service" if person[0] == "sync-bot" else "user", "id": person[0], "name": person[1], "email": f"{person[0]}@acme.example"},
            "context": {"ip": f"192.0.2.{rng.randrange(1, 40)}", "user_agent": "Mozilla/5.0", "session_id": f"s{rng.randrange(60)}", "request_id": f"r{number // 2}"},
            "metadata": {"plan": rng.choice(["pro", "team"]), "exact": 9007199254740993},
        }
        if names[at].startswith("document"):
            event["targets"] = [{"type": "document", "id": document[0], "name": document[1]}]
        if names[at] == "document.updated":
            event["changes"] = [{"field": "title", "old": f"{document[1]} draft", "new": f"{document[1]} final"}, {"field": "pages", "old": 12, "new": 14}]
        made.append(event)
    return made


def hostile(tenant):
    """Returns events whose every text tries to be something else."""
    return [
        {
            "tenant": tenant, "action": "note.created", "actor": {"type": "user", "id": text[:400], "name": text[:600]},
            "targets": [{"type": "note", "id": "n1", "name": text[:900]}], "reason": text[:2000], "description": text,
            "metadata": {text[:60].replace("\u0007", ""): text[:300]}, "changes": [{"field": text[:40], "old": text[:200], "new": text[:100]}],
        }
        for text in HOSTILE
    ]
