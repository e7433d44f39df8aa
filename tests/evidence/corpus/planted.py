"""Secrets to plant, drawn from the formats that vendors and standards document; not one of them is real.

Written from those documents and not from the rules under test: alphabets, lengths and check digits are made here. A family that
is `held_out` was written after the rules and has not shaped them; its first measurement stands in docs/redaction.md.
"""

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

DIGITS, LOWER, UPPER = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
HEX, B62 = DIGITS + "abcdef", DIGITS + LOWER + UPPER
B64, B64U, B32 = B62 + "+/", B62 + "-_", UPPER + "234567"
SPECIAL = B62 + "!#$%^*-_=+.?~@&;,/:|"


class Shows(Enum):
    """How a secret is told from other text: by itself, by its name, or by the text it comes in, which is its own."""

    ITSELF = "itself"
    NAME = "name"
    TEXT = "text"


@dataclass(frozen=True)
class Family:
    """`make` draws a secret (for Shows.TEXT: the text and the secret in it). `names` are the names it goes by."""

    name: str
    shows: Shows
    make: Callable[[random.Random], str | tuple[str, str]]
    names: tuple[str, ...] = ()
    held_out: bool = False


def of(alphabet: str, length: int, before: str = "", after: str = "") -> Callable[[random.Random], str]:
    """A maker of `length` characters between two literals."""
    return lambda r: before + "".join(r.choice(alphabet) for _ in range(length)) + after


def many(*makers: Callable[[random.Random], str]) -> Callable[[random.Random], str]:
    """One of several notations, each drawn as often."""
    return lambda r: r.choice(makers)(r)


def joined(*makers: Callable[[random.Random], str]) -> Callable[[random.Random], str]:
    """Parts, one after the other."""
    return lambda r: "".join(make(r) for make in makers)


def uuid(r: random.Random) -> str:
    """A UUID's text."""
    return "-".join(of(HEX, n)(r) for n in (8, 4, 4, 4, 12))


def password(r: random.Random) -> str:
    """What people and generators choose: words with numbers, random characters with and without special ones."""
    words = ("correct", "horse", "battery", "staple", "winter", "dragon", "falcon", "orange", "sesame")
    return r.choice(
        (
            lambda: r.choice(words).capitalize() + r.choice(words) + of(DIGITS, 4)(r) + r.choice("!$%*"),
            lambda: "-".join(r.choice(words) for _ in range(4)),
            lambda: r.choice(words) + r.choice(words),
            lambda: of(B62, r.randint(8, 32))(r),
            lambda: r.choice(B62) + of(SPECIAL, r.randint(8, 24))(r) + r.choice(B62),
        )
    )()


def jwt(r: random.Random) -> str:
    """A signed token (RFC 7519) with made-up claims."""
    parts = ({"alg": r.choice(("HS256", "RS256", "ES256")), "typ": "JWT"}, {"sub": of(DIGITS, 10)(r), "iat": r.randrange(10**9)})
    head = (base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)
    return ".".join([*head, of(B64U, 43)(r)])


def pem(r: random.Random) -> tuple[str, str]:
    """A private key, whole or cut at its beginning or end, with line breaks or with their escapes."""
    kind = r.choice(("RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED ", "DSA "))
    body = [of(B64, 64)(r) for _ in range(r.randint(3, 12))] + [of(B64, 30)(r) + "=="]
    breaks = r.choice(("\n", "\\n"))
    lines = [f"-----BEGIN {kind}PRIVATE KEY-----", *body, f"-----END {kind}PRIVATE KEY-----"]
    cut = r.choice((lines, lines[: -r.randint(1, 3)], lines[r.randint(1, 2) :]))
    return f"loaded {breaks.join(cut)}", r.choice([line for line in cut if "---" not in line])


