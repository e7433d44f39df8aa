"""Matchers: Alertmanager's syntax and semantics, held against amtool."""

import random
import shutil
import subprocess
import time

import pytest

from sre_agent.routing.matcher import Matcher, all_hold, matcher


@pytest.mark.parametrize(
    ("text", "name", "operator", "value"),
    [
        ('a="b"', "a", "=", "b"),
        ("a=b", "a", "=", "b"),
        (' a != "b c" ', "a", "!=", "b c"),
        ('a=~"b|c"', "a", "=~", "b|c"),
        ('a!~"b.*"', "a", "!~", "b.*"),
        ('a=""', "a", "=", ""),
        ("a=", "a", "=", ""),
        (r'a="x\"y\\z\n\d"', "a", "=", 'x"y\\z\n\\d'),
        ("a=b=c", "a", "=", "b=c"),
        ('a="ü😀"', "a", "=", "ü😀"),
    ],
)
def test_a_matcher_is_read_as_alertmanager_reads_it(text: str, name: str, operator: str, value: str):
    assert matcher(text) == Matcher(name, operator, value)


@pytest.mark.parametrize(
    "text",
    ["", "a", "=b", '1a="b"', 'a="b', 'a=b"', 'a="b"c"', 'a=~"("', 'a=~"(?=x)"', r'a=~"(a)\\1"', "a" * 5000 + "=b"],
)
def test_what_is_none_is_refused_with_a_reason(text: str):
    with pytest.raises(ValueError, match=r"\w"):
        matcher(text)


def test_a_missing_label_is_the_empty_one_and_an_expression_fits_the_whole_value():
    assert matcher('a=""').holds({})
    assert matcher('a!="x"').holds({})
    assert not matcher('a=~".+"').holds({})
    assert matcher('a=~"b|c"').holds({"a": "c"})
    assert not matcher('a=~"b|c"').holds({"a": "bc"})
    assert not matcher('a=~"b"').holds({"a": "b\n"})
    assert matcher('a!~"b"').holds({"a": "ab"})


def test_all_must_hold():
    assert all_hold((), {})
    assert all_hold(('a="x"', 'b!="y"'), {"a": "x"})
    assert not all_hold(('a="x"', 'b!="y"'), {"a": "x", "b": "y"})


@pytest.mark.parametrize("expression", ["(a+)+b", "(a|a)*b", "(a*){2,}", "(?:x+y?)+", "((a+))+", "([ab]+)*c", r"(\w+\s?)*!"])
def test_an_expression_that_could_take_for_ever_is_refused(expression: str):
    with pytest.raises(ValueError, match="take for ever"):
        Matcher("a", "=~", expression)


@pytest.mark.parametrize(
    "expression", ["(?i).*(ftl|first_?token).*", "a+b+c", "(a|b)", "(ab)+", "[(a+)+]", r"\(a+\)+", "(a+)?", "x{1,3}"]
)
def test_what_people_write_is_taken_and_is_quick(expression: str):
    began = time.process_time()
    Matcher("a", "=~", expression).holds({"a": "ab" * 2000})
    assert time.process_time() - began < 5


def test_amtool_says_the_same_over_drawn_matchers_and_labels(tmp_path):
    if shutil.which("amtool") is None:
        pytest.skip("Debian's prometheus-alertmanager (with amtool) is not installed")
    dice = random.Random(3)
    values = ["", "x", "y", "xy", "x y", "x.y", 'q"q', "ü", "X", "x\\y"]
    patterns = ["x|y", "x.*", ".+", "", "(?i)x", "x\\\\.y", "[a-x]", "[^x]", "x y", "^x$", "(x)(y)?", "\\\\w+", "ü"]
    texts = []
    for _ in range(150):
        operator = dice.choice(["=", "!=", "=~", "!~"])
        value = dice.choice(patterns) if "~" in operator else dice.choice(values).replace("\\", "\\\\").replace('"', '\\"')
        texts.append(f'a{operator}"{value}"')
    # One route for each matcher, all of them looked at: one question tells of all.
    routes = "".join(f"    - {{receiver: r{n}, continue: true, matchers: ['{text}']}}\n" for n, text in enumerate(texts))
    receivers = "".join(f"  - name: r{n}\n" for n in range(len(texts)))
    (tmp_path / "am.yml").write_text(f"route:\n  receiver: none\n  routes:\n{routes}receivers:\n  - name: none\n{receivers}")
    for value in values:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        command = ["amtool", "config", "routes", "test", f"--config.file={tmp_path / 'am.yml'}", f'a="{escaped}"']
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        theirs = set(ran.stdout.strip().split(",")) - {"none"}
        ours = {f"r{n}" for n, text in enumerate(texts) if matcher(text).holds({"a": value} if value else {})}
        assert ours == theirs, value
