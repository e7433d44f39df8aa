"""Personal data to plant: made-up addresses, numbers with right check digits in many notations, identifiers behind their labels."""

import random

from tests.evidence.corpus.planted import B62, DIGITS, LOWER, UPPER, of

NAMES = ("jane.doe", "j.r", "o'connor", "müller", "zoë.k", "li_wei", "ana-maria", "max", "support+eu", "x.y.z+tag=7")
HOSTS = ("example.com", "mail.example.co.uk", "exämple.de", "corp.example.org", "example.travel", "sub.domain.example.io")


def mail(r: random.Random) -> str:
    """A mail address, also with plus, umlauts and an apostrophe."""
    local = r.choice((r.choice(NAMES), of(LOWER, 6)(r) + of(DIGITS, 2)(r), r.choice(NAMES) + of(DIGITS, 3)(r)))
    return f"{local.split('=')[0]}@{r.choice(HOSTS)}"


def _grouped(digits: str, sizes: tuple[int, ...], by: str) -> str:
    out, at = [], 0
    for size in sizes:
        out.append(digits[at : at + size])
        at += size
    return by.join(out)


def luhn(head: str) -> str:
    """`head` and its check digit (ISO/IEC 7812-1)."""
    total = sum(d if i % 2 else sum(divmod(2 * d, 10)) for i, d in enumerate(int(c) for c in reversed(head)))
    return head + str(-total % 10)


def card(r: random.Random) -> str:
    """A payment card number of a big network, run together or grouped as on the card."""
    head, length, sizes = r.choice(
        (
            ("4", 16, (4,) * 4),
            (f"5{r.randint(1, 5)}", 16, (4,) * 4),
            ("2345", 16, (4,) * 4),
            ("34", 15, (4, 6, 5)),
            ("37", 15, (4, 6, 5)),
            ("6011", 16, (4,) * 4),
            ("3530", 16, (4,) * 4),
            ("36", 14, (4, 6, 4)),
            ("6212", 16, (4,) * 4),
        )
    )
    number = luhn(head + of(DIGITS, length - len(head) - 1)(r))
    return _grouped(number, sizes, r.choice(("", " ", "-")))


def iban(r: random.Random) -> str:
    """An account number of a country with a simple structure, run together or in fours."""
    country, bank, account = r.choice(
        (
            ("DE", of(DIGITS, 8), 10),
            ("GB", of(UPPER, 4), 14),
            ("NL", of(UPPER, 4), 10),
            ("AT", of(DIGITS, 5), 11),
            ("CH", of(DIGITS, 5), 12),
        )
    )
    body = bank(r) + of(DIGITS, account)(r)
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    whole = f"{country}{98 - number % 97:02d}{body}"
    return whole if r.random() < 0.5 else " ".join(whole[i : i + 4] for i in range(0, len(whole), 4))


def phone(r: random.Random) -> str:
    """A telephone number in a notation that shows itself as one."""
    area, mid, last = f"{r.randint(2, 9)}{of(DIGITS, 2)(r)}", f"{r.randint(2, 9)}{of(DIGITS, 2)(r)}", of(DIGITS, 4)(r)
    d = of(DIGITS, 7)(r)
    return r.choice(
        (
            f"({area}) {mid}-{last}",
            f"{area}-{mid}-{last}",
            f"{area}.{mid}.{last}",
            f"+1 {area} {mid} {last}",
            f"+1-{area}-{mid}-{last}",
            f"+1{area}{mid}{last}",
            f"1-{area}-{mid}-{last}",
            f"+49 170 {d}",
            f"+49170{d}",
            f"+49 (0)170 {d}",
            f"+44 20 7946 {last}",
            f"+44 7700 900{last[:3]}",
            f"+33 6 {last[:2]} {last[2:]} {d[:2]} {d[2:4]}",
            f"+91 98765 {d[:5]}",
            f"+81-90-{last}-{d[:4]}",
            f"0049 170 {d}",
        )
    )


def labelled_phone(r: random.Random) -> str:
    """A number that only its label tells: national notations and bare digits."""
    return r.choice(
        (
            f"0170 {of(DIGITS, 7)(r)}",
            f"07700 900{of(DIGITS, 3)(r)}",
            of(DIGITS[2:], 10)(r),
            f"0{of(DIGITS[1:], 3)(r)}/{of(DIGITS, 7)(r)}",
            f"{of(DIGITS[2:], 3)(r)} {of(DIGITS[2:], 3)(r)} {of(DIGITS, 4)(r)}",
        )
    )


def nhs(r: random.Random) -> str:
    """A patient number of the English NHS with its check digit."""
    while True:
        head = of(DIGITS[4:8], 1)(r) + of(DIGITS, 8)(r)
        check = 11 - sum(int(c) * (10 - i) for i, c in enumerate(head)) % 11
        if check != 10:
            digits = head + str(check % 11)
            return _grouped(digits, (3, 3, 4), r.choice((" ", "-")))


def ssn(r: random.Random) -> str:
    """A social security number of the USA in its usual notation."""
    return f"{r.choice('1234567')}{of(DIGITS, 2)(r)}-{r.randint(10, 99)}-{r.randint(1000, 9999)}"


def record(r: random.Random) -> str:
    """A hospital's number for a patient."""
    return r.choice((of(DIGITS, 8)(r), f"MR{of(DIGITS, 7)(r)}", f"{of(UPPER, 2)(r)}-{of(DIGITS, 6)(r)}", of(DIGITS, 10)(r)))


def insurance(r: random.Random) -> str:
    """A health insurance number: Germany's, Medicare's of the USA, or an insurer's own."""
    letter, digit = of("ACDEFGHJKMNPQRTUVWXY", 1), of(DIGITS, 1)
    mbi = (
        "1"
        + "".join(part(r) for part in (letter, digit, digit))
        + f"-{letter(r)}{letter(r)}{digit(r)}-{letter(r)}{letter(r)}{digit(r)}{digit(r)}"
    )
    return r.choice((of(UPPER, 1)(r) + of(DIGITS, 9)(r), mbi, of(UPPER, 3)(r) + of(DIGITS, 9)(r)))


def npi(r: random.Random) -> str:
    """A provider's number of the USA: ten digits, Luhn's over 80840 and them."""
    return luhn("808401" + of(DIGITS, 8)(r))[5:]


def born(r: random.Random) -> str:
    """A date of birth in five notations."""
    y, m, d = r.randint(1930, 2012), r.randint(1, 12), r.randint(1, 28)
    return r.choice(
        (f"{y}-{m:02d}-{d:02d}", f"{m:02d}/{d:02d}/{y}", f"{d:02d}.{m:02d}.{y}", f"{y}{m:02d}{d:02d}", f"{d} March {y}")
    )


def national(r: random.Random) -> str:
    """A national number without a form of its own."""
    return r.choice((of(DIGITS, 9)(r), f"{of(UPPER, 1)(r)}{of(DIGITS, 8)(r)}", f"{of('ABCEGHJ', 2)(r)}{of(DIGITS, 6)(r)}A"))


def one_time(r: random.Random) -> str:
    """A code for one login."""
    return r.choice((of(DIGITS, 6)(r), of(DIGITS, 8)(r), of(B62, 7)(r) + "4"))
