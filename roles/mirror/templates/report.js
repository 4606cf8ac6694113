"use strict";
const units = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const format = new Intl.RelativeTimeFormat("en", {numeric: "auto"});
for (const time of document.querySelectorAll("time")) {
  const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
  const [unit, length] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  if (!Number.isNaN(seconds)) { time.title = time.dateTime; time.textContent = format.format(Math.round(seconds / length), unit); }
}

// A run may start late and take a while, so it counts as overdue only after an hour.
const late = document.getElementById("late");
if (late && Date.now() - new Date(late.dataset.due) > 3600 * 1000) {
  late.hidden = false;
  document.getElementById("next").classList.add("bad");
}

const table = document.getElementById("images");
const body = table.tBodies[0];
const rows = [...body.rows];
const items = [...document.querySelectorAll(".filtered > li")];
const codes = element => [...element.querySelectorAll("[data-copy]")].map(button => button.dataset.copy).join(" ");
const text = new Map([...rows, ...items].map(element => [element, `${element.textContent} ${codes(element)}`.toLowerCase()]));
const filter = document.getElementById("filter");
const show = () => {
  const words = filter.value.toLowerCase().split(/\s+/);
  for (const element of text.keys()) element.hidden = !words.every(word => text.get(element).includes(word));
  document.getElementById("count").textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length}`;
};
filter.addEventListener("input", show);
show();

const key = cell => cell.dataset.value ?? cell.querySelector("time")?.dateTime ?? cell.textContent;
const heads = [...table.tHead.rows[0].cells];
heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
  const down = head.ariaSort === "ascending";
  heads.forEach(other => other.removeAttribute("aria-sort"));
  head.ariaSort = down ? "descending" : "ascending";
  rows.sort((a, b) => key(a.cells[column]).localeCompare(key(b.cells[column]), "en", {numeric: true}) * (down ? -1 : 1));
  body.append(...rows);
}));

// Browsers offer the clipboard API only to pages loaded over HTTPS or from a file. On other pages, copy a selection.
const copy = async value => {
  if (window.isSecureContext && navigator.clipboard) {
    try { return await navigator.clipboard.writeText(value); } catch { /* refused: copy a selection */ }
  }
  const area = document.createElement("textarea");
  area.value = value;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("refused");
};
document.addEventListener("click", async event => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const value = button.dataset.copy;
  const told = document.getElementById("copied");
  try { await copy(value); told.textContent = `Copied ${value}`; } catch { told.textContent = `The browser blocked the copy. Copy this text yourself: ${value}`; }
  button.focus();
});
