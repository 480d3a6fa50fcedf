// The report of a ticker: all evidence on one page, on the screen and on paper. The data are those of the ticker in the
// address, /reports/AAPL, or embedded in the report's file, which opens without a server.

import { explain, get } from "./api.js";
import { byId, fill, h, link, note, table } from "./dom.js";
import { embedded } from "./embedded.js";
import { equityOf } from "./equity-chart.js";
import { day, firstLanguage, has, number, other, percent, speak, spoken, t, translateDocument } from "./i18n.js";
import { leaderboard } from "./leaderboard.js";
import { promotions, versionLink } from "./models.js";
import * as parts from "./parts.js";
import { coverageLine, reliability, skillBars } from "./plots.js";
import { risk } from "./risk.js";
import { startTheme } from "./theme-switch.js";
import { error as errorRows, bands, classes, folds, lineage, peers, rules, scores, signalFolds, standings, statistics, tails, touches, trades, volatility } from "./report-tables.js";

const CATALOGUES = ["words", "report"];
const LANGUAGES = ["en", "pt"];
const ticker = embedded?.report.ticker ?? decodeURIComponent(location.pathname.split("/").at(-1)).trim().toUpperCase();
const data = {};

const attempt = (promise) => promise.then((value) => ({ value }), (error) => ({ error }));

// The file has the first two.
const requests = (path) => ({
  report: () => get(`reports/${path}`),
  chart: () => get(`tickers/${path}/chart`),
  record: () => get(`track-record/${path}`),
  history: () => get(`models/${path}/history`),
  list: () => get("tickers?limit=1"),
});

async function load() {
  if (embedded) return void Object.assign(data, { report: { value: embedded.report }, chart: { value: embedded.chart } });
  const asked = requests(encodeURIComponent(ticker));
  await Promise.all(Object.keys(asked).map(async (name) => { data[name] = await attempt(asked[name]()); }));
}

const section = (name, ...content) => h("section", { class: `part ${name}`, "aria-labelledby": `title-${name}` },
  h("h2", { id: `title-${name}` }, t(`report.title.${name}`)), content);
const small = (key, values) => h("p", { class: "small" }, t(key, values));
const titled = (kind) => (has(`model.${kind}`) ? t(`model.${kind}`) : kind);

// The sections, in their order. Each is an element, or null where there is nothing to say.
const SECTIONS = [
  head, verdicts, prices, priceSkill, bandSkill, riskOf, amongAll, signalSkill, leaderboards, trading, record, tests, history, lineageOf, rest,
];

function draw() {
  document.title = t("report.document", { ticker });
  byId("disclaimer").textContent = t("disclaimer");
  fill(byId("language"), h("span", { lang: other() }, t("language.other")));
  const { value: report, error } = data.report;
  if (error) return void fill(byId("main"), h("h1", {}, ticker.slice(0, 16)), note(explain(error)));
  fill(byId("main"), SECTIONS.map((make) => make(report)));
}

const answering = (report, task) => report.models.find((model) => model.task === task && model.answers);

// The newest forecast and signal in the form of the API's answers.
function latest({ forecast, signal, close, ...report }) {
  const common = { current_price: close, currency: report.currency, as_of: report.as_of, age_sessions: report.age_sessions, stale: report.stale };
  return { both: { value: { price: forecast && { ...common, ...forecast }, signal: signal && { ...common, ...signal } } }, chart: data.chart, record: data.record };
}

function head(report) {
  const listed = { ...report.listing, ...report };
  const own = report.band.by_horizon?.[5]?.coverage;
  return h("div", { class: "head" }, parts.headline(ticker, latest(report), listed), h("p", { class: "listing" }, t("report.what"), " ", pageLink()),
    newer(report), parts.figures(latest(report), own));
}

const pageLink = () => !embedded && link(`../#${encodeURIComponent(ticker)}`, t("report.page", { ticker }));

// The evidence is of the last training, which Production may have refused.
function newer(report) {
  const refused = [report.forecast, report.signal].filter((one) => one?.model_version).map((one) =>
    [one, report.models.find((model) => model.model_type === one.model_type && model.version !== one.model_version)]).filter(([, model]) => model);
  return refused.map(([one, model]) => note(t("report.newer", { model: titled(one.model_type), trained: model.version, served: one.model_version })));
}

