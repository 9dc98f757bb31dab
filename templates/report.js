// Filters, sorting and search. The page says everything without it: this only narrows and reorders.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);

  function filters() {
    const box = one("filters");
    if (!box) return;
    const chosen = new Map();
    const findings = all(".finding");
    const everything = one("showing").textContent;

    function matches(finding) {
      const marks = finding.dataset.marks.split(" ");
      return [...chosen.values()].every((mark) => marks.includes(mark));
    }
    function apply() {
      for (const card of all(".card")) card.hidden = !all(".finding", card).some(matches);
      for (const chip of all("[data-mark]", box)) {
        chip.setAttribute("aria-pressed", String(chosen.get(chip.dataset.facet) === chip.dataset.mark));
      }
      one("reset").hidden = chosen.size === 0;
      const count = findings.filter(matches).length;
      one("showing").textContent = chosen.size ? `${count} of ${findings.length} findings match` : everything;
    }
    one("reset").addEventListener("click", () => {
      chosen.clear();
      apply();
    });
    box.addEventListener("click", (event) => {
      const chip = event.target.closest("button");
      if (!chip) return;
      if (chosen.get(chip.dataset.facet) === chip.dataset.mark) chosen.delete(chip.dataset.facet);
      else chosen.set(chip.dataset.facet, chip.dataset.mark);
      apply();
    });
    window.addEventListener("hashchange", () => {
      const target = one(decodeURIComponent(location.hash.slice(1)));
      if (!target || !target.closest(".card[hidden]")) return;
      chosen.clear();
      apply();
      target.scrollIntoView();
    });
    box.hidden = one("narrowed").hidden = false;
    box.open = matchMedia("(min-width: 760px)").matches;
  }

  function usage() {
    const table = one("usage-table");
    if (!table) return;
    const body = table.tBodies[0];
    const visible = body.rows.length;
    const more = one("usage-more");
    if (more) {
      body.append(...all("tbody tr", more));
      more.remove();
    }
    let rows = [...body.rows];
    let whole = false;
    const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    const input = one("search").querySelector("input");
    const button = one("usage-all");

    function show() {
      const wanted = input.value.trim().toLowerCase();
      const found = rows.filter((row) => words.get(row).includes(wanted));
      const shown = new Set(whole || wanted ? found : found.slice(0, visible));
      for (const row of rows) row.hidden = !shown.has(row);
      button.hidden = shown.size === found.length;
      button.textContent = `Show all ${found.length.toLocaleString("en-GB")} rows`;
    }
    function value(row, column) {
      const text = row.cells[column].dataset.value;
      return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text.toLowerCase();
    }
    function compare(a, b) {
      if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
      return typeof a === "number" ? -1 : 1;
    }
    function sort(head) {
      const numeric = head.classList.contains("num");
      const next = { descending: "ascending", ascending: "descending" };
      const order = next[head.getAttribute("aria-sort")] || (numeric ? "descending" : "ascending");
      for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      rows = rows.sort((a, b) => sign * compare(value(a, head.cellIndex), value(b, head.cellIndex)));
      body.append(...rows);
      show();
    }
    for (const head of all("thead th:not([data-fixed])", table)) {
      const trigger = document.createElement("button");
      trigger.type = "button";
      trigger.append(...head.childNodes);
      head.append(trigger);
      trigger.addEventListener("click", () => sort(head));
    }
    const requests = all("thead th", table).find((head) => head.textContent === "Requests");
    requests.setAttribute("aria-sort", "descending");
    input.addEventListener("input", show);
    button.addEventListener("click", () => {
      whole = true;
      show();
    });
    one("search").hidden = false;
    show();
  }

  filters();
  usage();
})();
