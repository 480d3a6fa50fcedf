// The page: all tickers, or the one in the address (/#AAPL), its data, and the polling.

import { asksForKey, explain, get, keepKey, post } from "./api.js";
import { book } from "./book.js";
import { byId, fill, h, link, note } from "./dom.js";
import { day, firstLanguage, moment, other, price, speak, spoken, t, translateDocument } from "./i18n.js";
import { changes } from "./changes.js";
import { leaderboard } from "./leaderboard.js";
import { promotions, training, versions } from "./models.js";
import { askEarly, overview, refreshOverview } from "./overview.js";
import * as parts from "./parts.js";
import { comparison } from "./compare.js";
import { LEVELS, panel as risk } from "./risk.js";
import { startSearch } from "./search.js";
import { startTheme } from "./theme-switch.js";

const POLL_SECONDS = 4;
const HORIZONS = [1, 5, 30];
const LIST_EVERY = 15; // polls
const LISTED = 200; // tickers beside the page; the table and the search have all

let searchAgain = () => {};
const state = { list: null, ticker: null, data: {}, seen: null, answeredAt: null, asked: 0 };

function named() {
  const text = location.hash.slice(1);
  try { return decodeURIComponent(text).trim().toUpperCase(); } catch { return text; }
}
const listed = (ticker) => state.list?.tickers.find((one) => one.ticker === ticker);
const attempt = (promise) => promise.then((value) => ({ value }), (error) => ({ error }));

// Sections by name, with their data and their drawing function.
const SECTIONS = {
  head: [["both", "skills"], (ticker, data) => [parts.headline(ticker, data, listed(ticker)), reportLink(ticker), parts.figures(data)]],
  prices: [["both", "chart", "record"], parts.prices],
  signal: [["both"], (_, data) => parts.signal(data)],
  worth: [["skills"], parts.skill],
  risk: [["risk"], risk],
  changes: [["changes"], changes],
  record: [["record"], parts.record],
  backtest: [["chart"], parts.backtest],
  models: [["models"], (ticker, data) => versions(ticker, data, state.list?.links)],
  compare: [["models"], comparison],
  history: [["history"], (_, data) => promotions(data)],
  leaderboard: [["leaderboard"], leaderboard],
};

const reportLink = (ticker) => h("p", { class: "listing" }, link(`reports/${encodeURIComponent(ticker)}?language=${spoken()}`, t("report.link")));

const ask = (ticker) => {
  const path = encodeURIComponent(ticker);
  return {
    both: () => post("predict/comprehensive", { ticker, horizon: 30 }),
    chart: () => get(`tickers/${path}/chart`),
    skills: () => Promise.all(HORIZONS.map((horizon) => post("predict/price", { ticker, horizon }))),
    risk: async () => { // one request first: data of an older version have no risk at any horizon
      const at = (horizon) => post("predict/risk", { ticker, horizon, touch: LEVELS });
      return [await at(HORIZONS[0]), ...await Promise.all(HORIZONS.slice(1).map(at))];
    },
    changes: () => get(`explain/${path}`),
    record: () => get(`track-record/${path}`),
    models: () => get(`models?ticker=${path}`),
    history: () => get(`models/${path}/history`),
    leaderboard: () => get(`leaderboard/${path}`),
  };
};

function draw(changed) {
  for (const [name, [needs, make]] of Object.entries(SECTIONS))
    if (!changed || needs.some((one) => changed.includes(one)))
      fill(byId(`part-${name}`), [make(state.ticker, state.data)].flat(Infinity));
}

// Load and draw the ticker part by part. An unknown ticker shows only its error.
async function load(names = null) {
  const { ticker } = state;
  const asked = ask(ticker);
  await Promise.all((names ?? Object.keys(asked)).map(async (name) => {
    const result = await attempt(asked[name]());
    if (ticker !== state.ticker) return;
    state.data[name] = result;
    if (name === "both") noticed(result);
    if (name === "both" && unknown(result)) return void drawUnknown(result.error);
    if (byId("part-head")) draw([name]);
  }));
}

const unknown = ({ error }) => error && (error.status === 404 || error.status === 422);

