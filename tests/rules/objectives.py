"""Files of objectives for tests: one good one, changed in one place at a time."""

from pathlib import Path

from sre_agent.rules.generate.files import Generated, generated
from sre_agent.rules.slo_problems import read_slos

GOOD = """\
slos:
  - name: checkout
    objective: 0.999
    ratio:
      errors: http_requests_total{code=~"5.."}
      total: http_requests_total
    labels: {alert_type: infra, team: platform, namespace: shop, deployment: checkout}
  - name: crm
    objective: 0.99
    latency: {histogram: crm_seconds, threshold_s: 2}
    labels: {alert_type: tool, team: integrations, tool_name: crm}
quantiles:
  - name: answers
    histogram: answer_seconds
    quantile: 0.95
    above_s: 0.8
    labels: {alert_type: model, team: ai-eng, vertical: healthcare}
costs:
  - name: model-cost
    cost: cost_per_hour
    baseline: usual_cost_per_hour
    labels: {alert_type: model, team: ai-eng}
"""


def changed(folder: Path, *edits: tuple[str, str], text: str = GOOD) -> Path:
    """The good file with edits, in a folder."""
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "slo.yaml"
    path.write_text(text)
    return path


def complaints(folder: Path, *edits: tuple[str, str], text: str = GOOD) -> list[str]:
    """What is wrong, without the folder."""
    return [wrong.removeprefix(f"{folder}/") for wrong in read_slos(changed(folder, *edits, text=text))[1]]


def made(path: Path) -> Generated:
    """What is written for a file that is right."""
    file, wrong = read_slos(path)
    assert file is not None, wrong
    return generated(file, path.name)


def written(path: Path, folder: Path) -> tuple[Path, ...]:
    """The files, written."""
    for one in made(path).files:
        (folder / one.name).write_text(one.text)
    return tuple(folder / one.name for one in made(path).files)
