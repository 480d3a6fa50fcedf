// Candles or a line, the forecast fan, and past forecasts beside actual closes.

import { Chart, colour, key, sessionAxis, valueAxis } from "./chart.js";
import { choice, h, opened, table } from "./dom.js";
import { day, percent, price, t } from "./i18n.js";

const RANGES = { "3m": 63, "6m": 126, "1y": 252, "2y": 504 };
const HEADLINE = 5;
const view = { range: matchMedia("(max-width: 40rem)").matches ? "3m" : "6m", style: "candles" };

// `chart` and `forecast` may be missing. `record`: the matured served forecasts, if any.
export function priceChart(ticker, chart, forecast, record) {
  const series = assemble(chart, forecast, record);
  const drawing = new Chart({
    label: t("price.label", { ticker }), dates: series.dates, height: 400,
    make: () => ({ options: options(series), data: data(series) }), describe: (index) => describe(series, index),
  });
  drawing.last = series.now;
  drawing.say(series.now);
  const controls = h("div", { class: "controls" });
  const control = () => controls.replaceChildren(
    choice(t("price.range"), Object.keys(RANGES).map((name) => [name, t(`price.range.${name}`)]), view.range, choose("range")),
    choice(t("price.style"), ["candles", "line"].map((name) => [name, t(`price.style.${name}`)]), view.style, choose("style")));
  const choose = (what) => (value) => {
    view[what] = value;
    control();
    drawing.draw();
    controls.querySelector(`[data-value="${value}"]`).focus();
  };
  control();
  return [controls, drawing.element, keys(series), alternative(ticker, series)];
}

function assemble(chart, forecast, record) {
  const candles = chart?.candles ?? (forecast
    ? { date: [forecast.as_of], ...Object.fromEntries(["open", "high", "low", "close"].map((name) => [name, [forecast.current_price]])) }
    : { date: [], open: [], high: [], low: [], close: [] });
  const now = candles.date.length - 1;
  const future = forecast && candles.date[now] === forecast.as_of ? forecast.predictions : [];
  const dates = [...candles.date, ...future.map((point) => point.date)];
  const at = new Map(dates.map((date, index) => [date, index]));
  const columns = { dates, now, candles, future, level: forecast?.confidence };
  for (const name of ["pastLower", "pastUpper", "past", "came", "fanLower", "fanUpper", "fan"])
    columns[name] = new Array(dates.length).fill(null);
  columns.served = new Array(dates.length).fill(false);
  for (const one of walkForward(chart)) putPast(columns, at.get(one.target_date), one);
  for (const one of served(record)) putPast(columns, at.get(one.target_date), one, true);
  if (future.length) {
    columns.fan[now] = columns.fanLower[now] = columns.fanUpper[now] = candles.close[now];
    for (const [step, point] of future.entries()) {
      columns.fan[now + 1 + step] = point.price;
      columns.fanLower[now + 1 + step] = point.lower;
      columns.fanUpper[now + 1 + step] = point.upper;
    }
  }
  return columns;
}

function walkForward(chart) {
  const columns = chart?.forecasts;
  return columns ? columns.target_date.map((date, row) =>
    Object.fromEntries(Object.keys(columns).map((name) => [name, columns[name][row]]))) : [];
}

const served = (record) => (record?.forecasts ?? [])
  .filter((one) => one.horizon === HEADLINE && one.in_the_open && one.actual !== null);

function putPast(columns, index, one, wasServed = false) {
  if (index === undefined || index > columns.now) return;
  columns.past[index] = one.forecast;
  columns.pastLower[index] = one.lower;
  columns.pastUpper[index] = one.upper;
  columns.came[index] = one.actual;
  columns.served[index] = wasServed;
}

const missed = (series, index) => series.came[index] !== null &&
  (series.came[index] < series.pastLower[index] || series.came[index] > series.pastUpper[index]);

function data(series) {
  const close = series.dates.map((_, index) => series.candles.close[index] ?? null);
  return [series.dates.map((_, index) => index), close, series.pastLower, series.pastUpper, series.past,
          series.fanLower, series.fanUpper, series.fan];
}

function options(series) {
  const ink = Object.fromEntries(["ink", "muted", "accent", "band", "fan", "up", "down", "miss"].map((name) => [name, colour(name)]));
  const none = { stroke: "transparent", width: 0, points: { show: false } };
  const line = (stroke, width, dash) => ({ stroke, width, dash, points: { show: false } });
  const candles = view.style === "candles" && series.now > 0;
  const first = Math.max(0, series.now + 1 - RANGES[view.range]);
  return {
    scales: { x: { time: false, range: () => [first - 1, series.dates.length] }, y: { range: (plot) => extent(series, first) } },
    axes: [sessionAxis(series.dates), valueAxis()],
    series: [{}, candles ? none : line(ink.ink, 1.6), none, none, line(ink.accent, 1, [2, 3]),
             none, none, line(ink.accent, 2, [6, 4])],
    bands: [{ series: [3, 2], fill: ink.band }, { series: [6, 5], fill: ink.fan }],
    hooks: { draw: [(plot) => clipped(plot, () => {
      if (candles) drawCandles(plot, series, first, ink);
      drawNaive(plot, series, ink);
      drawMisses(plot, series, first, ink);
    })] },
  };
}

