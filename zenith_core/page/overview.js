// The front door: all tickers as one table that can be sorted, filtered, paged and saved as CSV.

import { explain, Failure, get } from "./api.js";
import { choice, fill, h, note } from "./dom.js";
import { day, number, percent, price, t } from "./i18n.js";

const HORIZONS = [1, 5, 20];
const ROWS = 50; // of a page
const ASKED = 500; // rows of a request, after the first of ROWS
const change = (row) => (row.previous_close ? row.close / row.previous_close - 1 : null);

// Columns: name, the value to sort by, the cell, and whether a phone shows it.
const COLUMNS = [
  ["ticker", (row) => row.ticker, (row) => h("a", { href: `#${encodeURIComponent(row.ticker)}` }, row.ticker), true],
  ["close", (row) => row.close, (row) => price(row.close), true],
  ["change", change, (row) => signed(change(row)), false],
  ["recent", null, (row) => sparkline(row.recent), false],
  ["forecast", (row) => row.change_pct, (row) => [price(row.price), " ", signed(row.change_pct === null ? null : row.change_pct / 100)], true],
  ["interval", (row) => (row.price === null ? null : (row.upper - row.lower) / row.close),
    (row) => (row.price === null ? "–" : `${price(row.lower)} – ${price(row.upper)}`), false],
  ["volatility", (row) => row.volatility, (row) => percent(row.volatility, 1), false],
  ["var", (row) => row.value_at_risk, (row) => percent(row.value_at_risk, 1), false],
  ["signal", (row) => row.signal, (row) => (row.signal ? [t(`signal.${row.signal}`), h("span", { class: "reason" }, t(`reason.short.${row.reason_code}`))] : "–"), true],
  ["worth", (row) => row.evidence?.e_value, (row) => (row.evidence ? t(row.evidence.discovered ? "yes" : "no") : "–"), false],
  ["age", (row) => row.as_of, (row) => [day(row.as_of), " ", row.stale && h("span", { class: "tag stale" }, t("stale"))], false],
  ["model", (row) => row.model_data_end, (row) => day(row.model_data_end), false],
  ["alerts", (row) => row.alerts[0]?.at, (row) => alerts(row), false],
];
const TEXTS = ["ticker", "recent", "signal", "worth", "age", "model", "alerts"];

const FILTERS = {
  all: () => true,
  signals: (row) => row.signal && row.signal !== "hold",
  better: (row) => row.evidence?.discovered,
  stale: (row) => row.stale,
  alerts: (row) => row.alerts.length > 0,
  problems: (row) => row.problem,
};

const view = { rows: null, error: null, horizon: 5, sort: "ticker", down: false, text: "", filter: "all", page: 0, asked: 0, complete: false };

const signed = (share) => h("span", { class: share > 0 ? "up" : share < 0 ? "down" : null }, percent(share, 2, true));

const alerts = (row) => (row.alerts.length === 0 ? "–" : row.alerts.map(({ kind, at }) =>
  h("span", { class: "tag", title: day(at.slice(0, 10)) }, t(`overview.alert.${kind}`))));

function sparkline(closes) {
  if (closes.length < 2) return "";
  const [low, high] = [Math.min(...closes), Math.max(...closes)];
  const y = (close) => (high === low ? 10 : 18 - 16 * (close - low) / (high - low));
  const points = closes.map((close, index) => `${(80 * index / (closes.length - 1)).toFixed(1)},${y(close).toFixed(1)}`).join(" ");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 80 20", class: "sparkline", "aria-hidden": "true" })) svg.setAttribute(name, value);
  svg.append(line);
  return svg;
}

const rowsAfter = (after) => get(`forecasts?horizon=${view.horizon}&limit=${after ? ASKED : ROWS}${after}`);

// The first rows, asked for before anything else of the page is there.
let early = null;
export const askEarly = () => { early = rowsAfter("").then((page) => ({ page }), (error) => ({ error })); };

async function firstRows() {
  const answer = await early;
  early = null;
  if (answer?.error) throw answer.error;
  return answer?.page ?? rowsAfter("");
}

// All pages of the table. The very first is drawn while the others come, which only count; at the end all is drawn.
async function loadOverview(draw) {
  const asked = view.asked += 1;
  const rows = [];
  let after = "";
  try {
    do {
      const page = await (after ? rowsAfter(after) : firstRows());
      if (asked !== view.asked) return;
      rows.push(...page.forecasts);
      after = page.next && `&after=${encodeURIComponent(page.next)}`;
      if (after && view.complete) continue;
      Object.assign(view, { rows: [...rows], error: null, complete: !after });
      if (rows.length === page.forecasts.length || view.complete) draw();
      else document.querySelector("#overview .pages")?.replaceWith(pages(chosenRows(), draw));
    } while (after);
  } catch (error) {
    if (asked !== view.asked) return;
    Object.assign(view, { error, rows: view.rows ?? [] });
    draw();
  }
}

const column = (name) => COLUMNS.find(([one]) => one === name);

function chosenRows() {
  const wish = view.text.trim().toUpperCase();
  const rows = (view.rows ?? []).filter((row) => FILTERS[view.filter](row) && row.ticker.includes(wish));
  const [, value] = column(view.sort);
  const side = view.down ? -1 : 1;
  const empty = (one) => one === null || one === undefined;
  return rows.map((row) => [value(row), row]).sort(([a, left], [b, right]) => {
    if (empty(a) || empty(b)) return empty(a) - empty(b); // without a value last, either way
    return side * (a < b ? -1 : a > b ? 1 : 0) || (left.ticker < right.ticker ? -1 : 1);
  }).map(([, row]) => row);
}

