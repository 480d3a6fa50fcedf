// Prices as candles or a line, the forecast fan, past forecasts, signals and indicators, with their controls.

import { Chart, colour, key, niceValues, sessionAxis, valueAxis } from "./chart.js";
import { choice, h, opened, table, toggles } from "./dom.js";
import { compact, day, number, percent, price, t } from "./i18n.js";
import { clipped, drawLine, drawMisses, drawNaive, drawPrices, drawRsi, drawSignals, drawVolume, LANE } from "./price-drawing.js";
import { assemble, has, HEADLINE } from "./price-series.js";

const RANGES = { "1m": 21, "3m": 63, "6m": 126, "1y": 252, all: Infinity };
const INKS = ["ink", "muted", "grid", "accent", "band", "fan", "up", "down", "miss", "average-fast", "average-slow", "bollinger", "volume-up", "volume-down"];
const STORE = "zenith.chart";
const view = {
  range: matchMedia("(max-width: 40rem)").matches ? "3m" : "6m", style: "candles", scale: "linear",
  layers: new Set(stored() ?? ["volume", "signals", "past"]),
};

// What can be shown or hidden, and the columns that it needs.
const LAYERS = {
  volume: (series) => series.candles.volume,
  sma_50: (series) => series.sma_50,
  sma_200: (series) => series.sma_200,
  bollinger: (series) => series.bb_lower,
  rsi: (series) => series.rsi_14,
  signals: (series) => series.signals,
  past: (series) => series.past,
};

function stored() {
  try { return JSON.parse(localStorage.getItem(STORE)); } catch { return null; }
}

function store() {
  try { localStorage.setItem(STORE, JSON.stringify([...view.layers])); } catch { /* not stored */ }
}

// `chart` and `forecast` may be missing. `record`: the matured served forecasts, if any.
export function priceChart(ticker, chart, forecast, record) {
  const series = assemble(chart, forecast, record);
  const layers = Object.keys(LAYERS).filter((name) => has(LAYERS[name](series)));
  const shows = (name) => layers.includes(name) && view.layers.has(name);
  const drawing = new Chart({
    label: t("price.label", { ticker }), dates: series.dates, height: 440, first: firstOf(series),
    make: () => ({ options: options(series, drawing.window, shows), data: data(series, shows) }),
    describe: (index) => describe(series, index, shows),
    level: (index) => series.candles.close[index] ?? series.fan[index],
    moved: () => { view.range = null; control(); },
  });
  drawing.last = series.now;
  drawing.say(series.now);
  const controls = h("div", { class: "controls" });
  const legend = h("div", {});
  const control = (focus) => {
    controls.replaceChildren(
      choice(t("price.range"), Object.keys(RANGES).map((name) => [name, t(`price.range.${name}`)]), view.range, chooseRange),
      zoomButtons(drawing),
      choice(t("price.style"), ["candles", "line"].map((name) => [name, t(`price.style.${name}`)]), view.style, choose("style")),
      choice(t("price.scale"), ["linear", "log"].map((name) => [name, t(`price.scale.${name}`)]), view.scale, choose("scale")),
      toggles(t("price.layers"), layers.map((name) => [name, t(`price.layer.${name}`)]), view.layers, toggle));
    legend.replaceChildren(keys(series, shows));
    if (focus) controls.querySelector(`[data-value="${focus}"]`).focus();
  };
  const choose = (what) => (value) => {
    view[what] = value;
    drawing.draw();
    control(value);
  };
  const chooseRange = (name) => {
    view.range = name;
    drawing.window.home = [firstOf(series), series.dates.length];
    drawing.window.reset();
    view.range = name;
    control(name);
  };
  const toggle = (name) => {
    view.layers.has(name) ? view.layers.delete(name) : view.layers.add(name);
    store();
    drawing.draw();
    drawing.say(drawing.rest());
    control(name);
  };
  control();
  return [controls, drawing.element, legend, h("p", { class: "small hint" }, t("price.hint")), alternative(ticker, series)];
}

const firstOf = (series) => Math.max(0, series.now + 1 - (RANGES[view.range] ?? RANGES["6m"])) - 1;

function zoomButtons(drawing) {
  const button = (name, sign, press) => h("button", { type: "button", "aria-label": t(`price.zoom.${name}`), title: t(`price.zoom.${name}`), onclick: press }, sign);
  return h("div", { class: "choice", role: "group", "aria-label": t("price.zoom") },
    button("out", "−", () => drawing.window.farther()), button("in", "+", () => drawing.window.closer()));
}

function data(series, shows) {
  const nothing = new Array(series.dates.length).fill(null);
  const past = (column) => (shows("past") ? column : nothing);
  const close = series.dates.map((_, index) => series.candles.close[index] ?? null);
  const bollinger = (column) => (shows("bollinger") ? column : nothing);
  return [series.dates.map((_, index) => index), close, past(series.pastLower), past(series.pastUpper), past(series.past),
          series.fanLower, series.fanUpper, series.fan, bollinger(series.bb_lower), bollinger(series.bb_upper)];
}

