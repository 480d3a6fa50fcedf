// Elements, made without parsing text as HTML: text of the API cannot become markup.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const note = (...content) => h("p", { class: "note" }, content);

export const byId = (id) => document.getElementById(id);

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  return element;
}

// Only web addresses become links, so that none can run a script.
export function link(address, text, attributes = {}) {
  const safe = /^(https?:\/\/|docs$|reports\/|\.\.\/#)/.test(address ?? "");
  return safe ? h("a", { href: address, rel: "noopener", ...attributes }, text) : h("span", {}, text);
}

// A group of buttons with one pressed.
export function choice(label, options, chosen, choose) {
  return h("div", { class: "choice", role: "group", "aria-label": label }, options.map(([value, text]) =>
    h("button", { type: "button", "aria-pressed": String(value === chosen), "data-value": value,
                  onclick: () => choose(value) }, text)));
}

// A group of buttons that are pressed or not, each on its own.
export function toggles(label, options, pressed, toggle) {
  return h("div", { class: "toggles", role: "group", "aria-label": label }, options.map(([value, text]) =>
    h("button", { type: "button", "aria-pressed": String(pressed.has(value)), "data-value": value, onclick: () => toggle(value) }, text)));
}

// A table of `columns` [text, isNumber] and rows of cells.
export function table(caption, columns, rows, attributes = {}) {
  const cell = (content, index) => index === 0
    ? h("th", { scope: "row" }, content)
    : h("td", { class: columns[index][1] ? "number" : null }, content);
  return h("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" },
    h("table", attributes,
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map(([text, isNumber]) =>
        h("th", { scope: "col", class: isNumber ? "number" : null }, text)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell))))));
}

// A table that is filled when it is opened.
export function opened(summary, make) {
  const details = h("details", { class: "alternative" }, h("summary", {}, summary));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(make());
  });
  return details;
}
