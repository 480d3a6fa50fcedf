// The tables of the report: figures as rows, each beside its baseline.

import { h, opened, table } from "./dom.js";
import { day, has, number, percent, price, pValue, t } from "./i18n.js";

const SHOWN = [1, 5, 10, 20, 30]; // horizons
const SHRINKAGE = [1, 5, 20];

const fine = (value) => percent(value, 2);
const one = (value) => percent(value, 1);
const signed = (value) => percent(value, 1, true);
const whole = (value) => number(value, 0);
const three = (value) => number(value, 3);
const base = (text) => h("span", { class: "base" }, text);

// Rows [name, format] of columns of figures.
const rowsOf = (prefix, rows, columns) => rows.map(([name, format, column = name]) => [t(`${prefix}.${name}`), ...columns.map((figures) => format(figures[column]))]);

function byHorizon(caption, rows, metrics) {
  const usual = SHOWN.filter((horizon) => metrics.by_horizon[horizon]);
  const horizons = usual.length ? usual : Object.keys(metrics.by_horizon);
  return table(caption, [[t("report.ahead"), false], ...horizons.map((horizon) => [whole(Number(horizon)), true])],
    rowsOf("report.error", rows, horizons.map((horizon) => metrics.by_horizon[horizon])));
}

export const error = (ticker, metrics) => byHorizon(t("report.error.caption", { ticker }), [
  ["rows", whole], ["mae", fine], ["mae_random_walk", fine], ["rmse", fine], ["mase", three], ["skill", signed], ["drift_skill", signed],
  ["p_value", pValue], ["direction_accuracy", one], ["base_rate_up", one]], metrics);

const OWN_BANDS = [["coverage", one], ["interval_width", one], ["pinball", fine], ["pinball_static", fine], ["pinball_skill", signed]];
const SCALED_BANDS = [["rows", whole], ["coverage", one], ["pinball", fine], ["pinball_ewma", fine], ["skill_ewma", signed, "skill"], ["p_value", pValue]];

// Of the price model's own bands, or of those of the scale.
export const bands = (ticker, metrics) => byHorizon(t("report.bands.table", { ticker }),
  Object.values(metrics.by_horizon).some((row) => "pinball_ewma" in row) ? SCALED_BANDS : OWN_BANDS, metrics);

export function scores(ticker, metrics, title) {
  const rows = [["accuracy", one, "accuracy_baseline"], ["precision", one], ["recall", one], ["f1", one], ["brier", three, "brier_baseline"],
    ["log_loss", three, "log_loss_baseline"], ["skill", signed], ["p_value", pValue], ["ece", one], ["ece_classwise", one]];
  return table(t("report.scores.caption", { ticker }), [[t("backtest.figure"), false], [title, true], [t("report.baseline"), true]],
    rows.map(([name, format, baseline]) => [t(`report.score.${name}`), format(metrics[name]), base(baseline ? format(metrics[baseline]) : "–")]));
}

// The confusion matrix, and the sessions by result.
export function classes(ticker, metrics) {
  const sides = Object.keys(metrics.confusion ?? {});
  const signalled = Math.round(metrics.rows * (metrics.signalled ?? 0));
  const results = [[t("report.signalled"), signalled],
    ...Object.entries(metrics.abstained).map(([code, rows]) => [has(`reason.${code}`) ? t(`reason.${code}`) : code, rows])];
  return h("div", {},
    sides.length > 0 && table(t("report.confusion", { ticker }),
      [[t("report.confusion.was"), false], ...sides.map((side) => [t(`signal.${side}`), true]), [t("report.base_rate"), true]],
      sides.map((actual) => [t(`signal.${actual}`), ...sides.map((said) => whole(metrics.confusion[actual][said])), base(one(metrics.base_rates[actual]))])),
    table(t("report.results", { ticker }), [[t("report.result"), false], [t("report.sessions"), true], [t("report.share"), true]],
      results.map(([name, rows]) => [h("span", { class: "wrap" }, name), whole(rows), one(metrics.rows ? rows / metrics.rows : null)]), { class: "wrapping" }));
}

