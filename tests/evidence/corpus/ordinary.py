"""Ordinary tokens of logs: what an operator needs and no rule may take. Drawn, a seed gives the same ones."""

import base64
import random
from collections.abc import Callable

from tests.evidence.corpus.planted import B62, B64U, DIGITS, HEX, LOWER, UPPER, of, uuid

_WORDS = (
    "timeout",
    "orders",
    "retry",
    "user",
    "pod",
    "payment",
    "shard",
    "leader",
    "queue",
    "commit",
    "index",
    "passed",
    "monkey",
    "tokenizer",
)
_STATEMENTS = (
    "SELECT id, total FROM orders WHERE user_id = {n} AND state = 'open' LIMIT 50",
    "UPDATE carts SET qty = qty + 1 WHERE id = {n}",
    "INSERT INTO events (id, kind) VALUES ({n}, 'login')",
    "DELETE FROM sessions WHERE expires_at < now() - interval '{n} seconds'",
)
_PHRASES = (
    "password authentication failed for user app",
    'secret "db-credentials" not found',
    "token bucket refilled in {n} ms",
    "prompt_tokens={n} completion_tokens={n} max_tokens={n}",
    "key=orders:{n} cache miss",
    "primary key violation on orders_pkey",
    "invalid token: expected }} at line {n}",
    "tests pass: {n} fail: 0",
    "DB_PASSWORD: <set to the key 'password' in secret 'db'> Optional: false",
    "automountServiceAccountToken: false",
    "secretName: db-tls-{n}",
    "tls: private key does not match public key",
    "account 4711 has {n} open orders",
    "session closed after {n} s",
    "partition_key={n} sort_key=a",
    "idempotency_key_count={n}",
    "auth method kubernetes ok in {n} ms",
    "authorization mode RBAC",
    "cookie jar holds {n} entries",
    "password must have at least 12 characters",
    "ssl_key_file=/etc/ssl/private/server.key",
    "token expired {n} s ago",
    "basic health check passed",
    "bearer of bad news: node-{n} is gone",
    "patient zero of the outage was node {n}",
    "card layout rendered {n} items",
    "phone home disabled",
    "pin memory: {n} MB",
    "pan-tilt sensor {n}",
    "otp (Erlang) 27 started",
    "routing_key=orders.created.v{n}",
)


def _epoch(r: random.Random, digits: int) -> str:
    return str(r.randrange(1_600_000_000, 1_900_000_000)) + of(DIGITS, digits - 10)(r)


def _moment(r: random.Random) -> str:
    day, clock = f"2026-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}", ":".join(f"{r.randrange(n):02d}" for n in (24, 60, 60))
    return f"{day}{r.choice('T ')}{clock}.{of(DIGITS, r.choice((3, 6, 9)))(r)}{r.choice(('Z', '+00:00', '+0100', ''))}"


def _snowflake(r: random.Random) -> str:
    return str((r.randrange(10**9, 10**12) << 22) | r.randrange(1 << 22))[:19]


