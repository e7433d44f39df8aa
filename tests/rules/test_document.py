"""YAML with places: exact, bounded, and with a plain complaint for whatever is no rule file."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre_agent.incident.errors import ConfigurationError
from sre_agent.rules.document import MOST_DEPTH, Mapping, Node, Scalar, Sequence, duplicates, load, read


def scalars(node: Node) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, Sequence):
        return [s for item in node.items for s in scalars(item)]
    return [s for e in node.entries for s in (e.key, *scalars(e.value))]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text("abé😀 -_x", min_size=1).map(str.strip).filter(lambda t: t and not t.startswith("-")), min_size=1))
@pytest.mark.parametrize(("lead", "end"), [("", "\n"), ("\ufeff", "\n"), ("", "\r\n")])
def test_offsets_point_at_the_very_characters(lead: str, end: str, words: list[str]):
    document = read(lead + "groups:" + end + "".join(f"  - {w}{end}" for w in words), "f")
    found = scalars(document.roots[0])
    assert [s.text for s in found] == ["groups", *words]
    assert [document.text[s.place.start : s.place.end] for s in found] == ["groups", *words]
    assert [s.place.line for s in found] == list(range(1, len(words) + 2))
    assert {s.place.column for s in found[1:]} == {5}


def test_a_bomb_of_aliases_is_refused():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    with pytest.raises(ConfigurationError, match=r"f:\d+: stands for more than 1,000,000 values"):
        read(bomb, "f")


@pytest.mark.parametrize("text", ["[" * 300_000, "{a: " * 300_000, "- " * 300_000, "a: " + "[" * 100 + "]" * 100])
def test_what_is_nested_too_deep_is_refused(text: str):
    with pytest.raises(ConfigurationError, match=f"f:1: nested deeper than {MOST_DEPTH} levels"):
        read(text, "f")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]", "f:1: the anchor &a contains itself"),
        ("a: 1\nb: *nowhere", "f:2: the alias"),
        ("a: 1\n\tb: 2", "f:2: this is not valid YAML"),
        ("expr: {{ .Values.x }}\nfoo: {{- end }}", "render the file's templates first"),
        ("a: \x00", "this is not valid YAML"),
        ("? [a, b]\n: 1", "a key must be a plain word"),
        ("<<: [1]", "a merge key"),
    ],
)
def test_what_is_no_yaml_is_said_with_its_line(text: str, said: str):
    with pytest.raises(ConfigurationError) as refused:
        read(text, "f")
    assert said in str(refused.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "r.yaml").write_bytes(b"groups:\n  - \xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"r\.yaml:2: this is not UTF-8 text"):
        load(tmp_path / "r.yaml")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    (tmp_path / "r.yaml").write_bytes(b"#" * (16 * 1024 * 1024 + 1))
    with pytest.raises(ConfigurationError, match="is larger than 16 MiB"):
        load(tmp_path / "r.yaml")


def test_a_folder_or_nothing_is_no_file(tmp_path):
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path)


def test_merge_keys_give_what_the_mapping_itself_does_not_say():
    root = read("x: &x {a: 1, b: 2}\ny: &y {b: 5, c: 6}\nz:\n  <<: [*x, *y]\n  a: 3", "f").roots[0]
    assert isinstance(root, Mapping)
    merged = root.mapping("z")
    assert merged is not None
    assert {e.key.text: e.value.text for e in merged.entries} == {"a": "3", "b": "2", "c": "6"}


def test_keys_given_twice_are_found_wherever_they_are_and_once():
    root = read("a: &a {b: 1, b: 2}\nc: [*a, {d: 1, e: 2, 'd': 3}]", "f").roots[0]
    assert sorted((first.text, again.place.column) for first, again in duplicates(root)) == [("b", 14), ("d", 22)]
