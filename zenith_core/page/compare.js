// Two model versions side by side: a choice of both, their figures, and their kept backtests.

import { explain, get } from "./api.js";
import { fill, h, note, table } from "./dom.js";
import { equityOf } from "./equity-chart.js";
import { day, has, percent, significant, t } from "./i18n.js";
import { reasons } from "./models.js";

const GROUPS = ["metrics", "calibration", "gates", "backtest", "parameters", "data"];
// The figures that are shares; the others are numbers of their own unit.
const SHARES = ["skill", "coverage", "interval_width", "pinball_skill", "ece", "ece_classwise", "total_return", "annual_return", "volatility", "max_drawdown", "deflated_sharpe"];
const view = { ticker: null, first: null, second: null };

const titled = (one) => `${has(`model.${one.model_type}`) ? t(`model.${one.model_type}`) : one.model_type} ${one.version}`;
const named = (one) => `${one.model_type}/${one.version}`;

export function comparison(ticker, { models }) {
  const versions = models?.value?.models ?? [];
  if (versions.length < 2) return null;
  const names = versions.map(named);
  if (view.ticker !== ticker || !names.includes(view.first) || !names.includes(view.second))
    Object.assign(view, { ticker, first: names[0], second: names[1] });
  const result = h("div", { class: "compared", role: "status" });
  const choose = (side) => h("p", { class: "field" }, h("label", { for: `compare-${side}` }, t(`compare.${side}`)),
    h("select", { id: `compare-${side}`, onchange: (event) => { view[side] = event.target.value; } }, versions.map((one) =>
      h("option", { value: named(one), selected: named(one) === view[side] }, `${titled(one)} · ${t(`status.${one.status}`)}`))));
  const show = async (event) => {
    event.preventDefault();
    const query = new URLSearchParams({ first: view.first, second: view.second });
    try {
      fill(result, drawn(ticker, await get(`models/${encodeURIComponent(ticker)}/compare?${query}`)));
    } catch (failure) {
      fill(result, note(explain(failure)));
    }
  };
  return [h("h3", {}, t("compare.title")),
    h("form", { class: "form", onsubmit: show }, choose("first"), choose("second"), h("button", { type: "submit", class: "act" }, t("compare.show"))), result];
}

function drawn(ticker, { versions, figures, backtests }) {
  const heads = versions.map(titled);
  return [
    GROUPS.map((group) => {
      const rows = figures.filter((figure) => figure.group === group);
      return rows.length > 0 && table(t("compare.caption", { group: t(`compare.${group}`), first: heads[0], second: heads[1] }),
        [[t(`compare.${group}`), false], ...heads.map((head) => [head, true])],
        rows.map((row) => [worded(row.name), ...row.values.map((value) => h("span", { class: row.differs ? "differs wrap" : "wrap" }, text(row.name, value)))]), { class: "comparison" });
    }),
    h("div", { class: "pair equal" }, backtests.map((backtest, side) => h("div", {}, h("h3", {}, heads[side]),
      backtest ? equityOf(ticker, versions[side].model_type, backtest) : note(t("compare.backtest.missing"))))),
  ];
}

const worded = (name) => {
  for (const key of [`compare.name.${name}`, `backtest.${name}`, `gate.name.${name.replaceAll(" ", "_")}`]) if (has(key)) return t(key);
  return h("span", { lang: "en" }, name.replaceAll("_", " "));
};

function text(name, value) {
  if (value === null) return "–";
  if (name === "reason") return reasons({ reason: value });
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value === "number") return SHARES.includes(name) ? percent(value, 1) : significant(value, 4);
  if (/^\d{4}-\d\d-\d\d$/.test(value)) return day(value);
  for (const prefix of ["status", "action", "decision"]) if (has(`${prefix}.${value}`)) return t(`${prefix}.${value}`);
  return value;
}
