// Shared parts of all charts: theme colours, axes, size, and a cursor that the keyboard can move.

import { day, number, price, t } from "./i18n.js";
import { h } from "./dom.js";

const alive = new Set();
new MutationObserver(() => { for (const chart of [...alive]) chart.draw(); })
  .observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const chart of [...alive]) chart.draw(); });

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// A chart over sessions. `describe(index)` describes a session in words; `make()` returns uPlot's options and data.
export class Chart {
  constructor({ label, dates, height, make, describe }) {
    this.dates = dates;
    this.height = height;
    this.make = make;
    this.describe = describe;
    this.readout = h("p", { class: "readout", "aria-hidden": "true" });
    this.canvas = h("div", {
      class: "canvas", tabindex: "0", role: "slider", "aria-label": label, "aria-orientation": "horizontal",
      "aria-valuemin": "0", "aria-valuemax": String(dates.length - 1),
    });
    this.element = h("div", { class: "chart" }, this.readout, this.canvas);
    this.canvas.addEventListener("keydown", (event) => this.move(event));
    this.canvas.addEventListener("mouseleave", () => this.say(this.rest()));
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
    this.plot = new uPlot({
      width, height: this.tall(), legend: { show: false }, padding: [10, 4, 0, 4],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      ...options,
      hooks: { ...options.hooks, setCursor: [(plot) => this.say(plot.cursor.idx ?? this.rest())] },
    }, data, this.canvas);
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
    const [low, high] = [this.plot.scales.x.min, this.plot.scales.x.max].map(Math.round);
    const target = event.key === "Home" ? low : event.key === "End" ? high : step === undefined ? null : at + step;
    if (target === null) return;
    event.preventDefault();
    const index = Math.min(Math.max(target, Math.max(low, 0)), Math.min(high, this.dates.length - 1));
    this.plot.setCursor({ left: this.plot.valToPos(index, "x"), top: 10 });
    this.say(index);
  }

  say(index) {
    const text = this.describe(index);
    this.canvas.setAttribute("aria-valuenow", String(index));
    this.canvas.setAttribute("aria-valuetext", text);
    this.readout.textContent = text;
  }
}

// The x axis counts sessions, so that weekends leave no gaps; labels are at the start of a month.
export function sessionAxis(dates) {
  const style = axisStyle();
  return {
    ...style,
    size: 34,
    splits: (plot, _, min, max) => months(dates, Math.ceil(min), Math.floor(max), Math.max(2, Math.floor(plot.width / 85))),
    values: (_, splits) => splits.map((index) => label(dates[index])),
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

function months(dates, first, last, most) {
  const starts = [];
  for (let index = Math.max(first, 1); index <= last && index < dates.length; index++)
    if (dates[index].slice(0, 7) !== dates[index - 1].slice(0, 7)) starts.push(index);
  const every = [1, 2, 3, 6, 12, 24, 60].find((step) => starts.length / step <= most) ?? 120;
  return starts.filter((index) => monthNumber(dates[index]) % every === 0);
}

const monthNumber = (iso) => Number(iso.slice(0, 4)) * 12 + Number(iso.slice(5, 7)) - 1;

function label(iso) {
  return iso.slice(5, 7) === "01" ? iso.slice(0, 4) : day(iso, { month: "short" });
}

export const key = (kind, text) => h("li", { class: `key ${kind}` }, h("i", { "aria-hidden": "true" }), text);

export const times = (value) => t("times", { number: number(value, 2) });
