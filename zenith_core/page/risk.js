// The risk of a ticker: losses and volatility by horizon, and the levels that its price may touch.

import { command, waiting } from "./parts.js";
import { explain } from "./api.js";
import { h, note, table } from "./dom.js";
import { number, percent, price, t } from "./i18n.js";

export const LEVELS = [10, 5, 3, -3, -5, -10].map((pct) => ({ pct }));
const BOUNDS = { at_most: "≤ ", at_least: "≥ " };
const SHOWN = [0.05, 0.01];

export function risk(ticker, data) {
  if (!data.risk) return waiting();
  const { value: answers, error } = data.risk;
  if (error?.kind === "distribution-unavailable") return note(explain(error), " ", command(`zenith job refresh_prices --tickers ${ticker}`));
  return error ? note(explain(error)) : [losses(ticker, answers), touches(ticker, answers), h("p", { class: "small" }, t("risk.how"))];
}

// The panel of a ticker's page: its risk, and how well the probabilities to touch a level were forecast before.
export const panel = (ticker, data) => [risk(ticker, data), data.risk?.value && touchRecord(ticker, data.risk.value)];

const ahead = ({ horizon }) => t("sessions", { n: horizon });

function losses(ticker, answers) {
  const of = (answer, tail) => answer.tails.find((one) => one.tail === tail);
  return table(t("risk.losses", { ticker }),
    [[t("horizon"), false], [t("risk.volatility"), true],
     ...SHOWN.flatMap((tail) => [[t("risk.var", { share: percent(tail) }), true], [t("risk.es", { share: percent(tail) }), true]])],
    answers.map((answer) => [ahead(answer), percent(answer.annual_volatility, 1),
      ...SHOWN.flatMap((tail) => [percent(of(answer, tail).value_at_risk, 1), percent(of(answer, tail).expected_shortfall, 1)])]));
}

function touches(ticker, answers) {
  const chance = ({ probability, limit }) => `${BOUNDS[limit] ?? ""}${percent(probability, probability < 0.01 ? 1 : 0)}`;
  return [
    h("h3", {}, t("risk.touch")),
    table(t("risk.touch.caption", { ticker }),
      [[t("risk.level"), false], [t("risk.change"), true], ...answers.map((answer) => [ahead(answer), true])],
      LEVELS.map(({ pct }, row) => [price(answers[0].touch[row].price), percent(pct / 100, 0, true),
        ...answers.map((answer) => chance(answer.touch[row]))])),
  ];
}

function touchRecord(ticker, answers) {
  const scored = answers.filter(({ record }) => record?.touch.length);
  if (!scored.length) return null;
  const cell = ({ brier, brier_frequency: frequency }) => `${number(brier, 3)} / ${number(frequency, 3)}`;
  return [
    h("h3", {}, t("risk.record.title")),
    table(t("risk.record", { ticker }),
      [[t("risk.change"), false], ...scored.map(({ record }) => [t("sessions", { n: record.horizon }), true])],
      scored[0].record.touch.map(({ pct }, row) => [percent(pct / 100, 0, true), ...scored.map(({ record }) => cell(record.touch[row]))])),
    h("p", { class: "small" }, t("risk.record.how")),
  ];
}
