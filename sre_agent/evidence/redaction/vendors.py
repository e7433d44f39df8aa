"""Keys that say themselves what they are: the prefixes and shapes that vendors document so that leaked keys can be found.

A public identifier of a pair (Stripe's pk_, Twilio's AC..., an AWS key id) goes too: it names an account.
"""

import re

from sre_agent.evidence.redaction.placeholder import mark

# The start of a key: not inside another word. JSON inside a string writes a line break as "\n".
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"

_PREFIXED = (
    # code and packages
    r"gh[opusr]_\w{20,}|github_pat_\w{20,}|gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[\w.-]{16,}|ATBB[A-Za-z0-9]{24,}|"
    r"ATATT3[\w=-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}|rubygems_[0-9a-f]{32,}|dckr_(?:pat|oat)_[\w-]{20,}|CCIPAT_\w{20,}|"
    r"bk(?:ua|ct|aj)_[0-9a-f]{32,}|PMAK-[0-9a-f]{24}-[0-9a-f]{34}|"
    # clouds and platforms
    r"(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[0-9A-Z]{16}\b|AIza[\w-]{30,}|ya29\.[\w-]{16,}|GOCSPX-[\w-]{20,}|do[por]_v1_[0-9a-f]{32,}|"
    r"dapi[0-9a-f]{32}(?:-\d)?|hv[sbr]\.[\w-]{16,}|dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{16,}|tskey-[a-z]+-[\w-]{16,}|"
    r"pul-[0-9a-f]{40}|nf[pcoub]_\w{30,}|fm[12]_[\w+/=,-]{30,}|sbp_[0-9a-f]{32,}|pscale_(?:tkn|pw|oauth)_[\w.=-]{20,}|"
    r"\w{14}\.atlasv1\.[\w-]{40,}|cfut_\w{30,}|v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}|ops_eyJ[\w-]{20,}|AGE-SECRET-KEY-1[0-9A-Z]{50,}|"
    # money, mail, chat
    r"(?:sk|pk|rk)_(?:live|test)_\w{8,}|whsec_[\w+/=-]{8,}|sq0[a-z]{3}-[\w-]{20,}|SG\.[\w-]{10,}\.[\w-]{10,}|"
    r"key-[0-9a-f]{32}\b|[0-9a-f]{32}-us\d{1,2}\b|xkeysib-[0-9a-f]{40,}(?:-\w+)?|xox[abeoprs](?:\.xox[bp])?-[\w-]{8,}|xapp-[\w-]{8,}|"
    r"\d{8,10}:AA[\w-]{32,}|[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,38}|(?:AC|SK)[0-9a-f]{32}\b|shp(?:at|ss|ca|pa|tka)_[0-9a-fA-F]{16,}|"
    # models
    r"(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|pplx-[0-9A-Za-z]{32,}|r8_[A-Za-z0-9]{30,}|xai-\w{30,}|"
    # watching and paging
    r"NR(?:AK|JS|II|IQ|AA|RA)-[\w-]{16,}|[0-9a-zA-Z]{36,40}NRAL\b|gl(?:sa|c)_[\w+/=-]{20,}|sntry[su]_[\w+/=-]{20,}|"
    r"pd(?:us|eu)\+_[\w-]{16,}|dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{60,}|(?:sdk|api|mob)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|"
    r"hca[iu]k_\w{20,}|ddapp?_\w{20,}|"
    # desks
    r"lin_(?:api|oauth)_\w{16,}|(?:secret|ntn)_[A-Za-z0-9]{40,}|figd_[\w-]{20,}|pat[A-Za-z0-9]{14}\.[0-9a-f]{64}|tfp_[\w-]{40,}|"
    r"CFPAT-[\w-]{40,}|sgp_[\w]{40,}|"
    # Azure's client secrets have their mark in the middle
    r"[\w~.-]{3}\dQ~[\w~.-]{30,35}"
)
_TOKEN = re.compile(rf"{_START}(?:{_PREFIXED})")
_LEGACY_VAULT = re.compile(r"(?<![\w.])s\.[A-Za-z0-9]{24}(?![\w.])")
_JWT = re.compile(rf"{_START}eyJ[\w-]{{8,}}(?:\.[\w-]{{4,}}(?:\.[\w-]*){{0,3}}|[\w+/=-]{{24,}})|{_START}v[1-4]\.(?:local|public)\.[\w-]{{20,}}")
_HINTS = (
    "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-",
    "glagent-", "gloas-", "glsoat-", "glffct-", "atbb", "atatt3", "npm_", "pypi-", "rubygems_", "dckr_", "ccipat_", "bkua_", "bkct_",
    "bkaj_", "pmak-", "akia", "asia", "aroa", "aida", "abia", "acca", "aiza", "ya29.", "gocspx-", "_v1_", "dapi", "hvs.", "hvb.", "hvr.",
    "dp.", "tskey-", "pul-", "nfp_", "nfc_", "nfo_", "nfu_", "nfb_", "fm1_", "fm2_", "sbp_", "pscale_", ".atlasv1.", "cfut_", "v1.0-",
    "ops_eyj", "age-secret-key-", "k_live_", "k_test_", "whsec_", "sq0", "sg.", "key-", "-us", "xkeysib-", "xox", "xapp-", ":aa",
    "shpat_", "shpss_", "shpca_", "shppa_", "shptka_", "sk-", "pk-", "rk-", "hf_", "gsk_", "pplx-", "r8_", "xai-", "nrak-", "nrjs-",
    "nrii-", "nriq-", "nraa-", "nrra-", "nral", "glsa_", "glc_", "sntry", "pdus+_", "pdeu+_", "dt0", "sdk-", "api-", "mob-", "hcaik_",
    "hcauk_", "dda", "lin_api_", "lin_oauth_", "secret_", "ntn_", "figd_", "pat", "tfp_", "cfpat-", "sgp_", "q~",
)  # fmt: skip
_TWILIO = re.compile(r"(?:AC|SK)[0-9a-f]{32}")
_DISCORD = re.compile(r"[MNO][\w-]{23,25}\.[\w-]{6}\.")
_LONG = re.compile(r"[\w~.+-]{20}")


def vendor_tokens(text: str, lower: str) -> str:
    """Keys with a vendor's prefix, and signed or encrypted tokens (RFC 7519, PASETO)."""
    if _LONG.search(text) is None:
        return text
    if "eyj" in lower or ".local." in lower or ".public." in lower:
        text = _JWT.sub(lambda m: mark("jwt", m.group()), text)
    for hint in _HINTS:  # a plain loop: any() over a generator costs twice as much, and this runs for every line
        if hint in lower:
            break
    else:
        if _TWILIO.search(text) is None and _DISCORD.search(text) is None and "s." not in lower:
            return text
    text = _TOKEN.sub(lambda m: mark("token", m.group()), text)
    return _LEGACY_VAULT.sub(lambda m: mark("token", m.group()), text)


def is_vendor_token(value: str) -> bool:
    """True when all of `value` is one key with a vendor's prefix: under a name it gets the same tag as without one."""
    found = _TOKEN.match(value)
    return found is not None and found.end() == len(value)
