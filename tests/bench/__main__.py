"""`make bench`: prints ratios for this machine. Exit status 1 when a target is missed."""

import sys
import tempfile
from pathlib import Path

from sre_agent.adapters.embedded_postgres import AtEnd, EmbeddedPostgres
from tests.bench import ingest


def main() -> int:
    """Every benchmark, one after another, on a database of its own."""
    with tempfile.TemporaryDirectory(prefix="sre-agent-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres.start(Path(folder) / "data", at_end=AtEnd.DELETE, spare=Path(folder) / "spare")
        try:
            held = [ingest.run(server.database_url("bench"))]
        finally:
            server.close()
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
