"""Thin messages answered: orders and after-sales read from their platform and put into the same inbox."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from msgspec import Struct
from prometheus_client import Counter

from livehub import database
from livehub.inbox import queue, recording
from livehub.inbox.layout import Origin
from livehub.kit import clock, leases, outgoing
from livehub.orders import asking, lanes
from livehub.orders.lanes import Lanes
from livehub.orders.ledger import Applicable, Applied
from livehub.orders.pace import Paces
from livehub.orders.redaction import redacted
from livehub.orders.state import ORDER
from livehub.platforms import queries as platforms
from livehub.platforms import registry, replies
from livehub.platforms.contract import Event, Fetch, FetchKind, HttpCall, Malformed, ReplyRefused

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 12
COALESCE_MS = 2500  # the first thin message is answered at once, later ones together
LEASE_MS = 60_000  # longer than two calls take, waiting for their turns at one call a second included
LOOK_SECONDS = 0.25  # how often a lane that waits for answers looks for more to ask

FETCHES = Counter("livehub_fetches_total", "Calls to platforms", ["platform", "kind", "outcome"])


async def want(facts: Sequence[Applicable], applied: Applied, *, now: datetime) -> None:
    """Ask for what the applied thin messages leave open; in the current transaction."""
    at = clock.to_ms(now)
    rows: dict[tuple[int, str, str], tuple[Any, ...]] = {}
    for fact in facts:
        if fact.message_id not in applied.changed or fact.stamp.source == "own":
            continue
        state = applied.orders[fact.key].state
        outstanding = state.outstanding()
        for fetch in registry.get(fact.platform).fetches(fact.event):
            key = ORDER if fetch.kind is FetchKind.ORDER else fetch.ref
            if key in outstanding:
                wanted = max(state.wanted.get(key, 0), fact.event.status_at)
                rows[fact.shop_id, fetch.kind, fetch.ref] = (
                    fact.shop_id, str(fetch.kind), fetch.shop_ref, fetch.order_ref, fetch.ref, wanted,
                    fact.message_id, at,
                )  # fmt: skip
    await database.write_rows(_WANT, list(rows.values()), _upsert())


_WANT = {
    "shop_id": "bigint",
    "kind": "text",
    "shop_ref": "text",
    "order_ref": "text",
    "ref": "text",
    "wanted_at": "bigint",
    "message_id": "bigint",
    "at": "bigint",
}


def _upsert() -> str:
    """Due at once, or a moment later when it was asked before: by the database's clock."""
    now = database.now_ms()
    return (
        "INSERT INTO fetch_job (endpoint_id, shop_id, kind, shop_ref, order_ref, ref, wanted_at, message_id,"
        " status, due_at, attempts, lease_until, lease_token, last_error, created_at)"
        " SELECT s.endpoint_id, v.shop_id, v.kind, v.shop_ref, v.order_ref, v.ref, v.wanted_at,"
        f" v.message_id, 'waiting', {now}, 0, 0, 0, '', v.at FROM v JOIN shop s ON s.id = v.shop_id"
        " WHERE s.endpoint_id IS NOT NULL ORDER BY v.shop_id, v.kind, v.ref"
        " ON CONFLICT (shop_id, kind, ref) DO UPDATE SET message_id = excluded.message_id,"
        " status = 'waiting',"
        " wanted_at = CASE WHEN excluded.wanted_at > fetch_job.wanted_at THEN excluded.wanted_at"
        " ELSE fetch_job.wanted_at END,"
        " attempts = CASE WHEN fetch_job.status = 'waiting' THEN fetch_job.attempts ELSE 0 END,"
        " due_at = CASE WHEN fetch_job.status = 'waiting' THEN fetch_job.due_at"
        f" ELSE excluded.due_at + {COALESCE_MS} END"
    )


class Job(Struct, frozen=True):
    """One leased fetch."""

    id: int
    endpoint_id: int
    shop_id: int
    kind: str
    shop_ref: str
    order_ref: str
    ref: str
    wanted_at: int
    attempts: int
    token: int

    def fetch(self) -> Fetch:
        """As the adapter knows it."""
        return Fetch(FetchKind(self.kind), self.shop_ref, self.order_ref, self.ref)


class Answered(Struct, frozen=True):
    """What came back for one job: an event, or why there is none."""

    job: Job
    origin: Origin
    host: str = ""
    request_id: str = ""
    raw: bytes = b""
    event: Event | None = None
    error: str = ""
    give_up: bool = False


