"use strict";
// Sorts tables by a column, and shows the students that are looked for. Without it the page is whole, but still.
const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

function value(row, column) {
  let at = 0;
  for (const cell of row.cells) {
    if (column < at + cell.colSpan) return cell.dataset.value ?? cell.textContent.trim();
    at += cell.colSpan;
  }
  return "";
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", (event) => {
    const number = event.currentTarget.dataset.kind === "number";
    const before = head.getAttribute("aria-sort");
    // Numbers begin with the largest, words with A.
    const down = before === "none" ? number : before === "ascending";
    heads.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
    const empty = ([text]) => text === "" || (number && Number.isNaN(Number.parseFloat(text)));
    rows.sort((a, b) => {
      // Who has no value stays at the end, whichever way.
      if (empty(a) || empty(b)) return empty(a) - empty(b);
      const order = number ? Number.parseFloat(a[0]) - Number.parseFloat(b[0]) : words.compare(a[0], b[0]);
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }));
}

const find = document.getElementById("find");
const state = document.getElementById("state");
const shown = document.getElementById("shown");
const rows = [...document.getElementById("table").tBodies[0].rows];

function filter() {
  const wanted = find.value.trim().toLocaleLowerCase();
  let count = 0;
  for (const row of rows) {
    const names = `${row.cells[0].textContent} ${row.cells[1].textContent}`.toLocaleLowerCase();
    row.hidden = !names.includes(wanted) || (state.value !== "" && row.dataset.state !== state.value);
    count += !row.hidden;
  }
  shown.textContent = count === rows.length ? `${count} students` : `${count} of ${rows.length} students`;
}
find.addEventListener("input", filter);
state.addEventListener("change", filter);
find.form.addEventListener("submit", (event) => event.preventDefault());
