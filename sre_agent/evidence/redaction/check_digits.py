"""Identifiers that carry check digits, told from other numbers of their length. The only file that knows python-stdnum.

The library is imported when the first candidate turns up (50 ms); most processes never meet one.
"""

import re
from functools import lru_cache

_UNGROUPED_MOST = 16
"""An unlabelled run of 17 to 19 digits is nearly always a snowflake id or a time in nanoseconds; one in ten passes Luhn."""

_COUNTRIES = frozenset(
    re.findall(
        "..",
        "ADAEALATAZBABEBGBHBIBRBYCHCRCYCZDEDJDKDOEEEGESFIFKFOFRGBGEGIGLGRGTHRHUIEILIQISITJOKWKZLBLCLILTLULVLYMCMDMEMKMNMRMTMUNINLNOOMPKPL"
        "PSPTQARORSRUSASCSDSESISKSMSOSTSVTLTNTRUAVAVGXKYE",
    )
)
"""Countries of the IBAN registry: most hexadecimal ids do not begin with one, and need not be calculated."""


def is_card(digits: str, *, grouped: bool) -> bool:
    """True for a payment card number: a length that its issuer range uses (ISO/IEC 7812) and Luhn's check digit."""
    if not _issued(digits) or (not grouped and len(digits) > _UNGROUPED_MOST):
        return False
    from stdnum import luhn

    return luhn.is_valid(digits)


def is_iban(text: str) -> bool:
    """True for an account number of ISO 13616: its country's structure, and 1 modulo 97. Blanks and case do not matter."""
    if text[:2].upper() not in _COUNTRIES:
        return False
    from stdnum import iban

    # The national check inside some IBANs is left out: a typing error of a customer is still their account.
    return iban.is_valid(text, check_country=False)


def is_nhs(digits: str) -> bool:
    """True for a patient number of the English NHS: ten digits, the last of them modulo 11."""
    from stdnum.gb import nhs

    return nhs.is_valid(digits)


@lru_cache(maxsize=512)
def _issued(digits: str) -> bool:
    """Whether networks issue numbers of this beginning and length."""
    two, three, four, length = int(digits[:2] or 0), int(digits[:3] or 0), int(digits[:4] or 0), len(digits)
    if digits[:1] == "4":
        return length in (16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16
    if two in (34, 37):
        return length == 15
    if two in (36, 38, 39) or 300 <= three <= 305:
        return length == 14
    if 3528 <= four <= 3589 or four == 6011 or 644 <= three <= 659:
        return 16 <= length <= 19
    return (two in (50, 62) or 56 <= two <= 69) and 16 <= length <= 19