def private_address(r: random.Random) -> tuple[str, str]:
    """A store's address with a password, as a URL, as key and value, or in a driver's own form."""
    secret = of(B62, 4)(r) + of(r.choice((B62, B62 + "!$*-_.~", B62 + "@/#:!$%^*")), r.randint(6, 18))(r) + r.choice(B62)
    plain = secret if not set("@/;&,:") & set(secret) else of(B62, 14)(r)
    user, host = r.choice(("app", "svc_orders", "admin")), r.choice(("db-0.prod.svc", "10.3.4.5", "cache.example.net"))
    text, found = r.choice(
        (
            (f"connect postgresql://{user}:{secret}@{host}:5432/orders failed", secret),
            (f"mongodb://{user}:{secret}@{host}:27017,h2.example.net:27017,h3:27017/x?replicaSet=rs0", secret),
            (f"mongodb+srv://{user}:{secret}@cluster0.example.net/test", secret),
            (f"using redis://:{secret}@{host}:6379/0", secret),
            (f"rediss://default:{secret}@{host}:6380", secret),
            (f"amqps://{user}:{secret}@mq.example.net:5671/vhost: connection reset", secret),
            (f"mysql+pymysql://{user}:{secret}@{host}/shop?charset=utf8mb4", secret),
            (f"dial {user}:{secret}@tcp({host}:3306)/shop?parseTime=true", secret),
            (f"host={host} port=5432 user={user} password={plain} dbname=orders sslmode=require", plain),
            (f"host={host} user={user} password='{plain}' dbname=orders", plain),
            (f"Server=tcp:{host},1433;Database=x;User ID={user};Password={plain};Encrypt=True;", plain),
            (f"Data Source={host};User Id={user};Pwd={plain};Pooling=true", plain),
            (f"jdbc:postgresql://{host}:5432/x?user={user}&password={plain}&ssl=true", plain),
            (f"jdbc:oracle:thin:{user}/{plain}@{host}:1521:ORCL", plain),
            (f"jdbc:sqlserver://{host}:1433;databaseName=x;user={user};password={plain};", plain),
            (f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={of(B64, 86)(r)}==;EndpointSuffix=core.windows.net", ""),
            (f"Endpoint=sb://acme.example.net/;SharedAccessKeyName=root;SharedAccessKey={of(B64, 43)(r)}=", ""),
            (f"cloning https://oauth2:{plain}@git.example.com/acme/shop.git", plain),
            (f"smtp://{user}%40example.com:{secret}@mail.example.com:587", secret),
            (f'sasl.jaas.config=PlainLoginModule required username="{user}" password="{plain}";', plain),
        )
    )
    return text, found or text.split("Key=")[-1].split(";")[0]


def webhook(r: random.Random) -> tuple[str, str]:
    """Addresses that let anybody post who knows them."""
    return r.choice(
        (
            lambda s, t: (f"posting to https://hooks.slack.com/services/T{s[:8].upper()}/B{s[8:16].upper()}/{t}", t),
            lambda s, t: (f"POST https://discord.com/api/webhooks/{of(DIGITS, 18)(r)}/{t}{t} 204", t),
            lambda s, t: (f"https://acme.webhook.office.com/webhookb2/{uuid(r)}@{uuid(r)}/IncomingWebhook/{t}/{uuid(r)}", t),
            lambda s, t: (f"https://events.pagerduty.com/integration/{of(HEX, 32)(r)}x{t}/enqueue", t),
            lambda s, t: (f"GET https://api.telegram.org/bot{of(DIGITS, 10)(r)}:AA{t}{t[:9]}/getMe", t),
            lambda s, t: (f"https://hc-ping.com/{s}{t}", t),
            lambda s, t: (f"https://hooks.zapier.com/hooks/catch/123456/{t}/", t),
        )
    )(of(B62, 24)(r), of(B62, 24)(r))


def signed_query(r: random.Random) -> tuple[str, str]:
    """Addresses whose query is the credential."""
    sign, host = of(HEX, 64)(r), "https://acme.example.net/file.bin"
    return r.choice(
        (
            (
                f"GET {host}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261128T000000Z&X-Amz-Expires=300&X-Amz-Signature={sign}",
                sign,
            ),
            (f"{host}?sv=2024-11-04&se=2026-12-01&sr=b&sp=r&sig={of(B62, 40)(r)}%3D", ""),
            (f"{host}?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Signature={sign}&X-Goog-Expires=60", sign),
            (f"GET /v1/geocode?address=x&key={of(B62, 39)(r)} 200", ""),
            (f"GET /callback?code={of(B62, 40)(r)}&session_state=7 302", ""),
            (f"GET /ws?access_token={of(B62, 40)(r)}&v=2 101", ""),
            (f"GET /reset?token={of(B62, 32)(r)} 200", ""),
            (f"GET /api/me?api_key={of(B62, 32)(r)}&page=2 200", ""),
        )
    ), ""


def _signed(r: random.Random) -> tuple[str, str]:
    (text, secret), _ = signed_query(r)
    if not secret:
        value = next(
            p
            for p in text.replace("?", "&").split("&")
            if p.startswith(("sig=", "key=", "code=", "access_token=", "token=", "api_key="))
        )
        secret = value.split("=", 1)[1].split(" ")[0].removesuffix("%3D")
    return text, secret


def command(r: random.Random) -> tuple[str, str]:
    """Command lines and statements that carry a password."""
    s = of(B62, r.randint(8, 24))(r)
    return r.choice(
        (
            (f"exec: psql --password {s} -h db", s),
            (f"/usr/bin/app --db-password={s} --verbose", s),
            (f'args: ["--token", "x", "--api-key={s}"]', s),
            (f"curl -u admin:{s} https://x.example.net/", s),
            (f"sshpass -p {s} ssh deploy@10.0.0.4", s),
            (f"mysqldump -u root -p{s} shop", s),
            (f"redis-cli -h cache -a {s} ping", s),
            (f"ALTER USER app WITH PASSWORD '{s}';", s),
            (f"CREATE USER 'app'@'%' IDENTIFIED BY '{s}'", s),
            (f"CONFIG SET requirepass {s}", s),
            (f"sentinel auth-pass mymaster {s}", s),
            (f'1732754696.1 [0 10.0.0.1:5] "AUTH" "default" "{s}"', s),
            (f"your new password is {s}9", s),
        )
    )


def yaml_secret(r: random.Random) -> tuple[str, str]:
    """A Kubernetes Secret as text: its keys need not sound secret."""
    s = base64.b64encode(password(r).encode()).decode()
    field, key = r.choice(("data", "stringData")), r.choice(("tls", "config", "db", "blob"))
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\n{field}:\n  {key}: {s}\ntype: Opaque\n",
        s,
    )
