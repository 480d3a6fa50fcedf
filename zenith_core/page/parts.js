// The parts of a ticker's page: elements from responses of the API. A failed part shows its own error.

import { equity } from "./equity-chart.js";
import { explain, Failure } from "./api.js";
import { h, note, table } from "./dom.js";
import { day, has, number, percent, price, pValue, t } from "./i18n.js";
import { priceChart } from "./price-chart.js";

const HEADLINE = 5; // sessions ahead
const SIDES = ["buy", "hold", "sell"];

export const command = (text) => h("code", { class: "command" }, text);

// The record of past ranks and of the risk of an equal-weight book.
export const rankRecord = (record) => (record ? t("ranks.record", {
  n: record.outcomes, rps: number(record.rps, 4), equal: number(record.rps_equal, 4), error: number(record.standard_error, 4),
  hits: number(record.hits, 0), expected: number(record.expected_hits, 1), tail: percent(record.tail),
}) : t("ranks.norecord"));

const tag = (kind, text) => h("span", { class: `tag ${kind}` }, text);

export const waiting = () => h("p", { class: "waiting" }, t("loading"));

// Draw the result of a request: {value}, {error}, or none yet.
export function came(result, draw) {
  if (!result) return waiting();
  return result.error ? note(explain(result.error)) : draw(result.value);
}

const priceOf = (data) => data.both?.value?.price ?? null;
const signalOf = (data) => data.both?.value?.signal ?? null;

// The reason why a prediction is missing.
function missing(data, part) {
  if (!data.both) return waiting();
  return note(explain(data.both.error ?? new Failure(503, data.both.value.problems?.[part])));
}

// `listed` is the entry of the list of tickers, which needs no model.
export function headline(ticker, data, listed) {
  const known = priceOf(data) ?? signalOf(data) ?? (listed?.as_of ? { ...listed, current_price: listed.close } : null);
  return [
    h("h1", {}, ticker),
    known && h("p", { class: "quote" },
      h("span", { class: "last" }, price(known.current_price)), " ", h("span", { class: "currency" }, known.currency)),
    listed?.exchange && h("p", { class: "listing" },
      [listed.name, listed.instrument, listed.exchange, listed.unit].filter(Boolean).join(" · ")),
    known && h("p", { class: "origin" }, t("as.of", { date: day(known.as_of) }), " ", age(known)),
    priceOf(data)?.dates_estimated_after && note(t("dates.estimated", { date: day(priceOf(data).dates_estimated_after) })),
    known && badge(data),
  ];
}

function age(known) {
  if (typeof known.age_sessions !== "number") return null; // of a file, which does not know today
  const text = known.age_sessions >= 30 ? t("age.many") : t("age", { n: known.age_sessions });
  return known.stale ? [tag("stale", t("stale")), " ", h("span", { class: "age" }, text)] : h("span", { class: "age" }, text);
}

function badge(data) {
  const answers = data.skills?.value ?? [];
  if (!answers.length) return null;
  const better = answers.filter((answer) => answer.evidence?.discovered).map((answer) => answer.evidence.horizon);
  const known = answers.some((answer) => answer.evidence);
  if (!known) return h("p", {}, tag("unknown", t("skill.unknown")));
  return h("p", { class: "badge" }, better.length
    ? tag("good", t("skill.good", { n: better.at(-1) }))
    : tag("plain", t("skill.naive")));
}

// `coverage` of the interval, if the data have no answers with it.
export function figures(data, coverage = data.skills?.value?.find((answer) => answer.horizon === HEADLINE)?.coverage) {
  const forecast = priceOf(data);
  const signal = signalOf(data);
  const at = forecast?.predictions[HEADLINE - 1];
  const figure = (name, value, detail) => h("div", {}, h("dt", {}, name), h("dd", {}, h("strong", {}, value), h("span", {}, detail)));
  return h("dl", { class: "figures" },
    at && figure(t("figure.forecast", { n: at.day }), price(at.price),
      t("figure.change", { change: percent(at.change_pct / 100, 2, true), date: day(at.date) })),
    at && figure(t("figure.interval", { level: percent(forecast.confidence) }), `${price(at.lower)} – ${price(at.upper)}`,
      typeof coverage === "number" ? t("figure.coverage", { share: percent(coverage) }) : t("coverage.unknown")),
    signal && figure(t("figure.signal"), t(`signal.${signal.signal}`),
      signal.probabilities ? t("figure.probability", { share: percent(signal.probabilities[signal.signal]) }) : t("figure.unmodeled")));
}

export function prices(ticker, data) {
  const chart = data.chart?.value;
  const forecast = priceOf(data);
  if (!data.chart || !data.both) return waiting();
  return [
    data.chart.error && note(explain(data.chart.error)),
    chart && !chart.candles && note(t("chart.missing"), " ", command(`zenith run --tickers ${ticker}`)),
    !forecast && missing(data, "price"),
    (chart?.candles || forecast) && priceChart(ticker, chart, forecast, data.record?.value),
  ];
}