function extent(series, first) {
  const shown = [];
  const add = (values) => { for (const value of values.slice(first)) if (value !== null && value !== undefined) shown.push(value); };
  for (const values of [series.candles.high, series.candles.low, series.pastLower, series.pastUpper, series.fanLower, series.fanUpper]) add(values);
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const room = (high - low || high * 0.02 || 1) * 0.04;
  return [low - room, high + room];
}

function clipped(plot, draw) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw();
  ctx.restore();
}

function drawCandles(plot, series, first, ink) {
  const { ctx } = plot;
  const x = (index) => Math.round(plot.valToPos(index, "x", true));
  const y = (value) => Math.round(plot.valToPos(value, "y", true));
  const pitch = plot.valToPos(1, "x", true) - plot.valToPos(0, "x", true);
  const half = Math.max(0.5 * devicePixelRatio, Math.min(pitch * 0.32, 7 * devicePixelRatio));
  for (let index = first; index <= series.now; index++) {
    const [open, high, low, close] = ["open", "high", "low", "close"].map((name) => y(series.candles[name][index]));
    const rose = close <= open;
    ctx.fillStyle = ctx.strokeStyle = rose ? ink.up : ink.down;
    ctx.lineWidth = Math.max(1, Math.round(devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(x(index), high);
    ctx.lineTo(x(index), low);
    ctx.stroke();
    ctx.fillRect(x(index) - half, Math.min(open, close), 2 * half, Math.max(Math.abs(close - open), devicePixelRatio));
  }
}

// The naive forecast: the price stays.
function drawNaive(plot, series, ink) {
  if (!series.future.length) return;
  const { ctx } = plot;
  const y = Math.round(plot.valToPos(series.candles.close[series.now], "y", true)) + 0.5;
  ctx.strokeStyle = ink.muted;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([1 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(plot.valToPos(series.now, "x", true), y);
  ctx.lineTo(plot.valToPos(series.dates.length, "x", true), y);
  ctx.stroke();
  ctx.setLineDash([]);
}

// A ring where the actual close was outside the interval.
function drawMisses(plot, series, first, ink) {
  const { ctx } = plot;
  ctx.strokeStyle = ink.miss;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (let index = first; index <= series.now; index++) {
    if (!missed(series, index)) continue;
    ctx.beginPath();
    ctx.arc(plot.valToPos(index, "x", true), plot.valToPos(series.candles.close[index], "y", true), 4 * devicePixelRatio, 0, 7);
    ctx.stroke();
  }
}

function describe(series, index) {
  const date = day(series.dates[index]);
  if (index > series.now) {
    const point = series.future[index - series.now - 1];
    return t("price.at.forecast", { date, price: price(point.price), lower: price(point.lower), upper: price(point.upper) });
  }
  if (index < 0) return "";
  const [open, high, low, close] = ["open", "high", "low", "close"].map((name) => price(series.candles[name][index]));
  const said = t("price.at.session", { date, open, high, low, close });
  return series.came[index] === null ? said : `${said} · ${t("price.at.past", {
    horizon: HEADLINE, lower: price(series.pastLower[index]), upper: price(series.pastUpper[index]) })}`;
}

function keys(series) {
  const level = percent(series.level ?? 0.9);
  const hasPast = series.past.some((value) => value !== null);
  return h("ul", { class: "keys" },
    series.future.length ? [key("fan", t("price.key.fan", { level })), key("naive", t("price.key.naive"))] : null,
    hasPast ? [key("band", t("price.key.past", { horizon: HEADLINE, level })), key("miss", t("price.key.miss"))] : null);
}

function alternative(ticker, series) {
  const columns = [[t("date"), false], ...["price.close", "price.forecast", "price.lower", "price.upper"].map((name) => [t(name), true])];
  const rows = () => series.dates.map((date, index) => {
    const future = index > series.now;
    const [forecast, lower, upper] = future ? [series.fan, series.fanLower, series.fanUpper] : [series.past, series.pastLower, series.pastUpper];
    return [day(date), price(series.candles.close[index] ?? NaN), price(forecast[index] ?? NaN), price(lower[index] ?? NaN), price(upper[index] ?? NaN)];
  }).reverse();
  return opened(t("as.table"), () => table(t("price.label", { ticker }), columns, rows()));
}
