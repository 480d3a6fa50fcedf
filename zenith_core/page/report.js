// The report of the ticker in the address, /reports/AAPL: all evidence on one page, on the screen and on paper.

import { explain, get, post } from "./api.js";
import { byId, fill, h, note, table } from "./dom.js";
import { equityOf } from "./equity-chart.js";
import { day, firstLanguage, has, number, other, percent, price, speak, spoken, t, translateDocument } from "./i18n.js";
import { promotions } from "./models.js";
import * as parts from "./parts.js";
import { coverageLine, reliability, skillBars } from "./plots.js";
import { LEVELS, risk } from "./risk.js";
import { startTheme } from "./theme-switch.js";
import { error as errorRows, bands, classes, folds, lineage, peers, rules, scores, signalFolds, statistics, tails, touches, volatility } from "./report-tables.js";

const HORIZONS = [1, 5, 30];
const CATALOGUES = ["words", "report"];
const ticker = decodeURIComponent(location.pathname.split("/").at(-1)).trim().toUpperCase();
const data = {};

const attempt = (promise) => promise.then((value) => ({ value }), (error) => ({ error }));

const requests = (path) => ({
  report: () => get(`reports/${path}`),
  chart: () => get(`tickers/${path}/chart`),
  both: () => post("predict/comprehensive", { ticker, horizon: 30 }),
  skills: () => Promise.all(HORIZONS.map((horizon) => post("predict/price", { ticker, horizon }))),
  risk: () => Promise.all(HORIZONS.map((horizon) => post("predict/risk", { ticker, horizon, touch: LEVELS }))),
  record: () => get(`track-record/${path}`),
  history: () => get(`models/${path}/history`),
});

const section = (name, ...content) => h("section", { class: `part ${name}`, "aria-labelledby": `title-${name}` },
  h("h2", { id: `title-${name}` }, t(`report.title.${name}`)), content);
const small = (key, values) => h("p", { class: "small" }, t(key, values));
const titled = (kind) => (has(`model.${kind}`) ? t(`model.${kind}`) : kind);

function draw() {
  document.title = t("report.document", { ticker });
  byId("disclaimer").textContent = t("disclaimer");
  fill(byId("language"), h("span", { lang: other() }, t("language.other")));
  const { value: report, error } = data.report;
  if (error) return void fill(byId("main"), h("h1", {}, ticker.slice(0, 16)), note(explain(error)));
  const answering = (task) => report.models.find((model) => model.task === task && model.answers);
  const [forecasts, signals] = [answering("price"), answering("signal")];
  fill(byId("main"), head(report), verdicts(report),
    section("prices", parts.prices(ticker, data)),
    forecasts && priceSkill(forecasts), bandSkill(report),
    section("risk", risk(ticker, data), riskRecord(report.risk_record)),
    signals && signalSkill(signals),
    section("backtests", trading(report)),
    section("record", parts.record(ticker, data)),
    section("tests", tests(report, forecasts, signals)),
    section("history", promotions(data)),
    section("lineage", h("div", { class: "lineage" }, lineage(ticker, report.models, titled))));
}

function head(report) {
  const listed = { ...report.listing, as_of: report.as_of, close: report.close, currency: report.currency };
  return h("div", { class: "head" }, parts.headline(ticker, data, listed), h("p", { class: "listing" }, t("report.what")), parts.figures(data));
}

// Figures that belong to a verdict, from the same evidence.
function figuresOf(verdict, report) {
  const model = report.models.find((one) => one.answers && one.task === (verdict.subject === "signal" ? "signal" : "price"));
  const metrics = model?.metrics ?? {};
  if (verdict.subject === "price") return t("verdict.figures.price", { n: model.horizon, skill: percent(metrics.skill, 1, true), p: number(metrics.p_value, 2) });
  if (verdict.subject === "band") return t("verdict.figures.band", { share: percent(report.band.coverage, 1), n: report.band.horizon });
  if (verdict.subject === "signal") return t("verdict.figures.signal", { brier: number(metrics.brier, 3), baseline: number(metrics.brier_baseline, 3), p: number(metrics.p_value, 2), share: percent(metrics.signalled) });
  if (verdict.subject !== "backtest") return report.leakage.passed === undefined ? "" : t("verdict.figures.leakage", { values: number(report.leakage.prefixes.values + report.leakage.late_starts.values, 0) });
  const { strategy, buy_and_hold: held } = report.backtests[verdict.model_type].stats;
  return t("verdict.figures.backtest", { own: percent(strategy.total_return, 1, true), held: percent(held.total_return, 1, true), sharpe: number(strategy.sharpe), sharpe_held: number(held.sharpe) });
}

