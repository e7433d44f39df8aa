"""Credentials inside addresses: the user part of a URL, signed queries, webhooks, and database addresses that are no URL."""

import re

from sre_agent.evidence.redaction.placeholder import mark

# Stores' passwords may hold any character, so that everything up to the last "@" of the word goes.
_STORES = (
    r"rediss?|valkeys?|sentinel|postgres(?:ql)?|mysql|mysqlx|mariadb|mongodb(?:\+srv)?|amqps?|nats|tls|kafka|mqtts?|ldaps?|s?ftp|smtps?|"
    r"clickhouse|cockroachdb|sqlserver|mssql|oracle|cassandra|neo4j|bolt|elasticsearch|memcached|jdbc:\w+|snowflake|trino|influxdb"
)
_STORE_URL = re.compile(rf"(?i)(?<![\w])((?:{_STORES})(?:\+\w+)?://)([^\s'\"<>]{{1,512}})@")
_ANY_URL = re.compile(r"(?i)(?<![\w])([a-z][a-z0-9+.-]{1,20}://)([^\s'\"<>/?#]{1,512})@")
_GO_MYSQL = re.compile(r"(?<![\w.-])([\w.-]{1,64}:[^\s\"']{1,256})@(?=(?:tcp|tcp6|udp|unix|cloudsql)\()")
_ORACLE = re.compile(
    r"(?i)((?::thin:|sqlplus\s+|sqlldr\s+|(?<![\w/])))([a-z]\w{0,30}/[^\s/@\"']{1,64})@(?=(?://)?[\w.-]{1,200}:\d{2,5}\b)"
)
_WEBHOOK = re.compile(
    r"(?i)https?://(?:hooks\.slack\.com/(?:services|workflows|triggers)/|(?:\w+\.)?discord(?:app)?\.com/api(?:/v\d+)?/webhooks/|"
    r"[\w-]+\.webhook\.office\.com/|outlook\.office(?:365)?\.com/webhook/|events\.(?:eu\.)?pagerduty\.com/(?:integration|x-ere)/|"
    r"api\.telegram\.org/bot|hooks\.zapier\.com/hooks/|maker\.ifttt\.com/|hc-ping\.com/|nosnch\.in/|"
    r"[\w.-]+\.logic\.azure\.com|chat\.googleapis\.com/v1/spaces/|open\.feishu\.cn/open-apis/bot/)[^\s\"'<>\\]{1,2048}"
)
_WEBHOOK_HINTS = (
    "webhook",
    "hooks.",
    "pagerduty.com/",
    "telegram.org/bot",
    "ifttt.com",
    "hc-ping",
    "nosnch",
    "logic.azure",
    "chat.google",
    "feishu",
)
_QUERY = re.compile(
    r"(?i)((?:[?&]|\\u0026|&amp;)(?:sig|signature|key|code|hmac|jwt|sas|access|state|nonce|id_token|assertion|samlresponse|x-amz-(?:signature|credential|"
    r"security-token)|x-goog-(?:signature|credential)|awsaccesskeyid|hdnts|policy)=)([^&\s\"'\\<>]{3,})"
)
_QUERY_HINTS = (
    "sig",
    "key=",
    "code=",
    "hmac=",
    "jwt=",
    "sas=",
    "access",
    "state=",
    "nonce=",
    "id_token=",
    "assertion=",
    "saml",
    "x-amz",
    "x-goog",
    "hdnts=",
    "policy=",
)
_SHORT = re.compile(r"[a-z_]{1,16}|\d{1,6}|[A-Z]{2,12}", re.ASCII)
"""What a "code", "state" or "key" of a query is when it is none of ours: a word or a small number."""


def addresses(text: str, lower: str) -> str:
    """Webhooks go whole, of other addresses what lets somebody in."""
    if "http" in lower:
        for hint in _WEBHOOK_HINTS:
            if hint in lower:
                text = _WEBHOOK.sub(lambda m: mark("webhook-url", m.group()), text)
                break
    if "@" in text:
        if "://" in text:
            text = _ANY_URL.sub(_userinfo, _STORE_URL.sub(_userinfo, text))
        if "(" in text:
            text = _GO_MYSQL.sub(lambda m: mark("userinfo", m.group(1)) + "@", text)
        if "/" in text:
            text = _ORACLE.sub(_userinfo, text)
    if "=" in text and ("?" in text or "&" in text):
        for hint in _QUERY_HINTS:
            if hint in lower:
                return _QUERY.sub(_parameter, text)
    return text


def _userinfo(match: re.Match[str]) -> str:
    return f"{match.group(1)}{mark('userinfo', match.group(2))}@"


def _parameter(match: re.Match[str]) -> str:
    if not match.group(1).lower().lstrip("?&").startswith(("sig", "hmac", "x-")) and _SHORT.fullmatch(match.group(2)):
        return match.group()
    return match.group(1) + mark("value", match.group(2))
