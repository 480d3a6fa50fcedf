// The search field: a combobox with keyboard navigation (WAI-ARIA's editable combobox pattern).

import { byId, fill, h } from "./dom.js";
import { t } from "./i18n.js";

const MOST = 12;

// Returns the function to call when the list of tickers may have changed.
export function startSearch(tickersOf, choose) {
  const [field, list, count] = ["search", "found", "found-count"].map(byId);
  let found = [];
  let at = -1;

  const close = () => show([], -1, false);
  const accept = (ticker) => { field.value = ""; close(); choose(ticker); };

  function show(options, chosen, open) {
    [found, at] = [options, chosen];
    list.hidden = !open;
    field.setAttribute("aria-expanded", String(open));
    fill(list, open && options.map((ticker, index) =>
      h("li", { id: `found-${index}`, role: "option", "aria-selected": String(index === chosen),
                onmousedown: (event) => event.preventDefault(), onclick: () => accept(ticker) }, ticker)));
    if (open && !options.length) list.append(h("li", { role: "option", "aria-disabled": "true", "aria-selected": "false", class: "none" }, t("search.none")));
    if (chosen >= 0) field.setAttribute("aria-activedescendant", `found-${chosen}`);
    else field.removeAttribute("aria-activedescendant");
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
    count.textContent = open ? t("search.count", { n: options.length }) : "";
  }

  function look() {
    const text = field.value.trim().toUpperCase();
    const all = tickersOf().filter((ticker) => ticker.includes(text));
    all.sort((a, b) => Number(b.startsWith(text)) - Number(a.startsWith(text)) || a.localeCompare(b));
    show(all.slice(0, MOST), text && all.length ? 0 : -1, true);
  }

  field.addEventListener("input", look);
  field.addEventListener("click", look);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) look();
      else if (found.length) show(found, (at + step + found.length) % found.length, true);
    } else if (event.key === "Enter") {
      event.preventDefault();
      const ticker = found[at] ?? field.value.trim().toUpperCase();
      if (ticker) accept(ticker);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (list.hidden) field.value = "";
      close();
    }
  });

  if (field.value) look(); // text typed before this code ran
  return () => { if (!list.hidden) look(); };
}
