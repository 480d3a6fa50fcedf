// Shared parts of all charts: theme colours, axes, size, and a cursor that the keyboard can move.

import { day, number, price, t } from "./i18n.js";
import { h } from "./dom.js";
import { watchPointers, Window } from "./chart-window.js";

const alive = new Set();
new MutationObserver(() => { for (const chart of [...alive]) chart.draw(); })
  .observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
for (const media of ["(prefers-color-scheme: dark)", "print"]) // paper has a width and colours of its own
  matchMedia(media).addEventListener("change", () => { for (const chart of [...alive]) chart.draw(); });

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// A chart over sessions. `describe(index)` describes a session in words; `make()` returns uPlot's options and data.
// It shows the sessions from `first`; `level(index)` is the value at the cross of the cursor; `moved()` follows zoom and pan.
export class Chart {
  constructor({ label, dates, height, make, describe, first = 0, level = null, moved = () => {} }) {
    Object.assign(this, { dates, height, make, describe, level });
    this.window = new Window(dates.length, first, (min, max) => {
      this.plot?.setScale("x", { min, max });
      moved();
    });
    this.readout = h("p", { class: "readout", "aria-hidden": "true" });
    this.canvas = h("div", {
      class: "canvas", tabindex: "0", role: "slider", "aria-label": label, "aria-orientation": "horizontal",
      "aria-valuemin": "0", "aria-valuemax": String(dates.length - 1),
    });
    this.element = h("div", { class: "chart" }, this.readout, this.canvas);
    this.canvas.addEventListener("keydown", (event) => this.move(event));
    this.canvas.addEventListener("mouseleave", () => this.say(this.rest()));
    watchPointers(this);
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    alive.add(this);
    this.say(this.rest());
  }

  rest() { return this.last ?? this.dates.length - 1; }

  resize() {
    if (!this.canvas.isConnected) return void this.drop();
    const width = Math.floor(this.canvas.clientWidth);
    if (!width) return;
    if (this.plot) this.plot.setSize({ width, height: this.tall() });
    else this.draw();
  }

  tall() { return this.canvas.clientWidth < 520 ? Math.round(this.height * 0.75) : this.height; }

  draw() {
    if (!this.canvas.isConnected) return void this.drop();
    const width = Math.floor(this.canvas.clientWidth);
    if (!width) return;
    this.plot?.destroy();
    const { options, data } = this.make();
    const tag = h("div", { class: "level", hidden: true });
    this.plot = new uPlot({
      width, height: this.tall(), legend: { show: false }, padding: [10, 4, 0, 4],
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      ...options,
      hooks: { ...options.hooks, setCursor: [(plot) => {
        this.say(plot.cursor.idx ?? this.rest());
        placeLevel(plot, tag, this.format);
      }] },
    }, data, this.canvas);
    this.plot.over.append(tag);
    // The canvas repeats the label, the readout and the table.
    this.plot.root.setAttribute("aria-hidden", "true");
  }

  drop() {
    alive.delete(this);
    this.plot?.destroy();
    this.plot = null;
  }

  move(event) {
    const at = Number(this.canvas.getAttribute("aria-valuenow"));
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
    const zoom = { "+": "closer", "=": "closer", "-": "farther", 0: "reset" }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !this.plot) return; // the browser's own
    if (zoom) return void (event.preventDefault(), this.window[zoom]());
    const [low, high] = [this.window.min, this.window.max].map(Math.round);
    const target = event.key === "Home" ? low : event.key === "End" ? high : step === undefined ? null : at + step;
    if (target === null) return;
    event.preventDefault();
    const index = Math.min(Math.max(target, 0), this.dates.length - 1);
    this.window.reveal(index);
    const value = this.level?.(index);
    this.plot.setCursor({ left: this.plot.valToPos(index, "x"), top: value === null || value === undefined ? 10 : this.plot.valToPos(value, "y") });
    this.say(index);
  }

  say(index) {
    const text = this.describe(index);
    this.canvas.setAttribute("aria-valuenow", String(index));
    this.canvas.setAttribute("aria-valuetext", text);
    this.readout.textContent = text;
  }
}

// The value at the cursor, on the axis of values.
function placeLevel(plot, tag, format = price) {
  const { left, top } = plot.cursor;
  tag.hidden = !(left >= 0 && top >= 0);
  if (tag.hidden) return;
  tag.textContent = format(plot.posToVal(top, "y"));
  tag.style.insetBlockStart = `${Math.round(top)}px`;
}

// Round values within the bounds, about `most` of them; on a wide logarithmic scale 1, 2 and 5 of each power of ten.
export function niceValues(low, high, most, log = false) {
  if (log && high / low > 8) {
    const powers = Array.from({ length: 30 }, (_, power) => power - 12);
    return powers.flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)).filter((value) => value >= low && value <= high);
  }
  const rough = (high - low) / Math.max(most, 2);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((digit) => digit * power >= rough) * power;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, row) => (first + row) * step);
}

// The x axis counts sessions, so that weekends leave no gaps; labels are at the start of a month.
export function sessionAxis(dates) {
  const style = axisStyle();
  return {
    ...style,
    size: 34,
    splits: (plot, _, min, max) => starts(dates, Math.ceil(min), Math.floor(max), Math.max(2, Math.floor(plot.width / 85))),
    values: (_, splits) => splits.map((index) => label(dates, index)),
  };
}

export const valueAxis = (format = price) => ({
  ...axisStyle(), side: 1, size: 62, values: (_, splits) => splits.map((value) => format(value)),
});

function axisStyle() {
  return {
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
    stroke: colour("muted"),
    grid: { stroke: colour("grid"), width: 1 },
    ticks: { show: false },
  };
}

// The first sessions of months, or of weeks in a short window.
function starts(dates, first, last, most) {
  const within = [];
  for (let index = Math.max(first, 1); index <= last && index < dates.length; index++) within.push(index);
  const months = within.filter((index) => dates[index].slice(0, 7) !== dates[index - 1].slice(0, 7));
  if (months.length < 3) {
    const every = Math.max(5, Math.ceil(within.length / most));
    return within.filter((_, row) => row % every === 0);
  }
  const every = [1, 2, 3, 6, 12, 24, 60].find((step) => months.length / step <= most) ?? 120;
  return months.filter((index) => monthNumber(dates[index]) % every === 0);
}

const monthNumber = (iso) => Number(iso.slice(0, 4)) * 12 + Number(iso.slice(5, 7)) - 1;

function label(dates, index) {
  const [iso, before] = [dates[index], dates[index - 1]];
  if (iso.slice(0, 7) === before.slice(0, 7) || Number(iso.slice(8)) > 7) return day(iso, { day: "numeric", month: "short" });
  return iso.slice(5, 7) === "01" ? iso.slice(0, 4) : day(iso, { month: "short" });
}

export const key = (kind, text) => h("li", { class: `key ${kind}` }, h("i", { "aria-hidden": "true" }), text);

export const times = (value) => t("times", { number: number(value, 2) });
