// The parts of the price chart that uPlot does not draw: candles, rings, signals, and the lanes below the prices.

import { missed } from "./price-series.js";

const DUST = 3; // CSS pixels of a session below which candles are drawn as a line
export const LANE = 0.16; // of the height, for each of volume and RSI

const finite = (value) => value !== null && value !== undefined;

export function clipped(plot, draw) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw();
  ctx.restore();
}

const pitchOf = (plot) => plot.valToPos(1, "x", true) - plot.valToPos(0, "x", true);
const visible = (plot, series) => [Math.max(0, Math.floor(plot.scales.x.min)), Math.min(series.now, Math.ceil(plot.scales.x.max))];
export const isDust = (plot) => pitchOf(plot) < DUST * devicePixelRatio;

export function drawPrices(plot, series, style, ink) {
  if (style === "candles" && series.now > 0 && !isDust(plot)) drawCandles(plot, series, ink);
  else drawLine(plot, series, series.candles.close, ink.ink, 1.6);
}

function drawCandles(plot, series, ink) {
  const { ctx } = plot;
  const [first, last] = visible(plot, series);
  const half = Math.max(0.5 * devicePixelRatio, Math.min(pitchOf(plot) * 0.32, 7 * devicePixelRatio));
  const y = (value) => Math.round(plot.valToPos(value, "y", true));
  for (let index = first; index <= last; index++) {
    const x = Math.round(plot.valToPos(index, "x", true));
    const [open, high, low, close] = ["open", "high", "low", "close"].map((name) => y(series.candles[name][index]));
    ctx.fillStyle = ctx.strokeStyle = close <= open ? ink.up : ink.down;
    ctx.lineWidth = Math.max(1, Math.round(devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(x, high);
    ctx.lineTo(x, low);
    ctx.stroke();
    ctx.fillRect(x - half, Math.min(open, close), 2 * half, Math.max(Math.abs(close - open), devicePixelRatio));
  }
}

export function drawLine(plot, series, column, colour, width, y = (value) => plot.valToPos(value, "y", true)) {
  const { ctx } = plot;
  const [first, last] = visible(plot, series);
  ctx.strokeStyle = colour;
  ctx.lineWidth = width * devicePixelRatio;
  ctx.beginPath();
  for (let index = Math.max(0, first - 1), down = false; index <= Math.min(series.now, last + 1); index++) {
    if (!finite(column[index])) { down = false; continue; }
    const place = [plot.valToPos(index, "x", true), y(column[index])];
    down ? ctx.lineTo(...place) : ctx.moveTo(...place);
    down = true;
  }
  ctx.stroke();
}

// The naive forecast: the price stays.
export function drawNaive(plot, series, ink) {
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
export function drawMisses(plot, series, ink) {
  const { ctx } = plot;
  const [first, last] = visible(plot, series);
  ctx.strokeStyle = ink.miss;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (let index = first; index <= last; index++) {
    if (!missed(series, index)) continue;
    ctx.beginPath();
    ctx.arc(plot.valToPos(index, "x", true), plot.valToPos(series.candles.close[index], "y", true), (isDust(plot) ? 2 : 4) * devicePixelRatio, 0, 7);
    ctx.stroke();
  }
}

// A triangle below the session of a buy, above that of a sell.
export function drawSignals(plot, series, ink) {
  const { ctx } = plot;
  const [first, last] = visible(plot, series);
  const size = 5 * devicePixelRatio;
  for (let index = first; index <= last; index++) {
    const signal = series.signals[index];
    if (signal !== "buy" && signal !== "sell") continue;
    const side = signal === "buy" ? 1 : -1;
    const x = plot.valToPos(index, "x", true);
    const y = plot.valToPos(series.candles[signal === "buy" ? "low" : "high"][index], "y", true) + side * size;
    ctx.fillStyle = signal === "buy" ? ink.up : ink.down;
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x - size * 0.9, y + side * size * 1.6);
    ctx.lineTo(x + size * 0.9, y + side * size * 1.6);
    ctx.fill();
  }
}

const laneOf = ({ bbox }, row, lanes) => {
  const height = bbox.height * LANE;
  return { top: bbox.top + bbox.height - (lanes - row) * height + 8 * devicePixelRatio, height: height - 8 * devicePixelRatio };
};

export function drawVolume(plot, series, row, lanes, ink) {
  const { ctx } = plot;
  const { top, height } = laneOf(plot, row, lanes);
  const [first, last] = visible(plot, series);
  const most = Math.max(...series.candles.volume.slice(first, last + 1)) || 1;
  const width = Math.max(devicePixelRatio, pitchOf(plot) * 0.64);
  for (let index = first; index <= last; index++) {
    const tall = height * series.candles.volume[index] / most;
    ctx.fillStyle = series.candles.close[index] >= series.candles.open[index] ? ink["volume-up"] : ink["volume-down"];
    ctx.fillRect(plot.valToPos(index, "x", true) - width / 2, top + height - tall, width, tall);
  }
}

export function drawRsi(plot, series, row, lanes, ink) {
  const { ctx, bbox } = plot;
  const { top, height } = laneOf(plot, row, lanes);
  const y = (value) => top + height * (1 - value / 100);
  ctx.strokeStyle = ink.grid;
  ctx.lineWidth = devicePixelRatio;
  for (const level of [30, 70]) {
    ctx.beginPath();
    ctx.moveTo(bbox.left, y(level));
    ctx.lineTo(bbox.left + bbox.width, y(level));
    ctx.stroke();
  }
  drawLine(plot, series, series.rsi_14, ink["average-slow"], 1.2, y);
}
