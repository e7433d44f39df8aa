"use strict";
// Beside htmx: what a person is doing is kept when a part of the page is replaced, and deadlines count down.
(() => {
  let opened = [], focused = "";
  const writing = (part) => [...part.querySelectorAll("input:not([type=hidden]),textarea")].some((f) => f === document.activeElement || f.value !== f.defaultValue);
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr } = event.detail;
    if (target.id !== "incident") return;
    // Signed out meanwhile: the answer is another page. Writing: the part is replaced once the field is left empty or sent.
    if (!new URL(xhr.responseURL).pathname.endsWith("/now") || writing(target)) event.detail.shouldSwap = false;
    opened = [...document.querySelectorAll("#incident details[open][id]")].map((d) => d.id);
    focused = document.activeElement ? document.activeElement.id : "";
  });
  document.addEventListener("htmx:afterSettle", () => {
    opened.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    opened = []; focused = "";
  });
  const left = (s) => s <= 0 ? "over" : s < 60 ? `in ${s} s` : `in ${Math.floor(s / 60)} min ${s % 60} s`;
  setInterval(() => document.querySelectorAll("[data-until]").forEach((e) => {
    e.textContent = left(Math.round((Date.parse(e.dataset.until) - Date.now()) / 1000));
  }), 1000);
})();