class Fetcher:
    """The calls of one process; each endpoint has a lane, so that one that hangs keeps no other waiting."""

    def __init__(self, *, concurrency: int = 16, paces: Paces | None = None) -> None:
        self._client = outgoing.Client(connections=lanes.MOST * concurrency)
        self._concurrency = concurrency
        self._paces = paces or Paces()
        self._lanes = Lanes(self._lane, name="fetch")
        self._begun = 0

    async def close(self) -> None:
        """Let what is asked be answered, begin nothing new, and close the connections."""
        await self._lanes.close()
        await self._client.close()

    async def begin(self) -> int:
        """Ask what is due where nobody is asking yet; how many fetches were begun since the last time."""
        await self._lanes.begin(_endpoints_with_work)
        begun, self._begun = self._begun, 0
        return begun

    async def run_once(self) -> int:
        """Answer all that is due now; returns how many fetches were tried."""
        return await self._lanes.run_out(self.begin)

    async def _lane(self, endpoint_id: int) -> None:
        """Ask one endpoint for as long as something is due; an answer is recorded when it comes."""
        asking: set[asyncio.Task[Answered]] = set()
        try:
            while True:
                room = 0 if self._lanes.closing else self._concurrency - len(asking)
                jobs = await _lease(endpoint_id, limit=room) if room else []
                if jobs:
                    self._begun += len(jobs)
                    seen = await platforms.endpoints_by_id({endpoint_id}, now=clock.now())
                    endpoint = seen.get(endpoint_id)
                    asking |= {asyncio.create_task(self._ask_safely(job, endpoint)) for job in jobs}
                if not asking:
                    return
                answered, asking = await asyncio.wait(
                    asking, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if answered:
                    await _record([each.result() for each in answered], now=clock.now())
        finally:
            for each in asking:
                each.cancel()

    async def _ask_safely(self, job: Job, endpoint: platforms.EndpointView | None) -> Answered:
        """What cannot be asked, or whose answer nobody foresaw, harms no other fetch and is tried again."""
        if job.attempts > MAX_ATTEMPTS:  # each of them ended its process
            nowhere = Origin(job.endpoint_id, 0, "")
            return _failed(job, nowhere, "", "every attempt ended without an outcome", give_up=True)
        if endpoint is None:
            nowhere = Origin(job.endpoint_id, 0, "")
            return _failed(job, nowhere, "", "the endpoint is gone, or its secret cannot be opened")
        try:
            return await self._ask(job, endpoint)
        except Exception as error:
            log.exception("fetch.broken", ref=job.ref, kind=job.kind)
            origin = Origin(endpoint.id, endpoint.centre_id, endpoint.platform)
            return _failed(job, origin, endpoint.platform, repr(error))

    async def _ask(self, job: Job, endpoint: platforms.EndpointView) -> Answered:
        origin = Origin(endpoint.id, endpoint.centre_id, endpoint.platform)
        adapter = registry.get(endpoint.platform)
        await self._paces.wait(endpoint)
        asked_at = clock.to_ms(clock.now())
        call = adapter.call(job.fetch(), credential=endpoint.credential, now_ms=asked_at)
        host = urlsplit(endpoint.api_base_url).netloc
        request_id = secrets.token_hex(8)
        raw = b""
        try:
            answers = [await self._send(call, endpoint, request_id=request_id)]
            for another in call.also:
                await self._paces.wait(endpoint)
                answers.append(await self._send(another, endpoint, request_id=request_id))
            raw = replies.joined(answers)
            event = msgspec.structs.replace(adapter.read_reply(job.fetch(), raw), covers_until=job.wanted_at)
        except outgoing.OutgoingFailed as error:
            return _failed(job, origin, endpoint.platform, f"unreachable: {error}")
        except ReplyRefused as error:
            return _failed(job, origin, endpoint.platform, f"refused: {error}", give_up=not error.retry)
        except Malformed as error:
            FETCHES.labels(endpoint.platform, job.kind, "malformed").inc()
            return Answered(job, origin, host, request_id, raw, error=f"{error.reason}: {error.detail}")
        FETCHES.labels(endpoint.platform, job.kind, "ok").inc()
        return Answered(job, origin, host, request_id, raw, event=redacted(event, platform=endpoint.platform))

    async def _send(self, call: HttpCall, endpoint: platforms.EndpointView, *, request_id: str) -> bytes:
        """The body of the answer to one call; OutgoingFailed when there is none to read."""
        answer = await self._client.send(
            endpoint.api_base_url.rstrip("/") + call.path,
            method=call.method,
            query=call.query,
            headers={**call.headers, "x-request-id": request_id},
            body=call.body,
        )
        if answer.status >= 500 or answer.status == 429:
            raise outgoing.OutgoingFailed(f"HTTP {answer.status}")
        return answer.body


def _failed(job: Job, origin: Origin, platform: str, error: str, *, give_up: bool = False) -> Answered:
    FETCHES.labels(platform, job.kind, "failed").inc()
    return Answered(job, origin, error=error[:500], give_up=give_up)


async def inherit() -> int:
    """Free what a dead process held from this process's seat; only before its own first lease."""
    return await database.execute(
        "UPDATE fetch_job SET lease_until = 0 WHERE status = 'waiting' AND lease_until <> 0"
        " AND lease_token BETWEEN $1 AND $2",
        *leases.inherited(),
    )


async def _endpoints_with_work() -> list[int]:
    """Endpoints at which something is due that nobody holds; one probe of an index for each."""
    now = queue.database_now()
    rows = await database.fetch(
        "SELECT e.id FROM endpoint e WHERE (SELECT min(j.due_at) FROM fetch_job j WHERE j.status = 'waiting'"
        f" AND j.endpoint_id = e.id AND j.lease_until < {now}) <= {now} ORDER BY e.id"
    )
    return [row["id"] for row in rows]


async def _lease(endpoint_id: int, *, limit: int) -> list[Job]:
    token = leases.token()
    now = queue.database_now()
    skip_locked = "FOR UPDATE SKIP LOCKED" if database.dialect() == "postgres" else ""
    due = (
        "SELECT id FROM fetch_job WHERE status = 'waiting' AND endpoint_id = $2"
        f" AND due_at <= {now} AND lease_until < {now}"
        f" ORDER BY due_at, id LIMIT {int(limit)} {skip_locked}"
    )
    async with database.transaction():
        rows = await database.fetch(
            f"UPDATE fetch_job SET lease_token = $1, lease_until = {now} + {LEASE_MS}, attempts = attempts"
            f" + 1 WHERE id {database.ids_of(due)}"
            " RETURNING id, endpoint_id, shop_id, kind, shop_ref, order_ref, ref, wanted_at, attempts",
            token,
            endpoint_id,
        )
    return [Job(**row, token=token) for row in rows]


async def _record(answers: Sequence[Answered], *, now: datetime) -> None:
    """Put the replies into the inbox and close their jobs, in one transaction, locked in intake's order.

    When that fails they are recorded one by one, and the one that cannot be is asked for again later.
    """
    ordered = sorted(answers, key=lambda each: (each.job.shop_id, each.job.kind, each.job.ref))

    async def work() -> None:
        for answer in ordered:
            await _record_one(answer, now=now)

    try:
        await database.unit(work)
    except database.DatabaseUnavailable:
        raise
    except Exception as error:
        log.exception("fetch.not_recorded", answers=len(ordered))
        if len(ordered) == 1:
            broken = msgspec.structs.replace(ordered[0], error=repr(error))
            await database.unit(lambda: _postpone(broken))
            return
        for answer in ordered:
            await _record([answer], now=now)


async def _record_one(answer: Answered, *, now: datetime) -> None:
    if answer.event is not None:
        await recording.record_pull(
            answer.event,
            origin=answer.origin,
            raw=answer.raw,
            host=answer.host,
            request_id=answer.request_id,
            native_type=f"fetched.{answer.job.kind}",
            now=now,
        )
        if not answer.job.order_ref:
            await asking.order_known(answer.job.id, answer.job.shop_id, answer.event, now=now)
        await _close(answer.job, now=now)
        return
    if answer.raw:
        await recording.record_unreadable_pull(
            origin=answer.origin,
            raw=answer.raw,
            host=answer.host,
            request_id=answer.request_id,
            error=answer.error,
            now=now,
        )
    await _postpone(answer)


async def _close(job: Job, *, now: datetime) -> None:
    """Done, unless a newer thin message asked meanwhile: then it is asked again soon."""
    await database.execute(
        "UPDATE fetch_job SET status = CASE WHEN wanted_at = $1 THEN 'done' ELSE 'waiting' END, attempts = 0,"
        f" lease_until = 0, due_at = {database.now_ms()} + {COALESCE_MS}, last_error = '', fetched_at = $2"
        " WHERE id = $3 AND lease_token = $4",
        job.wanted_at,
        clock.to_ms(now),
        job.id,
        job.token,
    )


async def _postpone(answer: Answered) -> None:
    dead = answer.give_up or answer.job.attempts >= MAX_ATTEMPTS
    wait = min(2**answer.job.attempts, 3600) * (500 + secrets.randbelow(500))
    log.warning("fetch.failed", ref=answer.job.ref, kind=answer.job.kind, error=answer.error, dead=dead)
    await database.execute(
        f"UPDATE fetch_job SET status = $1, due_at = {database.now_ms()} + $2, lease_until = 0,"
        " last_error = $3 WHERE id = $4 AND lease_token = $5",
        "dead" if dead else "waiting",
        wait,
        answer.error[:500],
        answer.job.id,
        answer.job.token,
    )


async def ask_again(endpoint_id: int) -> int:
    """Put an endpoint's given-up fetches back into the queue; returns how many there were."""
    return await database.execute(
        f"UPDATE fetch_job SET status = 'waiting', attempts = 0, due_at = {database.now_ms()}"
        " WHERE endpoint_id = $1 AND status = 'dead'",
        endpoint_id,
    )


async def waiting() -> Mapping[str, int]:
    """How many fetches wait and how many were given up, by status."""
    rows = await database.fetch(
        "SELECT status, count(*) AS n FROM fetch_job WHERE status <> 'done' GROUP BY status"
    )
    return {row["status"]: row["n"] for row in rows}