export const tails = (ticker, record) => table(t("report.tails", { ticker }),
  [[t("report.tail"), false], ...["hits", "rows", "kupiec", "independence", "fz0", "ewma"].map((name) => [t(`report.tail.${name}`), true])],
  Object.entries(record.horizons).flatMap(([horizon, figures]) => figures.tails.map((tail) => [
    `${t("sessions", { n: Number(horizon) })}, ${percent(tail.tail)}`, fine(tail.hit_rate), whole(tail.rows), pValue(tail.kupiec_p),
    pValue(tail.independence_p), three(tail.fz0), base(three(tail.fz0_ewma))])));

export const volatility = (ticker, record) => table(t("report.volatility", { ticker }),
  [[t("horizon"), false], ...["rows", "qlike", "ewma", "skill"].map((name) => [t(`report.tail.${name}`), true])],
  Object.entries(record.horizons).map(([horizon, { volatility: score }]) => [
    t("sessions", { n: Number(horizon) }), whole(score.rows), three(score.qlike), base(three(score.qlike_ewma)), signed(score.qlike_skill)]));

// The band's pinball loss beside GARCH's and GJR's, also where those are smaller; data of an earlier release have none.
export function peers(ticker, record) {
  const rows = Object.entries(record.horizons).filter(([, figures]) => figures.peers);
  return rows.length > 0 && table(t("report.peers", { ticker }),
    [[t("horizon"), false], ...["rows", "own", "garch", "gjr"].map((name) => [t(`report.peers.${name}`), true])],
    rows.map(([horizon, { peers: losses }]) => [t("sessions", { n: Number(horizon) }), whole(losses.rows), percent(losses.pinball, 3),
      base(percent(losses.pinball_garch, 3)), base(percent(losses.pinball_gjr, 3))]));
}

// The probabilities to touch a level, scored; data of an earlier release have none.
export function touches(ticker, record) {
  const rows = Object.entries(record.horizons).flatMap(([horizon, { touch = [] }]) => touch.map((level) => [horizon, level]));
  return rows.length > 0 && table(t("report.touches", { ticker }),
    [[t("report.touch.level"), false], ...["rate", "rows", "brier", "frequency", "skill"].map((name) => [t(`report.touch.${name}`), true])],
    rows.map(([horizon, touch]) => [`${t("sessions", { n: Number(horizon) })}, ${percent(touch.pct / 100, 0, true)}`, one(touch.rate), whole(touch.rows),
      number(touch.brier, 4), base(number(touch.brier_frequency, 4)), signed(touch.skill)]));
}

const FIFTHS = [0, 1, 2, 3, 4];

// The place of the ticker among all, and its part in an equal-weight book of them, by horizon.
export const standings = (ticker, horizons) => table(t("report.among", { ticker }),
  [[t("report.ahead"), false], ...horizons.map(({ horizon }) => [whole(horizon), true])],
  [...FIFTHS.map((n) => [t(`ranks.fifth.${n + 1}`), ({ fifths }) => one(fifths[n])]),
    [t("ranks.first"), ({ first }) => one(first)], [t("ranks.last"), ({ last }) => one(last)],
    [t("report.among.correlation"), ({ correlation }) => number(correlation)], [t("book.part"), ({ share }) => one(share)],
    [t("report.among.volatility"), ({ volatility: size }) => one(size)],
    [t("report.among.var", { tail: percent(horizons[0].tail) }), ({ value_at_risk: loss }) => one(loss)],
    [t("report.among.es"), ({ expected_shortfall: loss }) => one(loss)],
  ].map(([name, format]) => [name, ...horizons.map(format)]));

const STATISTICS = [["total_return", one], ["annual_return", one], ["volatility", one], ["sharpe", number], ["psr", one], ["deflated_sharpe", one], ["deflated_sharpe_all", one], ["independent_all", number],
  ["trials", whole], ["excess_sharpe", number], ["excess_sharpe_p_value", pValue], ["sortino", number], ["calmar", number], ["max_drawdown", one],
  ["max_drawdown_sessions", whole], ["exposure", one], ["trades", whole], ["hit_rate", one], ["profit_factor", number], ["turnover", number],
  ["break_even_cost", fine]];

