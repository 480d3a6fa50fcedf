// The leaderboard of a ticker: all kinds of model of each task on the rows that they have in common.

import { explain } from "./api.js";
import { h, note, table } from "./dom.js";
import { number, percent, pValue, t } from "./i18n.js";
import { named } from "./models.js";
import { proven, waiting } from "./parts.js";

// A ticker of before there was a leaderboard has none.
export function leaderboard(ticker, data) {
  if (!data.leaderboard) return waiting();
  const { value, error } = data.leaderboard;
  if (error) return error.status === 404 ? note(t("leaderboard.none")) : note(explain(error));
  return [
    ...Object.entries(value.tasks).map(([task, board]) => ranking(ticker, task, board)),
    h("p", { class: "small" }, t("leaderboard.how")),
    value.trials && h("p", { class: "small" }, t("leaderboard.trials", { n: value.trials.trials,
      independent: number(value.trials.independent, 1), best: number(value.trials.expected_best) })),
  ];
}

function ranking(ticker, task, { horizon, rows, models }) {
  const columns = [[t("models.model"), false], [t("models.version"), true], [t("leaderboard.loss"), true], [t("leaderboard.naive"), true],
                   [t("leaderboard.skill"), true], [t("leaderboard.p"), true], [t(`leaderboard.calibration.${task}`), true], [t("leaderboard.deflated"), true], [t("leaderboard.cpu"), true]];
  const title = t("leaderboard.task", { task: t(`task.${task}`), sessions: t("sessions", { n: horizon ?? 0 }), rows: number(rows, 0) });
  return [
    h("h4", {}, title),
    table(t("leaderboard.caption", { ticker, task: t(`task.${task}`) }), columns, models.map(cells)),
    models.filter((one) => one.evidence).map((one) => h("p", { class: "small" }, named(one.model_type), ": ", proven({ horizon, ...one.evidence }))),
    models.filter((one) => one.note).map((one) => h("p", { class: "small" }, named(one.model_type), ": ", h("span", { lang: "en" }, one.note))),
  ];
}

const cells = (one) => [
  one.answers ? t("leaderboard.answers", { model: named(one.model_type) }) : named(one.model_type),
  one.version ?? "–", number(one.value, 4), number(one.naive, 4), `${percent(one.skill, 1, true)}${one.evidence?.discovered ? " ★" : ""}`, pValue(one.p_value_answering),
  one.coverage === null ? number(one.ece, 3) : percent(one.coverage), percent(one.backtest?.deflated_sharpe), number(one.train_cpu_seconds, 1),
];