const verdicts = (report) => h("ul", { class: "verdicts", "aria-label": t("report.verdicts") }, report.verdicts.map((verdict) =>
  h("li", { class: verdict.good ? "good" : null },
    h("b", {}, t(`verdict.${verdict.subject}`, { model: verdict.model_type ? titled(verdict.model_type) : "" })),
    h("p", {}, t(`verdict.${verdict.subject}.${verdict.code}`)),
    h("span", { class: "small" }, figuresOf(verdict, report)),
    verdict.evidence && h("p", { class: "small" }, parts.proven(verdict.evidence)))));

const byHorizon = (metrics, name) => Object.entries(metrics.by_horizon).map(([horizon, row]) => [Number(horizon), row[name], row.beats_naive])
  .sort(([a], [b]) => a - b);

function priceSkill({ metrics }) {
  return section("skill", small("report.skill.how"), h("div", { class: "side-by-side" },
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

function riskRecord(record) {
  if (!record.horizons) return null;
  return [h("h3", {}, t("report.risk.record")), small("report.risk.how", { since: day(record.since), until: day(record.until) }),
    tails(ticker, record), volatility(ticker, record), peers(ticker, record), touches(ticker, record)];
}

function signalSkill({ metrics, model_type: kind, importances }) {
  const used = Object.entries(importances).sort(([, a], [, b]) => b - a).slice(0, 10);
  return section("signals", small("report.signals.how", { rows: number(metrics.rows, 0) }),
    h("div", { class: "side-by-side" }, scores(ticker, metrics, titled(kind)),
      metrics.reliability && reliability(t("report.signals.plot"), t("report.signals.caption"), metrics.reliability)),
    h("div", { class: "side-by-side" }, classes(ticker, metrics),
      used.length > 0 && h("div", {}, table(t("report.importances"), [[t("report.importances"), false], [t("report.share"), true]],
        used.map(([name, share]) => [h("span", { lang: "en" }, name), percent(share, 1)])))));
}

function trading(report) {
  const kinds = Object.keys(report.backtests);
  if (!kinds.length) return note(t("backtest.missing"), " ", parts.command(`zenith run --tickers ${ticker}`));
  return [
    small("report.backtests.how"),
    kinds.map((kind) => {
      const backtest = data.chart.value?.backtests[kind];
      return [h("h3", {}, titled(kind)), backtest && equityOf(ticker, kind, backtest), h("p", { class: "small" }, rules(report.backtests[kind].config))];
    }),
    statistics(ticker, report.backtests, titled),
    small("report.backtests.sharpe"),
  ];
}

function tests({ leakage }, forecasts, signals) {
  return [
    small("report.tests.how"),
    forecasts?.folds.length > 0 && [h("h3", {}, t("report.tests.price")), folds(ticker, forecasts), small("report.tests.shrinkage")],
    signals?.folds.length > 0 && [h("h3", {}, t("report.tests.signal")), signalFolds(ticker, signals), small("report.tests.calibration")],
    h("h3", {}, t("verdict.leakage")),
    leakage.passed === undefined ? note(t("verdict.leakage.untested")) : small("report.tests.leakage", {
      result: t(`verdict.leakage.${leakage.passed ? "passed" : "failed"}`), cut: number(leakage.prefixes.tested.length, 0),
      late: number(leakage.late_starts.tested.length, 0), values: number(leakage.prefixes.values + leakage.late_starts.values, 0) }),
  ];
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
  await setLanguage(["en", "pt"].includes(wished) ? wished : firstLanguage());
  byId("language").addEventListener("click", () => setLanguage(other(), true));
  byId("print").addEventListener("click", () => print());
  const asked = requests(encodeURIComponent(ticker));
  await Promise.all(Object.keys(asked).map(async (name) => { data[name] = await attempt(asked[name]()); }));
  draw();
  document.body.dataset.drawn = spoken();
}

start();
