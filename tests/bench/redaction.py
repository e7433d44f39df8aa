"""What redacting costs: lines of an ordinary mix, all different, and whether a hostile line costs more than its length."""

import random

from sre_agent.evidence.redact import redact
from sre_agent.evidence.redaction.text import forget
from tests.bench.cpu import cpu_ms
from tests.bench.verdict import Row
from tests.evidence.corpus.measure import plantings, precision, recall
from tests.evidence.corpus.planted import HEX, of

LINES = 10_000
HOSTILE = ("token:", "key=", "?key=", "cookie: ", "a@", "4111 ", "DE89 ", "password='", "\\", "1.", "mrn: 1", "token=a;b=")
HOSTILE_CHARS = 50_000
ROUNDS = 3


def _line(r: random.Random) -> str:
    digest, ms = of(HEX, 32)(r), r.randrange(2000)
    return r.choice(
        (
            f"2026-11-28T00:44:{r.randrange(60):02}.{ms:03}Z INFO [exec-{ms}] OrderController : GET /orders/{ms} 200 {ms}ms",
            f'level=error msg="timed out" trace_id={digest} pod=api-{digest[:9]}-x2k4q addr=10.42.{ms % 255}.17:6379 took={ms}ms',
            f'{{"level":"warn","time":17725{digest[:4]},"msg":"slow query","sql":"SELECT id FROM orders WHERE id = $1","ms":{ms}}}',
            f"  at com.example.cart.CartService.addItem(CartService.java:{ms}) ~[app.jar:1.4.{ms}]",
            f"I1128 00:44:56.{ms:06} 1 reflector.go:{ms}] Listing and watching *v1.Pod image registry/app@sha256:{digest}{digest}",
            f"user login ok token={digest[:12]} from 10.1.2.{ms % 255}"
            if ms % 3 == 0
            else f"pool active={ms} idle=3 key_count={ms}",
        )
    )


def rows() -> list[Row]:
    """Microseconds a line; the dearest hostile line's ratio of 2n to n, side by side; what is found and what is touched."""
    r = random.Random(1)
    lines = [_line(r) for _ in range(LINES)]
    costs = []
    for _ in range(ROUNDS):
        forget()
        costs.append(cpu_ms(lambda: [redact(line) for line in lines])[1])
    ratios = {unit: _ratio(unit) for unit in HOSTILE}
    worst = max(ratios, key=lambda unit: ratios[unit])
    found, kept = recall(plantings(1, 40)), precision(1, 200)
    return [
        Row(
            "redacting a line of a log",
            min(costs) * 1000 / LINES,
            " us",
            100.0,
            seen=f"{LINES / min(costs) * 1000:.0f} lines a second",
        ),
        Row("redacting twice as long a hostile line", ratios[worst], "x", 3.0, seen=f"the dearest is {worst!r}"),
        Row("planted secrets removed", 100 * found.share_right(), " %", 99.0, at_least=True, seen=f"of {found.total.total()}"),
        Row("ordinary tokens touched", 100 * (1 - kept.share_right()), " %", 1.0, seen=f"of {kept.total.total()}"),
    ]


def _ratio(unit: str) -> float:
    once, twice = ((unit * n)[:n] for n in (HOSTILE_CHARS, 2 * HOSTILE_CHARS))
    pairs = [(cpu_ms(lambda: redact(once))[1], cpu_ms(lambda: redact(twice))[1]) for _ in range(ROUNDS)]
    return min(b for _, b in pairs) / max(0.01, min(a for a, _ in pairs))
