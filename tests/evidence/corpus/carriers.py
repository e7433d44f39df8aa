"""What secrets come in: lines of logs, JSON, YAML, environments, headers. A carrier gives text, or JSON to be redacted as such."""

import json
import random
from collections.abc import Callable
from typing import Any

Carried = str | dict[str, Any] | list[Any]

# Around a secret that has a name.
NAMED: dict[str, Callable[[str, str], Carried]] = {
    "plain line": lambda n, v: f"2026-11-28 00:44:56 WARN starting with {n}={v} on node-3",
    "colon line": lambda n, v: f"config loaded {n}: {v}",
    "logfmt": lambda n, v: f'level=info msg="config" {n}="{v}" took=3ms',
    "JSON line": lambda n, v: json.dumps({"level": "info", n: v, "port": 8080}),
    "JSON in a sentence": lambda n, v: f"request body {json.dumps({'user': 'x', n: v})} rejected",
    "JSON in a string": lambda n, v: json.dumps({"body": json.dumps({n: v, "n": 1}), "status": 400}),
    "JSON in a string in a line": lambda n, v: "payload=" + json.dumps(json.dumps({"a": 1, n: v, "z": "end"})),
    "object": lambda n, v: {"spec": {"config": {n: v}}, "kind": "ConfigMap"},
    "variable of a pod": lambda n, v: {"env": [{"name": n, "value": v}, {"name": "MODE", "value": "prod"}]},
    "variable of a pod, YAML": lambda n, v: f"    env:\n    - name: {n}\n      value: {v}\n    - name: MODE\n      value: prod\n",
    "YAML": lambda n, v: f"app:\n  {n}: {v}\n  port: 8080\n",
    "YAML, quoted": lambda n, v: f'app:\n  {n}: "{v}"\n  port: 8080\n',
    "environment": lambda n, v: f"PATH=/usr/bin\n{n}={v}\nHOME=/root\n",
    "export": lambda n, v: f"+ export {n}='{v}'",
    "header": lambda n, v: f"> GET /x HTTP/1.1\n> Host: api\n> {n}: {v}\n> Accept: */*\n",
    "headers, Python": lambda n, v: f"headers={{'Accept': '*/*', '{n}': '{v}', 'X-A': 'b'}}",
    "headers, Go": lambda n, v: f"map[Accept:[*/*] {n}:[{v}] User-Agent:[go]]",
    "describe": lambda n, v: f"    Environment:\n      {n}:   {v}\n      MODE:     prod\n",
    "stack trace": lambda n, v: f'Exception in thread "main" java.lang.Error: bad {n}={v}\n\tat com.x.Y.z(Y.java:3)\n',
    "properties": lambda n, v: f"server.port=80\n{n} = {v}\n",
    "flag": lambda n, v: f"exec /app --{n}={v} --port=80",
    "Ruby": lambda n, v: f'{{:user=>"x", :{n}=>"{v}"}}',
    "JavaScript": lambda n, v: f"Config {{ port: 80, {n}: '{v}', tls: false }}",
    "XML": lambda n, v: f"<cfg><{n}>{v}</{n}><port>80</port></cfg>",
    "list of a composition": lambda n, v: f"environment:\n  - MODE=prod\n  - {n}={v}\n",
    "brackets": lambda n, v: f"Settings(host=db, {n}={v}, port=5432)",
}  # fmt: skip

# Around a secret that shows itself.
BARE: dict[str, Callable[[str], Carried]] = {
    "sentence": lambda v: f"2026-11-28T00:44:56Z ERROR request by {v} was refused",
    "end of line": lambda v: f"using {v}",
    "quoted": lambda v: f'level=error msg="got \'{v}\' from upstream"',
    "brackets": lambda v: f"caller ({v}) [retry 3]",
    "logfmt": lambda v: f"level=info who={v} took=3ms",
    "JSON line": lambda v: json.dumps({"msg": f"unexpected {v}", "n": 1}),
    "object": lambda v: {"items": [{"message": f"from {v}"}]},
    "JSON in a string": lambda v: json.dumps({"body": json.dumps({"who": v})}),
    "list": lambda v: f"tried a, {v}, b",
    "YAML": lambda v: f"who: {v}\nwhat: x\n",
    "stack trace": lambda v: f"ValueError: cannot use {v}\n  File \"x.py\", line 3, in y\n",
    "bearer": lambda v: f"Authorization: Bearer {v}",
    "colon": lambda v: f"rejected: {v}: no such user",
    "table": lambda v: f"| 12 | {v} | active |",
}  # fmt: skip


def named(r: random.Random, name: str, value: str) -> tuple[str, Carried]:
    """A carrier's title and what it makes; names with a blank or a colon fit all of them."""
    title = r.choice(sorted(NAMED))
    return title, NAMED[title](name, value)


def bare(r: random.Random, value: str) -> tuple[str, Carried]:
    """A carrier's title and what it makes."""
    # No token has a blank in it.
    title = r.choice(sorted(set(BARE) - {"bearer"} if " " in value else BARE))
    return title, BARE[title](value)