// The fields that change after a promotion, new data or a recovery.
function signature({ value, error }) {
  if (error) return `error ${error.status}`;
  return [value.price, value.signal].map((part) => part && [part.model_version, part.as_of, part.stale, part.age_sessions]).join(" ")
    + (value.risk?.scale_version ?? "")
    + Object.values(value.problems ?? {}).map((problem) => problem.type).join(" ");
}

function noticed(result) {
  connection(result.error?.status !== 0);
  if (result.error?.status !== 0) state.seen = signature(result);
}

async function poll() {
  state.asked += 1;
  if (!state.list?.tickers.length || state.asked % LIST_EVERY === 0) await loadList();
  const { ticker, seen } = state;
  if (!ticker) return void (state.asked % LIST_EVERY === 0 && refreshOverview());
  const result = await attempt(ask(ticker).both());
  if (ticker !== state.ticker) return;
  connection(result.error?.status !== 0);
  if (result.error?.status === 0 || result.error?.status === 429 || signature(result) === seen) return;
  const shown = Boolean(byId("part-head"));
  if (!shown) return void open();
  state.data.both = result;
  state.seen = signature(result);
  if (unknown(result)) return void drawUnknown(result.error);
  byId("news").textContent = news(result.value);
  draw(["both"]);
  await load(["chart", "skills", "risk", "changes", "record", "models", "history", "leaderboard"]);
}

const news = (answer) => (answer?.price
  ? t("news.version", { ticker: state.ticker, price: answer.price.model_version, signal: answer.signal?.model_version ?? "–", date: day(answer.price.as_of) })
  : t("news.changed", { ticker: state.ticker }));

// Show once that the service does not answer, and hide it when it answers again.
function connection(answers) {
  const banner = byId("banner");
  if (answers) {
    state.answeredAt = new Date();
    banner.hidden = true;
  } else if (banner.hidden) {
    banner.textContent = state.answeredAt ? t("offline.since", { when: moment(state.answeredAt.toISOString()) }) : t("offline");
    banner.hidden = false;
  }
}

async function loadList(listing = attempt(get("tickers"))) {
  const result = await listing;
  connection(result.error?.status !== 0);
  const before = state.list?.tickers.map((one) => one.ticker).join();
  if (result.value) state.list = result.value;
  drawList(result.error);
  if (!state.list || state.ticker || before === state.list.tickers.map((one) => one.ticker).join()) return;
  if (before === undefined && state.list.tickers.length && byId("overview") && !named()) return; // it is drawn already
  open();
}

function drawList(error) {
  const tickers = state.list?.tickers ?? [];
  const all = h("li", { class: "all" }, h("a", { href: "#", "aria-current": state.ticker ? null : "page" }, t("all.tickers")));
  fill(byId("tickers"), tickers.length > 0 && h("ul", {}, all, tickers.slice(0, LISTED).map((one) => h("li", {},
    h("a", { href: `#${encodeURIComponent(one.ticker)}`, "aria-current": one.ticker === state.ticker ? "page" : null },
      h("span", { class: "name" }, one.ticker),
      h("span", { class: "close" }, one.close === null ? "–" : price(one.close)),
      h("span", { class: "date" }, one.as_of ? day(one.as_of) : t("unreadable")))))));
  if (error && !state.list) asksForKey(error) ? drawLocked(error) : fill(byId("main"), note(explain(error)));
  drawLinks();
  searchAgain();
}

// A loopback address is of no use on another machine.
const LOOPBACK = /^(127\.|localhost$|\[::1\]$)/;
const reachable = (address) => Boolean(address) && (!LOOPBACK.test(new URL(address).hostname) || LOOPBACK.test(location.hostname));

function drawLinks() {
  if (!state.list) return;
  const { links } = state.list;
  const item = (address, name, setting) => h("li", {}, reachable(address) ? link(address, name) : t("links.none", { name, setting }));
  fill(byId("links"), item(links.dagster, "Dagster", "DAGSTER_URL"), item(links.mlflow, "MLflow", "MLFLOW_TRACKING_URI"), h("li", {}, link("docs", t("links.api"))));
}

