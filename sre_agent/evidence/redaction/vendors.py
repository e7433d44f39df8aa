"""Keys that say themselves what they are: the prefixes and shapes that vendors document so that leaked keys can be found.

A public identifier of a pair (Stripe's pk_, Twilio's AC..., an AWS key id) goes too: it names an account.
"""

import re

from sre_agent.evidence.redaction.placeholder import mark

# The start of a key: not inside another word. JSON inside a string writes a line break as "\n".
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Literals, one of which the key holds; the key.
_FAMILIES: tuple[tuple[str, str], ...] = (
    # code and packages
    ("ghp_ gho_ ghu_ ghs_ ghr_", r"gh[opusr]_\w{20,}"),
    ("github_pat_", r"github_pat_\w{20,}"),
    ("glpat- gldt- glrt- glcbt- glptt- glft- glimt- glagent- gloas- glsoat- glffct-", r"gl[a-z]{2,5}-[\w.-]{16,}"),
    ("ATBB", r"ATBB[A-Za-z0-9]{24,}"),
    ("ATATT3", r"ATATT3[\w=-]{20,}"),
    ("npm_", r"npm_[A-Za-z0-9]{30,}"),
    ("pypi-", r"pypi-[\w-]{30,}"),
    ("rubygems_", r"rubygems_[0-9a-f]{32,}"),
    ("dckr_pat_ dckr_oat_", r"dckr_[po]at_[\w-]{20,}"),
    ("CCIPAT_", r"CCIPAT_\w{20,}"),
    ("bkua_ bkct_ bkaj_", r"bk(?:ua|ct|aj)_[0-9a-f]{32,}"),
    ("PMAK-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    # clouds and platforms
    ("AKIA ASIA AROA AIDA ABIA ACCA", r"A(?:KIA|SIA|ROA|IDA|BIA|CCA)[0-9A-Z]{16}\b"),
    ("AIza", r"AIza[\w-]{30,}"),
    ("ya29.", r"ya29\.[\w-]{16,}"),
    ("GOCSPX-", r"GOCSPX-[\w-]{20,}"),
    ("_v1_", r"do[por]_v1_[0-9a-f]{32,}"),
    ("dapi", r"dapi[0-9a-f]{32}(?:-\d)?"),
    ("hvs. hvb. hvr.", r"hv[sbr]\.[\w-]{16,}"),
    ("dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{16,}"),
    ("tskey-", r"tskey-[a-z]+-[\w-]{16,}"),
    ("pul-", r"pul-[0-9a-f]{40}"),
    ("nfp_ nfc_ nfo_ nfu_ nfb_", r"nf[pcoub]_\w{30,}"),
    ("fm1_ fm2_", r"fm[12]_[\w+/=,-]{30,}"),
    ("sbp_", r"sbp_[0-9a-f]{32,}"),
    ("pscale_", r"pscale_(?:tkn|pw|oauth)_[\w.=-]{20,}"),
    (".atlasv1.", r"\w{14}\.atlasv1\.[\w-]{40,}"),
    ("cfut_", r"cfut_\w{30,}"),
    ("v1.0-", r"v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}"),
    ("ops_eyJ", r"ops_eyJ[\w-]{20,}"),
    ("AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    ("Q~", r"[\w~.-]{3}\dQ~[\w~.-]{30,35}"),
    # money, mail, chat
    ("sk_live_ pk_live_ rk_live_ sk_test_ pk_test_ rk_test_", r"[spr]k_(?:live|test)_\w{8,}"),
    ("whsec_", r"whsec_[\w+/=-]{8,}"),
    ("sq0", r"sq0[a-z]{3}-[\w-]{20,}"),
    ("SG.", r"SG\.[\w-]{10,}\.[\w-]{10,}"),
    ("key-", r"key-[0-9a-f]{32}\b"),
    ("-us", r"[0-9a-f]{32}-us\d{1,2}\b"),
    ("xkeysib-", r"xkeysib-[0-9a-f]{40,}(?:-\w+)?"),
    ("xox", r"xox[abeoprs](?:\.xox[bp])?-[\w-]{8,}"),
    ("xapp-", r"xapp-[\w-]{8,}"),
    (":AA", r"\d{8,10}:AA[\w-]{32,}"),
    ("AC", r"AC[0-9a-f]{32}\b"),
    ("SK", r"SK[0-9a-f]{32}\b"),
    ("shpat_ shpss_ shpca_ shppa_ shptka_", r"shp(?:at|ss|ca|pa|tka)_[0-9a-fA-F]{16,}"),
    # models
    ("sk- pk- rk-", r"[spr]k-[\w-]{16,}"),
    ("hf_", r"hf_[A-Za-z0-9]{20,}"),
    ("gsk_", r"gsk_[A-Za-z0-9]{20,}"),
    ("pplx-", r"pplx-[0-9A-Za-z]{32,}"),
    ("r8_", r"r8_[A-Za-z0-9]{30,}"),
    ("xai-", r"xai-\w{30,}"),
    # watching and paging
    ("NRAK- NRJS- NRII- NRIQ- NRAA- NRRA-", r"NR[A-Z]{2}-[\w-]{16,}"),
    ("NRAL", r"[0-9a-zA-Z]{36,40}NRAL\b"),
    ("glsa_ glc_", r"gl(?:sa|c)_[\w+/=-]{20,}"),
    ("sntrys_ sntryu_", r"sntry[su]_[\w+/=-]{20,}"),
    ("pdus+_ pdeu+_", r"pd(?:us|eu)\+_[\w-]{16,}"),
    ("dt0", r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{60,}"),
    ("hcaik_ hcauk_", r"hca[iu]k_\w{20,}"),
    ("ddap_ ddapp_", r"ddapp?_\w{20,}"),
    # desks
    ("lin_api_ lin_oauth_", r"lin_(?:api|oauth)_\w{16,}"),
    ("secret_", r"secret_[A-Za-z0-9]{40,}"),
    ("ntn_", r"ntn_[A-Za-z0-9]{40,}"),
    ("figd_", r"figd_[\w-]{20,}"),
    ("pat", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    ("tfp_", r"tfp_[\w-]{40,}"),
    ("CFPAT-", r"CFPAT-[\w-]{40,}"),
    ("sgp_", r"sgp_\w{40,}"),
)
_TOKENS = tuple((tuple(hints.split()), re.compile(_START + f"(?:{pattern})")) for hints, pattern in _FAMILIES)
_TOKEN = re.compile("|".join(pattern for _, pattern in _FAMILIES))


def _borders() -> tuple[re.Pattern[str], ...]:
    """For each of "_", "-" and ".", a pattern that finds it behind one of the literals that end in it.

    A pattern that begins with one fixed character is searched at the speed of memchr; seventy literals in turn are not.
    """
    literals = [hint for hints, _ in _TOKENS for hint in hints]
    found = []
    for border in "_-.":
        widths: dict[int, list[str]] = {}
        for hint in literals:
            if hint[-1] == border:
                widths.setdefault(len(hint), []).append(re.escape(hint))
        behind = "|".join(f"(?<={'|'.join(same)})" for same in widths.values())
        found.append(re.compile(f"{re.escape(border)}(?:{behind})"))
    return tuple(found)


_BORDERS = _borders()
_BORDERLESS = tuple(hint for hints, _ in _TOKENS for hint in hints if hint[-1] not in "_-.")
# Discord's bots and Vault's old tokens have no word of their own, only a form.
_DISCORD_END = re.compile(r"\.[\w-]{6}\.[\w-]{27}")
_DISCORD = re.compile(rf"{_START}[MNO][\w-]{{23,25}}\.[\w-]{{6}}\.[\w-]{{27,38}}")
_LEGACY_VAULT = re.compile(r"s\.(?<![\w.]s\.)[A-Za-z0-9]{24}(?![\w.])")
# LaunchDarkly's keys begin like names of pods; the literal stands first for speed.
_SWITCHES = tuple(re.compile(rf"{word}-(?<![A-Za-z0-9]{word}-){_UUID}") for word in ("sdk", "api", "mob"))
_SHORTEST = 16
_JWT = re.compile(rf"{_START}eyJ[\w-]{{8,}}(?:\.[\w-]{{4,}}(?:\.[\w-]*){{0,3}}|[\w+/=-]{{24,}})")
_PASETO = re.compile(rf"{_START}v[1-4]\.(?:local|public)\.[\w-]{{20,}}")


def vendor_tokens(text: str, lower: str) -> str:  # noqa: ARG001
    """Keys with a vendor's prefix, and signed or encrypted tokens (RFC 7519, PASETO)."""
    if len(text) < _SHORTEST:
        return text
    if _may_hold(text):
        for hints, pattern in _TOKENS:
            for hint in hints:
                if hint in text:
                    text = pattern.sub(_token, text)
                    break
    if "eyJ" in text:
        text = _JWT.sub(lambda m: mark("jwt", m.group()), text)
    if ".local." in text or ".public." in text:
        text = _PASETO.sub(lambda m: mark("jwt", m.group()), text)
    if "-" in text:
        for switch in _SWITCHES:
            text = switch.sub(_token, text)
    if "." in text:
        if _DISCORD_END.search(text) is not None:
            text = _DISCORD.sub(_token, text)
        if "s." in text:
            text = _LEGACY_VAULT.sub(_token, text)
    return text


def _may_hold(text: str) -> bool:
    """False for nearly every line without a key."""
    for border in _BORDERS:
        if border.search(text) is not None:
            return True
    for hint in _BORDERLESS:  # noqa: SIM110 - a plain loop: any() over a generator costs twice as much, for every line
        if hint in text:
            return True
    return False


def is_vendor_token(value: str) -> bool:
    """True when all of `value` is one key with a vendor's prefix: under a name it gets the same tag as without one."""
    found = _TOKEN.match(value)
    return found is not None and found.end() == len(value)


def _token(match: re.Match[str]) -> str:
    return mark("token", match.group())
