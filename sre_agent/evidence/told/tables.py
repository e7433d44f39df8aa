"""Tables as tools print them beside kubectl: by columns under their heads, or with | between them. Pure."""

MOST_ROWS = 1_000


def table(text: str, needs: set[str]) -> list[dict[str, str]]:
    """The rows of the first table whose heads hold all of `needs`, as head -> cell; [] when there is none.

    Columns are found by |, by tabs, or by words where a row has as many as there are heads.
    """
    lines = text.splitlines()
    for at, line in enumerate(lines):
        heads = _cells(line)
        if needs <= set(heads):
            return list(_rows(lines[at + 1 : at + 1 + MOST_ROWS], heads))
    return []


def _rows(lines: list[str], heads: list[str]) -> list[dict[str, str]]:
    found = []
    for line in lines:
        if not line.strip() or line.startswith("("):
            break
        cells = _cells(line)
        if len(cells) >= len(heads) and set(line) - set("-+| "):
            found.append(dict(zip(heads, cells, strict=False)))
    return found


def _cells(line: str) -> list[str]:
    if "|" in line:
        return [cell.strip() for cell in line.strip().strip("|").split("|")]
    if "\t" in line:
        return [cell.strip() for cell in line.split("\t")]
    return line.split()