// Reading may need a key too (ZENITH_READ_KEYS).
function drawLocked(error) {
  if (byId("read-key")) return;
  const field = h("input", { id: "read-key", type: "password", autocomplete: "off" });
  const says = h("p", { role: "status" });
  const open = async (event) => {
    event.preventDefault();
    const { value, error: refused } = await attempt(get("tickers", field.value.trim()));
    if (!value) return void fill(says, explain(refused));
    keepKey(field.value.trim());
    location.reload();
  };
  fill(byId("main"), h("h1", {}, t("locked.title")), note(explain(error)),
    h("form", { class: "form", onsubmit: open }, h("p", { class: "field" }, h("label", { for: "read-key" }, t("train.key")), field),
      h("button", { type: "submit", class: "act" }, t("locked.open"))), says);
}

function drawUnknown(error) {
  fill(byId("main"), h("h1", {}, t("unknown.title")), note(explain(error)),
    error.nearby?.length > 0 && h("ul", { class: "nearby" }, error.nearby.map((ticker) => h("li", {}, h("a", { href: `#${encodeURIComponent(ticker)}` }, ticker)))),
    h("p", {}, t("unknown.make")), h("p", {}, parts.command("zenith run --tickers TICKER")));
}

function drawNothing() {
  fill(byId("main"), h("h1", {}, t("nothing.title")), h("p", {}, t("nothing.make")),
    h("p", {}, parts.command("zenith run --source sample")), h("p", { class: "small" }, t("nothing.waits")));
}

const section = (name, title, ...more) => h("section", { class: `part ${name}`, "aria-labelledby": `title-${name}` },
  h("h2", { id: `title-${name}` }, title), h("div", { id: `part-${name}` }), more);

function drawFrame() {
  const { ticker } = state;
  fill(byId("main"),
    h("div", { id: "part-head", class: "head" }),
    section("prices", t("title.prices")),
    h("div", { class: "pair" }, section("signal", t("title.signal")), section("worth", t("title.worth"))),
    section("changes", t("title.changes")),
    section("risk", t("title.risk")),
    section("backtest", t("title.backtest")),
    section("record", t("title.record")),
    section("models", t("title.models"), h("div", { id: "part-compare" }), h("h3", {}, t("title.leaderboard")), h("div", { id: "part-leaderboard" }),
      h("h3", {}, t("title.history")), h("div", { id: "part-history" })),
    section("train", t("title.train")));
  fill(byId("part-train"), h("p", { class: "small" }, t("train.what")), training(ticker, state.list?.kinds ?? [], state.list?.needs_key ?? true, () => load()));
  draw();
}

function drawOverview() {
  Object.assign(state, { ticker: null, data: {}, seen: null });
  document.title = "Zenith";
  byId("news").textContent = "";
  fill(byId("main"), overview(), book());
  drawList();
}

// Show the ticker in the address, or all.
async function open() {
  if (!state.list) return;
  const ticker = named();
  if (!ticker) return void (state.list.tickers.length ? drawOverview() : drawNothing());
  Object.assign(state, { ticker, data: {}, seen: null });
  document.title = `${ticker} · Zenith`.slice(0, 60);
  byId("news").textContent = "";
  drawFrame();
  drawList();
  await load();
}

async function setLanguage(chosen, remember) {
  await speak(chosen, remember);
  translateDocument();
  fill(byId("language"), h("span", { lang: other() }, t("language.other")));
  byId("disclaimer").textContent = t("disclaimer");
  drawTheme();
  drawList();
  if (byId("part-head")) drawFrame();
  else if (state.list) open();
}

let drawTheme = () => {};

async function start() {
  const listing = attempt(get("tickers")); // at the same time as the words
  if (!named()) askEarly();
  drawTheme = startTheme(byId("theme"));
  await setLanguage(firstLanguage());
  searchAgain = startSearch(() => (state.list?.tickers ?? []).map((one) => one.ticker), (ticker) => {
    location.hash = `#${encodeURIComponent(ticker)}`;
    byId("main").focus({ preventScroll: true });
  });
  byId("language").addEventListener("click", () => setLanguage(other(), true));
  byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("main").focus(); });
  addEventListener("hashchange", open);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  if (!named()) drawOverview(); // its first rows need no list
  await loadList(listing);
  if (named() && !state.ticker) await open();
  setInterval(() => { if (!document.hidden) poll(); }, 1000 * POLL_SECONDS);
}

start();
