"""What a browser makes of a page: questions put to the real thing, answered in plain values."""

from itertools import pairwise
from typing import Any

from playwright.async_api import Page

CONTRAST = """() => {
  const rgb = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const lum = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
    return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const ground = (e) => { const layers = [];
    for (let n = e; n; n = n.parentElement) layers.push(rgb(getComputedStyle(n).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]); };
  const bad = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, s = getComputedStyle(e), box = e.getBoundingClientRect();
    const shown = walk.currentNode.nodeValue.trim();
    if (!shown || s.visibility === "hidden" || box.width < 2 || e.closest(".off, .skip, title, desc")) continue;
    const colour = e.closest("svg") ? s.fill : s.color, under = ground(e);
    const a = lum(over(rgb(colour), under)), b = lum(under);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${e.tagName}.${e.className.baseVal ?? e.className}: ${shown.slice(0, 40)}`);
  }
  return [...new Set(bad)];
}"""
"""Text whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3), worst rule for any size."""

NAMELESS = """() => {
  const name = (e) => e.getAttribute("aria-label") || e.innerText || e.title || (e.labels && e.labels[0] && e.labels[0].innerText)
    || (e.getAttribute("aria-labelledby") && document.getElementById(e.getAttribute("aria-labelledby")).innerText) || "";
  const these = "a[href], button, input:not([type=hidden]), select, textarea, summary, nav, aside, figure svg[role=img]";
  return [...document.querySelectorAll(these)].filter((e) => e.checkVisibility())
    .filter((e) => !name(e).trim()).map((e) => e.outerHTML.slice(0, 120));
}"""
"""Controls, landmarks and pictures without a name."""

HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4")].map((h) => Number(h.tagName[1]))"""
TWICE = """() => { const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return ids.filter((id, n) => ids.indexOf(id) !== n); }"""
SIDEWAYS = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""
SMALL = """() => [...document.querySelectorAll("button, .button, select, input:not([type=hidden])")]
  .filter((e) => e.offsetParent).map((e) => [e.getBoundingClientRect(), e.outerHTML.slice(0, 80)])
  .filter(([b]) => b.height < 24 || b.width < 24).map(([, html]) => html)"""
"""Targets below 24 by 24 px (WCAG 2.2, 2.5.8)."""

FOCUS = """() => { const e = document.activeElement, s = getComputedStyle(e);
  return [
    e === document.body ? "BODY" : e.innerText || e.name || e.tagName,
    s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2]; }"""


async def complaints(page: Page) -> dict[str, Any]:
    """Everything that is wrong with the page as it stands; {} when nothing is."""
    headings = await page.evaluate(HEADINGS)
    jumps = [(a, b) for a, b in pairwise(headings) if b > a + 1]
    found = {
        "contrast": await page.evaluate(CONTRAST),
        "without a name": await page.evaluate(NAMELESS),
        "headings": jumps + ([] if headings.count(1) == 1 and headings[0] == 1 else [headings]),
        "ids twice": await page.evaluate(TWICE),
        "sideways": [wide] if (wide := await page.evaluate(SIDEWAYS)) > 0 else [],
        "too small": await page.evaluate(SMALL),
        "landmarks": [n for n in ("header", "main", "footer") if await page.locator(n).count() < 1],
    }
    return {what: wrong for what, wrong in found.items() if wrong}


async def by_keyboard(page: Page, most: int = 80) -> list[tuple[str, bool]]:
    """What Tab reaches, in order, and whether the focus can be seen there; until it comes round again."""
    reached: list[tuple[str, bool]] = []
    for _ in range(most):
        await page.keyboard.press("Tab")
        here = tuple(await page.evaluate(FOCUS))
        if here in reached and here[0] != "BODY" and reached[0] == here:
            break
        reached.append(here)
    return reached
