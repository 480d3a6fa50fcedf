// Equity of trading on walk-forward signals, beside buy-and-hold.

import { Chart, colour, key, sessionAxis, times, valueAxis } from "./chart.js";
import { choice, h, note, opened, table } from "./dom.js";
import { day, has, number, percent, t } from "./i18n.js";

const view = { kind: null };

const titled = (kind) => (has(`model.${kind}`) ? t(`model.${kind}`) : kind);

export function equity(ticker, backtests) {
  const kinds = Object.keys(backtests).filter((kind) => backtests[kind]);
  const place = h("div");
  const show = (kind, refocus = false) => {
    view.kind = kind;
    place.replaceChildren(...one(ticker, kind, backtests[kind],
      kinds.length > 1 ? choice(t("backtest.kind"), kinds.map((name) => [name, titled(name)]), kind, (chosen) => show(chosen, true)) : null));
    if (refocus) place.querySelector(`[data-value="${kind}"]`).focus();
  };
  show(kinds.includes(view.kind) ? view.kind : kinds[0]);
  return place;
}

// The curve of one kind, without a choice of others and without its statistics.
export const equityOf = (ticker, kind, backtest) => one(ticker, kind, backtest, null, false);

function one(ticker, kind, backtest, chooser, withFigures = true) {
  const { date, strategy, buy_and_hold: held } = backtest.equity;
  const at = (index) => t("backtest.at", { date: day(date[index]), strategy: times(strategy[index]), held: times(held[index]) });
  const chart = new Chart({
    label: t("backtest.label", { ticker }), dates: date, height: 280, describe: at,
    make: () => ({ options: options(date, chart.window), data: [date.map((_, index) => index), strategy, held] }),
    level: (index) => strategy[index],
  });
  chart.format = times;
  return [
    chooser && h("div", { class: "controls" }, chooser),
    neverTraded(backtest) && note(t("backtest.never")),
    chart.element,
    h("ul", { class: "keys" }, key("strategy", t("backtest.strategy", { model: titled(kind) })), key("held", t("backtest.held"))),
    withFigures && figures(ticker, backtest),
    h("p", { class: "small" }, t("backtest.costs", {
      commission: percent(backtest.config.commission, 2), slippage: percent(backtest.config.slippage, 2), version: backtest.model_version })),
    opened(t("as.table"), () => table(t("backtest.label", { ticker }),
      [[t("date"), false], [t("backtest.strategy.short"), true], [t("backtest.held"), true]],
      date.map((iso, index) => [day(iso), times(strategy[index]), times(held[index])]).reverse())),
  ].filter(Boolean);
}

const neverTraded = ({ stats: { strategy } }) => strategy.trades === 0 && !strategy.open_trades;

function figures(ticker, { stats }) {
  const rows = [
    ["total_return", (value) => percent(value, 1, true)],
    ["annual_return", (value) => percent(value, 1, true)],
    ["volatility", (value) => percent(value, 1)],
    ["max_drawdown", (value) => percent(value, 1)],
    ["sharpe", (value) => number(value, 2)],
    ["trades", (value) => number(value, 0)],
  ];
  return table(t("backtest.figures", { ticker }), [[t("backtest.figure"), false], [t("backtest.strategy.short"), true], [t("backtest.held"), true]],
    rows.map(([name, format]) => [t(`backtest.${name}`), format(stats.strategy[name]), name === "trades" ? "–" : format(stats.buy_and_hold[name])]));
}

function options(dates, window) {
  const line = (stroke, width, dash) => ({ stroke, width, dash, points: { show: false } });
  return {
    scales: { x: { time: false, range: () => [window.min, window.max] } },
    axes: [sessionAxis(dates), valueAxis(times)],
    series: [{}, line(colour("accent"), 1.8), line(colour("muted"), 1.4, [5, 3])],
  };
}