// Ask again, if the table is shown.
export const refreshOverview = () => { if (document.getElementById("overview")) loadOverview(view.draw); };

// `tools` and `results` are drawn apart, so that the field keeps its cursor.
export function overview() {
  const results = h("div", { id: "overview" });
  const draw = () => fill(results, view.error && note(explain(view.error)), listing(draw));
  view.draw = draw;
  const again = () => { view.page = 0; draw(); };
  const filter = h("input", { id: "overview-filter", type: "text", autocomplete: "off", value: view.text,
    oninput: (event) => { view.text = event.target.value; again(); } });
  const horizons = h("div", {});
  const drawHorizons = () => fill(horizons, choice(t("overview.horizon"), HORIZONS.map((n) => [n, t("sessions", { n })]), view.horizon, (n) => {
    view.horizon = n;
    drawHorizons();
    loadOverview(draw);
  }));
  const shown = h("select", { id: "overview-shown", onchange: (event) => { view.filter = event.target.value; again(); } },
    Object.keys(FILTERS).map((name) => h("option", { value: name, selected: name === view.filter }, t(`overview.filter.${name}`))));
  drawHorizons();
  draw();
  loadOverview(draw);
  return [
    h("h1", {}, t("overview.title")),
    h("div", { class: "tools" },
      h("p", { class: "field" }, h("label", { for: "overview-filter" }, t("overview.search")), filter),
      h("p", { class: "field" }, h("label", { for: "overview-shown" }, t("overview.filter")), shown),
      horizons),
    results,
  ];
}

function listing(draw) {
  if (!view.rows) return h("p", { class: "waiting" }, t("loading"));
  const rows = chosenRows();
  view.page = Math.min(view.page, lastPage(rows));
  const first = view.page * ROWS;
  const shown = rows.slice(first, first + ROWS);
  return [
    h("div", { class: "scroll", role: "region", "aria-label": t("overview.title"), tabindex: "0" },
      h("table", { class: "overview" },
        h("caption", { class: "unseen" }, t("overview.caption", { n: view.horizon })),
        h("thead", {}, h("tr", {}, COLUMNS.map((one) => heading(one, draw)))),
        h("tbody", {}, shown.map(line)))),
    pages(rows, draw),
  ];
}

const lastPage = (rows) => Math.max(0, Math.ceil(rows.length / ROWS) - 1);

// The count of the chosen rows, the buttons that turn pages, of which the one pressed keeps the focus, and the file.
function pages(rows, draw) {
  const last = lastPage(rows);
  const button = (by, end, text) => h("button", { type: "button", class: "quiet turn", disabled: view.page === end, onclick: () => {
    view.page += by;
    draw();
    const [back, on] = document.querySelectorAll(".pages .turn");
    const goesBack = by < 0 ? !back.disabled : on.disabled;
    (goesBack ? back : on).focus();
  } }, text);
  return h("div", { class: "pages" },
    h("p", { role: "status" }, t("overview.count", { n: rows.length })),
    last > 0 && button(-1, 0, t("overview.back")),
    last > 0 && h("span", {}, `${number(view.page + 1, 0)} / ${number(last + 1, 0)}`),
    last > 0 && button(1, last, t("overview.on")),
    h("button", { type: "button", class: "quiet", onclick: () => download(rows) }, t("overview.save")));
}

function heading([name, value, , onPhone], draw) {
  const sorted = view.sort === name;
  const text = t(`overview.${name}`);
  const sort = () => {
    Object.assign(view, { sort: name, down: sorted && !view.down, page: 0 });
    draw();
    document.querySelector(`[data-sort="${name}"]`)?.focus();
  };
  return h("th", { scope: "col", class: classes(name, onPhone), "aria-sort": value && sorted ? (view.down ? "descending" : "ascending") : null },
    value ? h("button", { type: "button", class: "sort", "data-sort": name, onclick: sort }, text) : text);
}

const classes = (name, onPhone) => [!TEXTS.includes(name) && "number", !onPhone && "wide"].filter(Boolean).join(" ") || null;

function line(row) {
  if (row.price === null) {
    return h("tr", {}, h("th", { scope: "row" }, column("ticker")[2](row)), h("td", { colspan: COLUMNS.length - 2, class: "why" }, explain(new Failure(503, { type: row.problem_type, detail: row.problem }))),
      h("td", { class: "wide" }, alerts(row)));
  }
  return h("tr", {}, COLUMNS.map(([name, , cell, onPhone], index) =>
    h(index ? "td" : "th", { scope: index ? null : "row", class: classes(name, onPhone) }, cell(row))));
}

const FIELDS = ["ticker", "as_of", "close", "previous_close", "currency", "horizon", "target_date", "price", "change_pct", "lower", "upper",
                "volatility", "value_at_risk", "signal", "reason_code", "beats_naive", "model_version", "model_data_end", "stale", "alerts", "problem", "problem_type",
                "e_value", "required", "discovered"];

// A text that a spreadsheet would run as a formula gets an apostrophe.
function field(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const flat = (row, name) => (name === "alerts" ? row.alerts.map((one) => one.kind).join(" ") : row[name] ?? row.evidence?.[name]);

function download(rows) {
  const text = [FIELDS.join(","), ...rows.map((row) => FIELDS.map((name) => field(flat(row, name))).join(","))].join("\n");
  const address = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" }));
  h("a", { href: address, download: "zenith-forecasts.csv" }).click();
  URL.revokeObjectURL(address);
}