function options(series, window, shows) {
  const ink = Object.fromEntries(INKS.map((name) => [name, colour(name)]));
  const none = { stroke: "transparent", width: 0, points: { show: false } };
  const line = (stroke, width, dash) => ({ stroke, width, dash, points: { show: false } });
  const lanes = ["volume", "rsi"].filter(shows);
  const log = view.scale === "log";
  const bounds = () => extent(series, window, shows);
  return {
    scales: { x: { time: false, range: () => [window.min, window.max] },
              y: { distr: log ? 3 : 1, range: () => withLanes(bounds(), lanes.length, log) } },
    axes: [sessionAxis(series.dates), { ...valueAxis(), splits: (plot) => niceValues(...bounds(), plot.height / 55, log), filter: (_, splits) => splits }],
    series: [{}, none, none, none, line(ink.accent, 1, [2, 3]), none, none, line(ink.accent, 2, [6, 4]),
             line(ink.bollinger, 1), line(ink.bollinger, 1)],
    bands: [{ series: [3, 2], fill: ink.band }, { series: [6, 5], fill: ink.fan }],
    hooks: { draw: [(plot) => clipped(plot, () => {
      if (shows("volume")) drawVolume(plot, series, lanes.indexOf("volume"), lanes.length, ink);
      if (shows("rsi")) drawRsi(plot, series, lanes.indexOf("rsi"), lanes.length, ink);
      drawPrices(plot, series, view.style, ink);
      if (shows("sma_50")) drawLine(plot, series, series.sma_50, ink["average-fast"], 1.4);
      if (shows("sma_200")) drawLine(plot, series, series.sma_200, ink["average-slow"], 1.4);
      drawNaive(plot, series, ink);
      if (shows("past")) drawMisses(plot, series, ink);
      if (shows("signals")) drawSignals(plot, series, ink);
    })] },
  };
}

// The lowest and highest price of the window, with some room.
function extent(series, window, shows) {
  const [first, last] = [Math.max(0, Math.floor(window.min)), Math.ceil(window.max) + 1];
  const columns = [series.candles.high, series.candles.low, series.fanLower, series.fanUpper,
    ...(shows("past") ? [series.pastLower, series.pastUpper] : []),
    ...(shows("bollinger") ? [series.bb_lower, series.bb_upper] : [])];
  const shown = columns.flatMap((values) => values.slice(first, last)).filter((value) => value !== null && value !== undefined);
  if (!shown.length) return [0.5, 1.5];
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const room = (high - low || high * 0.02 || 1) * 0.05;
  return [low > 0 ? Math.max(low - room, low * 0.7) : low - room, high + room];
}

// Make room below the prices for the lanes.
function withLanes([low, high], lanes, log) {
  const share = lanes * LANE / (1 - lanes * LANE);
  return log ? [low / (high / low) ** share, high] : [low - (high - low) * share, high];
}

function describe(series, index, shows) {
  if (index < 0 || index >= series.dates.length) return "";
  const date = day(series.dates[index]);
  if (index > series.now) {
    const point = series.future[index - series.now - 1];
    return t("price.at.forecast", { date, price: price(point.price), lower: price(point.lower), upper: price(point.upper) });
  }
  const [open, high, low, close] = ["open", "high", "low", "close"].map((name) => price(series.candles[name][index]));
  const extra = {
    volume: () => compact(series.candles.volume[index]),
    sma_50: () => price(series.sma_50[index]),
    sma_200: () => price(series.sma_200[index]),
    bollinger: () => `${price(series.bb_lower[index])} – ${price(series.bb_upper[index])}`,
    rsi: () => number(series.rsi_14[index], 0),
  };
  const signal = shows("signals") && series.signals[index];
  return [
    t("price.at.session", { date, open, high, low, close }),
    ...Object.keys(extra).filter(shows).map((name) => `${t(`price.layer.${name}`)} ${extra[name]()}`),
    signal && t("price.at.signal", { signal: t(`signal.${signal}`) }),
    shows("past") && series.came[index] !== null && t("price.at.past", {
      horizon: HEADLINE, lower: price(series.pastLower[index]), upper: price(series.pastUpper[index]) }),
  ].filter(Boolean).join(" · ");
}

function keys(series, shows) {
  const level = percent(series.level ?? 0.9);
  const one = (name) => shows(name) && key(name, t(`price.layer.${name}`));
  return h("ul", { class: "keys" },
    series.future.length ? [key("fan", t("price.key.fan", { level })), key("naive", t("price.key.naive"))] : null,
    shows("past") && [key("past", t("price.key.line", { horizon: HEADLINE })), key("band", t("price.key.past", { horizon: HEADLINE, level })), key("miss", t("price.key.miss"))],
    shows("signals") && [key("buy", t("price.key.buy")), key("sell", t("price.key.sell"))],
    ["sma_50", "sma_200", "bollinger", "rsi"].map(one));
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
