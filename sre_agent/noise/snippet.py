"""What to write, and where, to make a change: a piece of YAML for people to paste and look at. Names in it are data, and quoted."""

from datetime import timedelta

from sre_agent.noise.change import Change, Kind

_ABSENT = {
    "alert_type": "infra | model | tool",
    "team": "the owning team",
    "severity": "page | ticket",
    "tool_name": "the tool's name",
}


def snippet(change: Change, missing: tuple[str, ...]) -> str:
    """The change as YAML; `missing` are the labels that the rule lacks."""
    rule = _quoted(change.rule)
    matcher = _quoted(f"alertname={_matched(change.rule)}")
    match change.kind:
        case Kind.HOLD:
            return f"# Prometheus rule\n- alert: {rule}\n  for: {_minutes(change.span)}   # longer by this than it is now"
        case Kind.MERGE:
            spans = f"group_wait: 30s\n  group_interval: {_minutes(change.span)}"
            return f"# Alertmanager route\n- matchers: [{matcher}]\n  group_by: [alertname, team, alert_type, tool_name]\n  {spans}"
        case Kind.DIGEST:
            spans = "group_wait: 1h\n  group_interval: 1h"
            far = _quoted(f"{change.rule} far above its baseline")
            return (
                f"# Prometheus rule, beside the one there is: what cannot wait for the digest\n- alert: {far}\n"
                "  expr: COST > 5 * BASELINE\n  labels:\n    severity: page\n"
                f"# Alertmanager route\n- matchers: [{matcher}]\n  receiver: cost-digest\n  {spans}"
            )
        case Kind.BURN:
            return (
                f"# Prometheus rule, in place of the threshold\n- alert: {rule}\n  expr: |\n"
                "    job:errors:ratio_rate1h > (14.4 * (1 - SLO)) and job:errors:ratio_rate5m > (14.4 * (1 - SLO))"
            )
        case Kind.DELETE:
            return f"# Prometheus rule: take it out, or make it a ticket\n- alert: {rule}\n  labels:\n    severity: ticket"
        case Kind.LABEL:
            lines = "\n".join(f"    {name}: ...   # {_ABSENT[name]}" for name in missing)
            return f"# Prometheus rule\n- alert: {rule}\n  labels:\n{lines}"


def _quoted(name: str) -> str:
    """A double-quoted scalar of YAML 1.2 (5.7, escaped characters): one line, and nothing in it that YAML would not take."""
    return '"' + "".join(map(_escaped, name)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def _matched(name: str) -> str:
    """A value in an Alertmanager matcher, which knows these three escapes (alerting configuration, "matcher")."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f}m"
