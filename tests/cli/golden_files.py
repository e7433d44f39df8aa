"""Golden files: what a command printed when somebody last looked at it and found it good.

`GOLDEN=write pytest tests/cli` writes them again; look at the difference before committing it.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str) -> None:
    """The text is what the golden file says."""
    path = FOLDER / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"no {path.name}: write it with GOLDEN=write"
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; if that is wanted, write it with GOLDEN=write"
