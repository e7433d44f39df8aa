"""Who can reach a status page at all."""

from tests.house.tree import PACKAGE, sources


def holders(word: str) -> set[str]:
    """The files of the product that name it."""
    return {str(path.relative_to(PACKAGE)) for path in sources() if word in path.read_text(encoding="utf-8")}


def test_only_the_command_that_a_person_runs_can_publish():
    assert holders("open_publisher") == {"wiring/status_page.py", "cli/status_page.py"}
    assert holders("StatusPublisher") == {"response/status_publishing.py", "wiring/status_page.py"}
    assert holders("adapters.statuspage") == {"wiring/status_page.py"}
    assert holders("statuspage_api_key") == {"settings/paging.py", "wiring/status_page.py"}