KINDS: dict[str, Callable[[random.Random], str]] = {
    "UUID": uuid,
    "git commit": lambda r: of(HEX, r.choice((7, 8, 40)))(r),
    "image digest": lambda r: f"registry.example.com/shop/api@sha256:{of(HEX, 64)(r)}",
    "image tag": lambda r: f"ghcr.io/acme/api:v{r.randrange(9)}.{r.randrange(99)}.{r.randrange(99)}-{of(HEX, 7)(r)}",
    "container id": lambda r: f"containerd://{of(HEX, 64)(r)}",
    "pod": lambda r: f"{r.choice(_WORDS)}-{of('bcdfghjklmnpqrstvwxz2456789', 10)(r)}-{of('bcdfghjklmnpqrstvwxz2456789', 5)(r)}",
    "IPv4": lambda r: f"{r.randrange(1, 255)}.{r.randrange(255)}.{r.randrange(255)}.{r.randrange(255)}:{r.randrange(1024, 65535)}",
    "CIDR": lambda r: f"10.{r.randrange(255)}.{r.randrange(255)}.0/{r.randrange(8, 32)}",
    "IPv6": lambda r: r.choice(("[2001:db8::{}]:443", "fe80::{}%eth0", "fd00:1:2:{}::1")).format(of(HEX, 4)(r)),
    "timestamp": _moment,
    "date": lambda r: r.choice(
        (
            "{d:02d}/Nov/2026:{h:02d}:44:56 +0000",
            "{d:02d}-{h:02d}-2026 03:04:05,123",
            "20261128{h:02d}4456",
            "2026.11.{d:02d} {h:02d}.44.56",
        )
    ).format(d=r.randint(1, 28), h=r.randint(1, 12)),
    "version": lambda r: (
        f"{r.randrange(30)}.{r.randrange(30)}.{r.randrange(2000)}{r.choice(('', '-rc.1', '+build.7', '.post3', '-SNAPSHOT'))}"
    ),
    "duration": lambda r: f"{r.randrange(9000)}.{r.randrange(999)}{r.choice(('ms', 's', 'us', 'ns', 'm'))}",
    "trace id": lambda r: r.choice((of(HEX, 32), of(HEX, 16), lambda q: f"00-{of(HEX, 32)(q)}-{of(HEX, 16)(q)}-01"))(r),
    "X-Ray id": lambda r: f"1-{of(HEX, 8)(r)}-{of(HEX, 24)(r)}",
    "address of memory": lambda r: f"0x{of(HEX, r.choice((8, 12, 16)))(r)}",
    "MAC address": lambda r: ":".join(of(HEX, 2)(r) for _ in range(6)),
    "path": lambda r: f"/var/lib/kubelet/pods/{uuid(r)}/volumes/kubernetes.io~secret/{r.choice(_WORDS)}/token",
    "URL": lambda r: (
        f"https://{r.choice(_WORDS)}.example.com/v{r.randrange(4)}/{r.randrange(10**6)}?page={r.randrange(50)}&from={_epoch(r, 13)}"
    ),
    "opaque id": lambda r: r.choice(
        (
            of(B62, 22),
            of(B64U, 22),
            lambda q: base64.b64encode(of(HEX, 12)(q).encode()).decode(),
            lambda q: "01J" + of("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 23)(q),
        )
    )(r),
    "resource version": lambda r: of(DIGITS[1:], r.randint(6, 10))(r),
    "SQL": lambda r: r.choice(_STATEMENTS).format(n=r.randrange(10**9)),
    "stack frame": lambda r: r.choice(
        (
            f"at com.acme.{r.choice(_WORDS).title()}Service.run(Service.java:{r.randrange(900)})",
            f'File "/app/{r.choice(_WORDS)}.py", line {r.randrange(900)}, in {r.choice(_WORDS)}',
            f"main.(*Server).handle(0xc000{of(HEX, 6)(r)}, {{0x{of(HEX, 6)(r)}, 0x1a}})",
        )
    ),
    "java object": lambda r: f"com.acme.{r.choice(_WORDS).title()}@{of(HEX, 8)(r)}",
    "key of data": lambda r: (
        r.choice(("cache_key", "partitionKey", "idempotency-key", "sort_key")) + "=" + r.choice((of(B62, 22), uuid, of(HEX, 32)))(r)
    ),
    "number": lambda r: of(DIGITS[1:], r.randint(9, 19))(r),
    "epoch": lambda r: _epoch(r, r.choice((10, 13, 16, 19))),
    "snowflake": _snowflake,
    "order number": lambda r: r.choice(
        (
            f"ORD-{of(DIGITS, 10)(r)}",
            f"#{of(DIGITS, 8)(r)}",
            f"INV/2026/{of(DIGITS, 6)(r)}",
            f"{of(DIGITS, 3)(r)}-{of(DIGITS, 7)(r)}-{of(DIGITS, 7)(r)}",
        )
    ),
    "numbers in a row": lambda r: " ".join(of(DIGITS[1:], r.randint(1, 5))(r) for _ in range(6)),
    "metric": lambda r: f'http_requests_total{{code="{r.choice((200, 500))}",pod="api-{of(HEX, 5)(r)}"}} {r.random() * 10**6:.6f}',
    "node or unit": lambda r: r.choice(
        (
            "rabbit@rabbit-{}.rabbitmq.svc.cluster.local",
            "getty@tty{}.service",
            "ip-10-0-{}-7.eu-west-1.compute.internal",
            "git@github.com:acme/api-{}.git",
            "lodash@4.17.{}",
            "user@1000-{}.service",
            "@angular/core@17.{}.1",
        )
    ).format(r.randrange(20)),
    "ARN": lambda r: f"arn:aws:sqs:eu-west-1:{of(DIGITS, 12)(r)}:{r.choice(_WORDS)}-queue",
    "emoji": lambda r: r.choice(("🔥 deploy {} done ✅", "→ {} ←", "naïve café №{}", "処理 {} 件")).format(r.randrange(10**6)),
    "phrase": lambda r: r.choice(_PHRASES).format(n=r.randrange(1, 999)),
    "hash of a template": lambda r: f"{r.choice(_WORDS)}-{of(LOWER + DIGITS, 8)(r)}-{of(LOWER, 5)(r)}:{of(UPPER, 6)(r)}",
}

_AROUND = (
    "{}",
    "handled {} in time",
    "id={} state=ok",
    '{{"level":"info","ref":"{}"}}',
    "[main] {} - done",
    "ref: {}, next",
    "retry of '{}' failed",
)


def ordinary_lines(seed: int, each: int) -> list[tuple[str, str]]:
    """(kind, line with one token of it), `each` of every kind."""
    r = random.Random(seed)
    return [(kind, r.choice(_AROUND).format(make(r))) for kind, make in KINDS.items() for _ in range(each)]