export function signal(data) {
  const answer = signalOf(data);
  if (!answer) return missing(data, "signal");
  const abstains = answer.reason_code !== "model";
  return [
    h("p", { class: `verdict ${answer.signal}` }, t(`signal.${answer.signal}`)),
    answer.probabilities && h("ul", { class: "bars" }, SIDES.map((side) => bar(side, answer.probabilities[side], side === answer.signal))),
    h("p", {}, has(`reason.${answer.reason_code}`) ? t(`reason.${answer.reason_code}`) : answer.reason),
    abstains && answer.likeliest && answer.likeliest !== answer.signal && h("p", { class: "small" }, t("signal.likeliest", { signal: t(`signal.${answer.likeliest}`) })),
    answer.probabilities && h("p", { class: "small" }, t(`signal.worth.${answer.skill.beats_naive}`), " ", proven(answer.evidence)),
  ];
}

function bar(side, share, chosen) {
  const meter = h("span", { class: `bar ${side}` });
  meter.style.inlineSize = `${Math.round(share * 100)}%`;
  return h("li", { class: chosen ? "chosen" : null },
    h("span", { class: "side" }, t(`signal.${side}`)), h("span", { class: "track", "aria-hidden": "true" }, meter), h("span", { class: "share" }, percent(share)));
}

export const skill = (ticker, data) => came(data.skills, (answers) => [
  h("ul", { class: "sentences" }, answers.map((answer) => h("li", {}, sentence(answer)))),
  table(t("worth.caption", { ticker }),
    [[t("horizon"), false], [t("worth.mase"), true], [t("worth.p"), true], [t("worth.coverage", { level: percent(answers[0].confidence) }), true]],
    answers.map((answer) => [t("sessions", { n: answer.skill.horizon ?? answer.horizon }), number(answer.skill.mase, 3),
                             pValue(answer.skill.p_value), percent(answer.coverage)])),
  h("p", { class: "small" }, t("worth.how")),
]);

function sentence({ skill: { horizon, skill: share }, horizon: asked, evidence }) {
  const n = horizon ?? asked;
  const ahead = h("b", {}, t("worth.ahead", { n }));
  if (!evidence) return [ahead, " ", t("worth.unknown")];
  if (evidence.discovered) return [ahead, " ", t("worth.better", { share: percent(share, 1) }), " ", proven(evidence)];
  return [ahead, " ", t(n === 1 ? "worth.tomorrow" : "worth.naive"), " ", proven(evidence)];
}

export const proven = (evidence) => (evidence?.since
  ? t("evidence", { sessions: t("sessions", { n: evidence.horizon }), ...betting(evidence) })
  : t("evidence.none"));

const betting = (one) => ({ odds: odds(one.e_value), since: day(one.since), required: odds(one.required) });

export const record = (ticker, data) => came(data.record, ({ forecasts, summary, evidence, signal_evidence: signals }) => {
  const matured = Object.entries(summary ?? {}).filter(([, one]) => one.matured > 0);
  const waits = forecasts.filter((one) => one.actual === null && one.in_the_open).length;
  return [
    matured.length
      ? table(t("record.caption", { ticker }),
        [[t("horizon"), false], ...["record.matured", "worth.inside", "record.mae", "record.naive"].map((name) => [t(name), true])],
        matured.map(([horizon, one]) => [t("sessions", { n: Number(horizon) }), number(one.matured, 0), percent(one.coverage), percent(one.mae, 2), percent(one.mae_naive, 2)]))
      : note(t("record.none")),
    waits > 0 && h("p", { class: "small" }, t("record.waits", { n: waits })),
    ...begun(evidence).map(proof("record.claim", "record.evidence")),
    ...begun(signals).map(proof("record.signal.claim", "record.signal.evidence")),
    matured.length > 0 && newest(ticker, forecasts),
  ];
});

const proof = (claim, evidence) => ([horizon, one]) => h("p", { class: "small" }, t(one.discovered ? claim : evidence, {
  sessions: t("sessions", { n: Number(horizon) }), ...betting(one),
}));

const begun = (evidence) => Object.entries(evidence ?? {}).filter(([, one]) => one.since);

const short = (value) => number(value, value < 9.95 ? 1 : 0);
export const odds = (value) => t("odds", value < 1 ? { for: number(1, 0), against: short(1 / value) } : { for: short(value), against: number(1, 0) });

function newest(ticker, forecasts) {
  const come = forecasts.filter((one) => one.actual !== null && one.in_the_open).slice(-8).reverse();
  return table(t("record.newest", { ticker }),
    [[t("record.target"), false], [t("horizon"), true], [t("price.forecast"), true], [t("record.interval"), true], [t("record.came"), true]],
    come.map((one) => [day(one.target_date), t("sessions", { n: one.horizon }), price(one.forecast),
                       `${price(one.lower)} – ${price(one.upper)}`,
                       h("span", { class: one.actual < one.lower || one.actual > one.upper ? "missed" : null }, price(one.actual))]));
}

export const backtest = (ticker, data) => came(data.chart, ({ backtests }) =>
  Object.values(backtests).some(Boolean)
    ? equity(ticker, backtests)
    : note(t("backtest.missing"), " ", command(`zenith run --tickers ${ticker}`)));
