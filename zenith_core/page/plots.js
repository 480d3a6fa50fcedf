// Small plots of the report as SVG, which prints sharply and takes its colours from the style sheet.

import { h } from "./dom.js";
import { percent } from "./i18n.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [420, 190, 46, 22, 8];
const NAMESPACE = "http://www.w3.org/2000/svg";

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const scale = ([low, high], [from, to]) => (value) => from + (to - from) * (value - low) / (high - low || 1);

// A frame with ticks; `draw(x, y)` returns the marks between pixel scales.
function plot(label, caption, xs, ys, draw, { xTicks, yTicks, format = (value) => percent(value, 0), name = String }) {
  const [x, y] = [scale(xs, [LEFT, WIDTH - 8]), scale(ys, [HEIGHT - BOTTOM, TOP])];
  const ticks = [
    ...yTicks.flatMap((value) => [
      svg("line", { class: "axis", x1: LEFT, x2: WIDTH - 8, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, format(value))]),
    ...xTicks.map((value) => svg("text", { x: x(value), y: HEIGHT - 5, "text-anchor": "middle" }, name(value)))];
  return h("figure", { class: "plot" },
    svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, ...ticks, ...draw(x, y)),
    h("figcaption", {}, caption));
}

function niceTicks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((digit) => digit * power >= rough) * power;
  return Array.from({ length: 12 }, (_, row) => (Math.ceil(low / step) + row) * step).filter((value) => value <= high + 1e-12);
}

// A bar for each [horizon, value, good].
export function skillBars(label, caption, rows) {
  const values = rows.map(([, value]) => value ?? 0);
  const size = Math.max(...values.map(Math.abs), 0.005) * 1.15;
  const xs = [rows[0][0] - 1, rows.at(-1)[0] + 1];
  return plot(label, caption, xs, [-size, size], (x, y) => rows.map(([horizon, value, good]) => svg("rect", {
    class: `mark ${good ? "good" : "flat"}`, x: x(horizon) - 4, width: 8,
    y: Math.min(y(value ?? 0), y(0)), height: Math.max(Math.abs(y(value ?? 0) - y(0)), 1) })),
  { xTicks: ends(rows), yTicks: niceTicks(-size, size), format: (value) => percent(value, size < 0.05 ? 1 : 0) });
}

const ends = (rows) => [...new Set([rows[0][0], ...[5, 10, 15, 20, 25].filter((one) => one > rows[0][0] && one < rows.at(-1)[0]), rows.at(-1)[0]])];

// The coverage at each [horizon, share], beside the promised one.
export function coverageLine(label, caption, rows, promise = 0.9) {
  const shares = rows.map(([, share]) => share);
  const low = Math.min(0.7, ...shares) - 0.02;
  return plot(label, caption, [rows[0][0] - 1, rows.at(-1)[0] + 1], [low, 1], (x, y) => [
    svg("line", { class: "guide", x1: LEFT, x2: WIDTH - 8, y1: y(promise), y2: y(promise) }),
    svg("polyline", { class: "line", points: rows.map(([horizon, share]) => `${x(horizon)},${y(share)}`).join(" ") }),
  ], { xTicks: ends(rows), yTicks: niceTicks(low, 1) });
}

// Predicted beside observed shares: bins {predicted, observed, rows} by class.
export function reliability(label, caption, classes) {
  const most = Math.max(...Object.values(classes).flat().map((bin) => bin.rows), 1);
  const high = Math.min(1, 0.1 + Math.max(...Object.values(classes).flat().flatMap((bin) => [bin.predicted, bin.observed])));
  return plot(label, caption, [0, high], [0, high], (x, y) => [
    svg("line", { class: "guide", x1: x(0), y1: y(0), x2: x(high), y2: y(high) }),
    ...Object.entries(classes).flatMap(([name, bins]) => bins.map((bin) =>
      svg("circle", { class: `mark ${name === "hold" ? "flat" : name}`, cx: x(bin.predicted), cy: y(bin.observed), r: 2 + 4 * Math.sqrt(bin.rows / most), "fill-opacity": 0.75 }))),
  ], { xTicks: niceTicks(0, high), yTicks: niceTicks(0, high), name: (value) => percent(value) });
}
