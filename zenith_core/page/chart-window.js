// Zoom and pan: the window of sessions that a chart shows, moved by mouse, wheel, touch and keys.

const FEWEST = 10; // sessions
const STEP = 1.4; // of a zoom by button or key
const MOVED = 4; // pixels from which a press is a drag

// `most` sessions in all; `show(min, max)` is called for each new window.
export class Window {
  constructor(most, min, show) {
    Object.assign(this, { most, home: [min, most], min, max: most, show });
  }

  set(min, max) {
    const span = Math.min(Math.max(max - min, FEWEST), this.most + 1);
    const first = Math.min(Math.max(min, -1), this.most - span);
    if (first === this.min && first + span === this.max) return false;
    [this.min, this.max] = [first, first + span];
    this.show(this.min, this.max);
    return true;
  }

  pan(by) { return this.set(this.min + by, this.max + by); }

  // `at`: the session that keeps its place.
  zoom(factor, at = this.max) {
    const span = Math.min(Math.max((this.max - this.min) * factor, FEWEST), this.most + 1);
    const share = (at - this.min) / (this.max - this.min);
    return this.set(at - share * span, at + (1 - share) * span);
  }

  closer() { return this.zoom(1 / STEP); }
  farther() { return this.zoom(STEP); }
  reset() { return this.set(...this.home); }

  // Show the session, by panning if it is outside.
  reveal(index) {
    if (index < this.min + 1) this.pan(index - this.min - 1);
    else if (index > this.max - 1) this.pan(index - this.max + 1);
  }
}

// Drag to pan, Shift and drag to choose a period, pinch or wheel to zoom, double click to go back.
export function watchPointers(chart) {
  const { canvas, window } = chart;
  const presses = new Map();
  let select = null;
  const plot = () => chart.plot;
  const left = (event) => event.clientX - plot().over.getBoundingClientRect().left;
  const session = (event) => plot().posToVal(left(event), "x");
  const perPixel = () => (window.max - window.min) / plot().over.clientWidth;

  canvas.addEventListener("wheel", (event) => {
    if (!plot()) return;
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (!sideways && !event.ctrlKey && document.activeElement !== canvas) return; // the page scrolls
    const moved = sideways ? window.pan(event.deltaX * perPixel()) : window.zoom(Math.exp(Math.min(Math.max(event.deltaY, -100), 100) * 0.0025), session(event));
    if (moved || event.ctrlKey || sideways) event.preventDefault();
  }, { passive: false });

  canvas.addEventListener("pointerdown", (event) => {
    if (!plot() || event.button !== 0) return;
    presses.set(event.pointerId, { x: event.clientX, from: event.clientX, dragged: false });
    if (event.shiftKey) select = { from: left(event) };
  });

  canvas.addEventListener("pointermove", (event) => {
    const press = presses.get(event.pointerId);
    if (!press) return;
    if (!press.dragged && Math.abs(event.clientX - press.from) < MOVED) return;
    if (!press.dragged) canvas.setPointerCapture(event.pointerId);
    press.dragged = true;
    if (select) showSelection(event);
    else if (presses.size === 1) window.pan((press.x - event.clientX) * perPixel());
    else pinch(event, press);
    press.x = event.clientX;
  });

  function showSelection(event) {
    const [from, to] = [select.from, left(event)].sort((a, b) => a - b);
    select.to = left(event);
    plot().setSelect({ left: from, width: to - from, top: 0, height: plot().over.clientHeight }, false);
  }

  function pinch(event, press) {
    const other = [...presses.values()].find((one) => one !== press);
    const [before, after] = [Math.abs(press.x - other.x), Math.abs(event.clientX - other.x)];
    if (before > 10 && after > 10) window.zoom(before / after, session({ clientX: (event.clientX + other.x) / 2 }));
  }

  function release(event) {
    presses.delete(event.pointerId);
    if (!select) return;
    const { from, to } = select;
    select = null;
    plot().setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    if (to !== undefined && event.type === "pointerup") window.set(...[from, to].sort((a, b) => a - b).map((x) => plot().posToVal(x, "x")));
  }
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, release);
  canvas.addEventListener("dblclick", () => window.reset());
}