// Figures that belong to a verdict, from the same evidence.
function figuresOf(verdict, report) {
  const model = answering(report, verdict.subject === "signal" ? "signal" : "price");
  const metrics = model?.metrics ?? {};
  if (verdict.subject === "price") return t("verdict.figures.price", { n: model.horizon, skill: percent(metrics.skill, 1, true), p: metrics.p_value });
  if (verdict.subject === "band") return t("verdict.figures.band", { share: percent(report.band.coverage, 1), n: report.band.horizon });
  if (verdict.subject === "signal") return t("verdict.figures.signal", { brier: number(metrics.brier, 3), baseline: number(metrics.brier_baseline, 3), p: metrics.p_value, share: percent(metrics.signalled) });
  if (verdict.subject !== "backtest") return report.leakage.passed === undefined ? "" : t("verdict.figures.leakage", { values: number(report.leakage.prefixes.values + report.leakage.late_starts.values, 0) });
  const { strategy, buy_and_hold: held } = report.backtests[verdict.model_type].stats;
  return t("verdict.figures.backtest", { own: percent(strategy.total_return, 1, true), held: percent(held.total_return, 1, true), sharpe: number(strategy.sharpe), sharpe_held: number(held.sharpe) });
}

function verdicts(report) {
  return h("ul", { class: "verdicts", "aria-label": t("report.verdicts") }, report.verdicts.map((verdict) =>
    h("li", { class: verdict.good ? "good" : null },
      h("b", {}, t(`verdict.${verdict.subject}`, { model: verdict.model_type ? titled(verdict.model_type) : "" })),
      h("p", {}, t(`verdict.${verdict.subject}.${verdict.code}`)),
      h("span", { class: "small" }, figuresOf(verdict, report)),
      verdict.evidence && h("p", { class: "small" }, parts.proven(verdict.evidence)))));
}

function prices(report) {
  return section("prices", parts.prices(ticker, latest(report)));
}

const byHorizon = (metrics, name) => Object.entries(metrics.by_horizon).map(([horizon, row]) => [Number(horizon), row[name], row.beats_naive])
  .sort(([a], [b]) => a - b);

function priceSkill(report) {
  const metrics = answering(report, "price")?.metrics;
  return metrics && section("skill", small("report.skill.how"), h("div", { class: "side-by-side" },
    errorRows(ticker, metrics),
    skillBars(t("report.skill.plot"), t("report.skill.caption"), byHorizon(metrics, "skill"))));
}

function bandSkill({ band: metrics, scale_version: scale }) {
  if (!metrics.by_horizon || !Object.keys(metrics.by_horizon).length) return null;
  const covered = byHorizon(metrics, "coverage").filter(([, share]) => share !== null);
  return section("bands", h("div", { class: "side-by-side" },
    h("div", {}, bands(ticker, metrics), small(scale ? "report.bands.scale" : "report.bands.how", { scale })),
    covered.length > 0 && coverageLine(t("report.bands.plot"), t("report.bands.caption"), covered)));
}

function riskOf({ risk: answers, risk_record: known }) {
  return section("risk",
    answers.length ? risk(ticker, { risk: { value: answers } })
      : note(t("error.distribution-unavailable"), " ", parts.command(`zenith job refresh_prices --tickers ${ticker}`)),
    known.horizons && [h("h3", {}, t("report.risk.record")), small("report.risk.how", { since: day(known.since), until: day(known.until) }),
      h("div", { class: "captioned" }, tails(ticker, known), volatility(ticker, known), peers(ticker, known), touches(ticker, known))]);
}

// The ticker among all tickers, and in a book of them. Null in data of an earlier release.
function amongAll({ among_all: all }) {
  return all && section("among",
    small("report.among.how", { tickers: number(all.tickers, 0), date: day(all.as_of), bets: number(all.independent_bets, 1) }),
    standings(ticker, all.horizons),
    all.horizons.map(({ horizon, record: scored }) => h("p", { class: "small" }, t("sessions", { n: horizon }), ": ", parts.rankRecord(scored))));
}