export function statistics(ticker, backtests, titled) {
  const kinds = Object.keys(backtests);
  const columns = kinds.flatMap((kind) => [backtests[kind].stats.strategy, backtests[kind].stats.buy_and_hold]);
  return table(t("backtest.figures", { ticker }),
    [[t("backtest.figure"), false], ...kinds.flatMap((kind) => [[titled(kind), true], [t("backtest.held"), true]])],
    rowsOf("statistic", STATISTICS, columns).map(([name, ...cells]) => [name, ...cells.map((cell, index) => (index % 2 ? base(cell) : cell))]));
}

// The last trades; one that is open has no exit.
export const trades = (title, rows, currency) => opened(t("report.trades", { n: rows.length }), () => table(t("report.trades.caption", { title }),
  [[t("report.trade.entry"), false], ...["at", "exit", "at", "quantity"].map((name) => [t(`report.trade.${name}`), true]),
   ...["costs", "pnl"].map((name) => [t(`report.trade.${name}`, { currency }), true])],
  rows.map((trade) => [day(trade.entry_date), price(trade.entry_price), trade.exit_date ? day(trade.exit_date) : t("report.trade.open"), price(trade.exit_price),
    number(trade.quantity), number(trade.costs), number(trade.pnl)])));

export function rules(config) {
  const { holding_period: period, target_volatility: target } = config;
  return [
    t("rules.costs", { commission: percent(config.commission, 2), slippage: percent(config.slippage, 2) }),
    t(config.allow_short ? "rules.short" : "rules.long"),
    target ? t("rules.sized", { share: percent(target) }) : t("rules.whole"),
    period ? t("rules.held", { n: period }) : t("rules.until"),
  ].join(", ");
}

const month = (iso) => day(iso, { month: "short", year: "numeric" });
const range = (dates) => (dates?.length ? `${month(dates[0])} – ${month(dates.at(-1))}` : "–");
const shrinkage = (factors) => (Array.isArray(factors)
  ? SHRINKAGE.filter((horizon) => horizon <= factors.length).map((horizon) => number(factors[horizon - 1])).join("; ")
  : number(factors));
const named = (model, index) => (index + 1 < model.folds.length ? whole(index + 1) : t("report.fold.served"));

export const folds = (ticker, model) => table(t("report.folds", { ticker }),
  [[t("report.fold"), false], ...["train", "validation", "test", "rows", "linear", "network"].map((name) => [t(`report.fold.${name}`), true])],
  model.folds.map((fold, index) => [named(model, index), range(fold.train), range(fold.validation), range(fold.test), whole(fold.train_rows),
    shrinkage(fold.shrinkage?.linear), shrinkage(fold.shrinkage?.network)]));

export const signalFolds = (ticker, model) => table(t("report.folds.signal", { ticker }),
  [[t("report.fold"), false], ...["train", "test", "rows", "calibration", "slope", "p", "proven"].map((name) => [t(`report.fold.${name}`), true])],
  model.folds.map((fold, index) => [named(model, index), range([...(fold.train ?? []).slice(0, 1), ...(fold.validation ?? fold.train ?? []).slice(-1)]),
    range(fold.test), whole(fold.train_rows), whole(fold.calibration?.rows), number(fold.calibration?.slope), pValue(fold.calibration?.direction_p),
    { true: t("yes"), false: t("no") }[fold.calibration?.proven] ?? "–"]));

export const lineage = (ticker, models, titled) => table(t("report.lineage", { ticker }),
  [[t("models.model"), false], ...models.map((model) => [titled(model), false])],
  Object.keys(models[0]?.lineage ?? {}).map((name) => [t(`lineage.${name}`), ...models.map((model) => (name === "data_end" ? day(model.lineage[name]) : model.lineage[name] ?? "–"))]));
