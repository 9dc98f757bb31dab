// Filters, order, search and copying. The page is complete without this script, which only filters, sorts and copies.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);
  const data = (id) => JSON.parse(one(id)?.textContent || "null");
  const plural = (count, noun) => `${count.toLocaleString("en-GB")} ${noun}${count === 1 ? "" : "s"}`;

  function button(words, act) {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = words;
    element.addEventListener("click", () => act(element));
    return element;
  }

  function recordsById() {
    const { names, rows } = data("records") || { names: [], rows: [] };
    const records = rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
    return new Map(records.map((record) => [record.finding_id, record]));
  }

  const ORDERS = {
    raised: (record) => (record.status === "ongoing" ? 1 : 0),
    days: (record) => -record.days,
    observed: (record) => -(record.observed ?? -1),
    name: (record) => (record.name || record.key_id || "").toLowerCase(),
  };

  function findings(records) {
    if (!one("controls")) return;
    const chosen = new Map();
    const cards = all(".card");
    const entries = all(".finding");
    const everything = one("showing").textContent;
    const search = one("find");
    const words = new Map();
    const wordsOf = (finding) => {
      if (!words.has(finding)) {
        const shared = finding.closest(".card").querySelector("h2").textContent;
        words.set(finding, `${shared} ${finding.textContent}`.toLowerCase());
      }
      return words.get(finding);
    };

    function matches(finding) {
      const marks = finding.dataset.marks.split(" ");
      const wanted = search.value.trim().toLowerCase();
      return [...chosen.values()].every((mark) => marks.includes(mark)) && (!wanted || wordsOf(finding).includes(wanted));
    }
    function apply() {
      const found = new Set(entries.filter(matches));
      for (const card of cards) card.hidden = !all(".finding", card).some((finding) => found.has(finding));
      for (const chip of all("[data-mark]")) {
        chip.setAttribute("aria-pressed", String(chosen.get(chip.dataset.facet) === chip.dataset.mark));
      }
      for (const list of all("select[data-facet]")) list.value = chosen.get(list.dataset.facet) || "";
      const narrowed = chosen.size > 0 || search.value.trim() !== "";
      one("reset").hidden = !narrowed;
      one("showing").textContent = narrowed ? `${found.size} of ${plural(entries.length, "finding")} match` : everything;
    }
    function choose(facet, mark) {
      if (!mark || chosen.get(facet) === mark) chosen.delete(facet);
      else chosen.set(facet, mark);
      apply();
    }
    function clear() {
      chosen.clear();
      search.value = "";
      apply();
    }
    function reorder() {
      const value = ORDERS[one("order").value] || (() => 0);
      const keys = new Map(cards.map((card) => [card, value(records.get(card.querySelector(".finding").id) || {})]));
      const sorted = [...cards].sort((a, b) => (keys.get(a) < keys.get(b) ? -1 : keys.get(a) > keys.get(b) ? 1 : 0));
      one("cards").append(...sorted);
    }
    for (const chip of all("[data-mark]")) {
      chip.addEventListener("click", () => choose(chip.dataset.facet, chip.dataset.mark));
    }
    for (const list of all("select[data-facet]")) {
      list.addEventListener("change", () => choose(list.dataset.facet, list.value));
    }
    one("reset").addEventListener("click", () => {
      clear();
      search.focus();
    });
    search.addEventListener("input", apply);
    one("order").addEventListener("change", reorder);
    const rests = all(".rest");
    const open = one("open-all");
    open.hidden = rests.length === 0;
    open.addEventListener("click", () => {
      const wanted = open.getAttribute("aria-pressed") !== "true";
      open.setAttribute("aria-pressed", String(wanted));
      for (const rest of rests) rest.open = wanted;
    });

    function follow() {
      const target = one(decodeURIComponent(location.hash.slice(1)));
      const card = target?.closest(".card");
      if (!card) return;
      if (card.hidden) clear();
      const rest = target.querySelector(".rest");
      if (rest) rest.open = true;
      target.scrollIntoView();
    }
    window.addEventListener("hashchange", follow);
    one("controls").hidden = false;
    if (one("filters")) one("filters").open = matchMedia("(min-width: 760px)").matches;
    follow();
  }

  // A browser may refuse the clipboard to a page from a disk or in a frame. Selecting and copying still works there.
  async function toClipboard(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const copied = document.execCommand("copy");
      area.remove();
      return copied;
    }
  }

  function asText(finding, record) {
    const lines = [`${record.severity.toUpperCase()} ${finding.closest(".card").getAttribute("aria-label")}`];
    if (record.key_id) lines.push(`Key ${record.key_id}, ${record.environment || "unknown"}, ${record.team || "no team"}`);
    lines.push(`Day ${record.day}, ${record.status}`, finding.querySelector(".reason").textContent);
    for (const change of record.changes) lines.push(`- ${change}`);
    record.actions.forEach((action, i) => lines.push(`${i + 1}. ${action}`));
    lines.push(`${location.href.split("#")[0]}#${finding.id}`);
    return safe(lines.join("\n"));
  }

  // Invisible characters are escaped, so that they do not reach a terminal or a chat.
  function safe(text) {
    return text.replace(/[^\P{C}\n]/gu, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);
  }
  function safeJson(record) {
    const escape = (sign) => [...Array(sign.length).keys()]
      .map((i) => `\\u${sign.charCodeAt(i).toString(16).padStart(4, "0")}`).join("");
    return JSON.stringify(record, null, 2).replace(/[^\P{C}\n]/gu, escape);
  }

  function copying(records) {
    const message = one("copied");
    for (const finding of all(".finding")) {
      const record = records.get(finding.id);
      const foot = finding.querySelector(".foot");
      if (!record || !foot) continue;
      const copy = (words, render) => button(words, async (pressed) => {
        const copied = await toClipboard(render());
        message.textContent = copied ? `${words.replace("Copy", "Copied")}: ${record.title}` : "The browser did not allow copying.";
        pressed.textContent = copied ? "Copied" : "Not allowed";
        setTimeout(() => { pressed.textContent = words; }, 2000);
        pressed.focus();
      });
      const both = document.createElement("span");
      both.className = "copy";
      both.append(copy("Copy text", () => asText(finding, record)), copy("Copy JSON", () => safeJson(record)));
      foot.append(both);
    }
  }

  const HIDDEN_ON_PHONES = "wide-only";

  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const YEAR = document.body.dataset.year;

  // Formats 202611222354 as 22 Nov 23:54, with the year if it differs from the year of the report.
  function localTime(used) {
    if (!used) return "never";
    const [, year, month, day, hour, minute] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(String(used));
    return `${Number(day)} ${MONTHS[month - 1]}${year === YEAR ? "" : ` ${year}`} ${hour}:${minute}`;
  }

  // Builds a row when it is first shown. Keys without a finding beyond the first few hundred are only data before.
  function buildRow(item, dictionary) {
    const [name, id, , , requests, , used, silent] = item.row;
    const [team, environment] = [dictionary[item.row[2]], dictionary[item.row[3]]];
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    const small = document.createElement("small");
    const code = document.createElement("code");
    code.textContent = id;
    small.append(code);
    const bdi = document.createElement("bdi");
    bdi.textContent = name;
    head.append(bdi, " ");
    if (silent) {
      const tag = document.createElement("span");
      tag.className = "tag";
      tag.textContent = silent;
      head.append(tag);
    }
    head.append(small);
    const on = document.createElement("span");
    on.className = "narrow-only";
    on.textContent = ` · ${team || "no team"} · ${environment}`;
    small.append(on);
    row.append(head);
    const share = requests ? `${(100 * item.values[4]).toFixed(1)}%` : "–";
    const texts = [team || "–", environment, requests.toLocaleString("en-GB"), share, "", localTime(used)];
    const classes = [HIDDEN_ON_PHONES, HIDDEN_ON_PHONES, "num", "num", "trend", `num ${HIDDEN_ON_PHONES}`];
    texts.forEach((text, i) => {
      const cell = row.insertCell();
      cell.className = classes[i];
      cell.textContent = text;
    });
    return row;
  }

  function usage() {
    const table = one("usage-table");
    if (!table) return;
    const body = table.tBodies[0];
    const visible = body.rows.length;
    const more = one("usage-more");
    const elements = [...body.rows, ...(more ? all("tbody tr", more) : [])];
    more?.remove();
    const { words: dictionary, rows } = data("usage-data") || { words: [], rows: [] };
    one("usage-rest")?.remove();

    const number = (text) => (text === "" || Number.isNaN(Number(text)) ? text : Number(text));
    const shown = (cell) => number(cell.dataset.value ?? cell.textContent.trim().replace(/,/g, ""));
    let items = elements.map((element) => ({
      element,
      values: [...element.cells].map((cell, i) => (i ? shown(cell) : cell.querySelector("bdi").textContent)),
      words: element.textContent.toLowerCase(),
    })).concat(rows.map((row) => ({
      row,
      values: [row[0], dictionary[row[2]] || "–", dictionary[row[3]], row[4], row[4] ? row[5] / row[4] : 0, "", row[6]],
      words: `${row[0]} ${row[1]} ${dictionary[row[2]]} ${dictionary[row[3]]} ${row[7] || ""}`.toLowerCase(),
    })));
    const ranked = (item, i) => { item.rank = i; };
    items.sort((a, b) => b.values[3] - a.values[3]).forEach(ranked);
    let limit = visible;
    const input = one("search").querySelector("input");
    const further = button("", () => grow(200));
    const whole = button("", () => grow(Infinity));
    one("usage-note").prepend(further, " ", whole, " ");

    function grow(rowsMore) {
      limit += rowsMore;
      show();
    }
    function show() {
      const wanted = input.value.trim().toLowerCase();
      const found = wanted ? items.filter((item) => item.words.includes(wanted)) : items;
      const chosen = found.slice(0, limit);
      for (const item of chosen) item.element ??= buildRow(item, dictionary);
      body.replaceChildren(...chosen.map((item) => item.element));
      const left = found.length - chosen.length;
      further.hidden = left <= 200;
      whole.hidden = left === 0;
      further.textContent = "Show 200 more rows";
      whole.textContent = `Show all ${plural(found.length, "row")}`;
      one("found").textContent = wanted ? `${plural(found.length, "key")} found` : "";
    }
    function compare(a, b) {
      if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
      if (typeof a === "string") [a, b] = [a.toLowerCase(), b.toLowerCase()];
      return a < b ? -1 : a > b ? 1 : 0;
    }
    function sort(head) {
      const numeric = head.classList.contains("num");
      const next = { descending: "ascending", ascending: "descending" };
      const order = next[head.getAttribute("aria-sort")] || (numeric ? "descending" : "ascending");
      for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const column = head.cellIndex;
      items = items.sort((a, b) => sign * compare(a.values[column], b.values[column]) || a.rank - b.rank);
      show();
    }
    for (const head of all("thead th:not([data-fixed])", table)) {
      const trigger = button("", () => sort(head));
      trigger.append(...head.childNodes);
      head.append(trigger);
    }
    const requests = all("thead th", table).find((head) => head.textContent === "Requests");
    requests.setAttribute("aria-sort", "descending");
    input.addEventListener("input", () => {
      limit = visible;
      show();
    });
    one("search").hidden = false;
    show();
  }

  const records = recordsById();
  findings(records);
  copying(records);
  usage();
})();