function signalSkill(report) {
  const model = answering(report, "signal");
  if (!model) return null;
  const { metrics, model_type: kind, importances } = model;
  const used = Object.entries(importances).sort(([, a], [, b]) => b - a).slice(0, 10);
  return section("signals", small("report.signals.how", { rows: number(metrics.rows, 0) }),
    h("div", { class: "side-by-side" }, scores(ticker, metrics, titled(kind)),
      metrics.reliability && reliability(t("report.signals.plot"), t("report.signals.caption"), metrics.reliability)),
    h("div", { class: "side-by-side" }, classes(ticker, metrics),
      used.length > 0 && h("div", {}, table(t("report.importances"), [[t("report.importances"), false], [t("report.share"), true]],
        used.map(([name, share]) => [h("span", { lang: "en" }, name), percent(share, 1)])))));
}

function leaderboards({ leaderboards: tasks }) {
  const contested = Object.fromEntries(Object.entries(tasks).filter(([, board]) => board.models.length > 1));
  return Object.keys(contested).length > 0 && section("leaderboard", leaderboard(ticker, { leaderboard: { value: { tasks: contested } } }));
}

function trading(report) {
  const kinds = Object.keys(report.backtests);
  if (!kinds.length) return section("backtests", note(t("backtest.missing"), " ", parts.command(`zenith run --tickers ${ticker}`)));
  return section("backtests",
    small("report.backtests.how"),
    kinds.map((kind) => {
      const backtest = data.chart.value?.backtests[kind];
      const { config, trades: last } = report.backtests[kind];
      return [h("h3", {}, titled(kind)), backtest && equityOf(ticker, kind, backtest), h("p", { class: "small" }, rules(config)),
        last.length > 0 && trades(`${ticker}, ${titled(kind)}`, last, report.currency)];
    }),
    statistics(ticker, report.backtests, titled),
    small("report.backtests.sharpe"));
}

function record() {
  return data.record && section("record", parts.record(ticker, data));
}

function tests(report) {
  const [forecasts, signals] = ["price", "signal"].map((task) => answering(report, task));
  const { leakage } = report;
  return section("tests",
    small("report.tests.how"),
    forecasts?.folds.length > 0 && [h("h3", {}, t("report.tests.price")), folds(ticker, forecasts), small("report.tests.shrinkage")],
    signals?.folds.length > 0 && [h("h3", {}, t("report.tests.signal")), signalFolds(ticker, signals), small("report.tests.calibration")],
    h("h3", {}, t("verdict.leakage")),
    leakage.passed === undefined ? note(t("verdict.leakage.untested")) : small("report.tests.leakage", {
      result: t(`verdict.leakage.${leakage.passed ? "passed" : "failed"}`), cut: number(leakage.prefixes.tested.length, 0),
      late: number(leakage.late_starts.tested.length, 0), values: number(leakage.prefixes.values + leakage.late_starts.values, 0) }));
}

function history() {
  return data.history && section("history", promotions(data));
}

function lineageOf({ models }) {
  const heading = (model) => [`${titled(model.model_type)} `, versionLink(data.list?.value?.links, `${model.model_type}-${ticker}`, String(model.version))];
  return section("lineage", h("div", { class: "lineage" }, lineage(ticker, models, heading)));
}

function rest() {
  return embedded && small("report.file");
}

async function setLanguage(chosen, remember) {
  await speak(chosen, remember, CATALOGUES);
  translateDocument();
  drawTheme();
  if (data.report) draw();
}

let drawTheme = () => {};

async function start() {
  const wished = new URLSearchParams(location.search).get("language");
  drawTheme = startTheme(byId("theme"));
  await setLanguage(LANGUAGES.includes(wished) ? wished : firstLanguage());
  byId("language").addEventListener("click", () => setLanguage(other(), true));
  byId("print").addEventListener("click", () => print());
  if (embedded) document.querySelector(".brand").removeAttribute("href");
  await load();
  draw();
  document.body.dataset.drawn = spoken();
}

start();
