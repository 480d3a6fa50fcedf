// Model versions, their promotion history, and the form that starts and follows a training.

import { asksForKey, explain, get, keepKey, keptKey, post } from "./api.js";
import { fill, h, link, note, opened, table } from "./dom.js";
import { day, has, list, moment, number, t } from "./i18n.js";
import { came, odds } from "./parts.js";

const FOLLOW_SECONDS = 3;
const AFTERWARDS = ["succeeded", "failed", "canceled"];

const worded = (prefix, value) => (has(`${prefix}.${value}`) ? t(`${prefix}.${value}`) : value);

export const named = (kind) => worded("model", kind);

export const versions = (ticker, data, links) => came(data.models, ({ models }) => {
  if (!models.length) return note(t("models.none"));
  const heads = [[t("models.model"), false], [t("models.version"), true], [t("models.status"), false], [t("models.data"), false],
                 [t("models.made"), false], [t("models.better"), false], [t("models.evidence"), false]];
  return table(t("models.caption", { ticker }), heads, models.map((one) => [
    named(one.model_type), versionLink(links, one.name, one.version), h("span", { class: `tag ${one.status}` }, worded("status", one.status)),
    day(one.data_end), day(one.created_at), better(one.beats_naive), claim(one.evidence),
  ]));
});

// The evidence of the version's task, as it is now.
const claim = (evidence) => (evidence?.since ? `${evidence.discovered ? "★ " : ""}${odds(evidence.e_value)}` : "–");

const better = (known) => t(known === null || known === undefined ? "unknown" : known ? "yes" : "no");

// A version as a link to MLflow, where there is an address.
export const versionLink = (links, name, version) => (links?.mlflow
  ? link(`${links.mlflow}/#/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`, version)
  : version);

export const promotions = (data) => came(data.history, ({ events }) => events.length
  ? h("ol", { class: "events" }, events.slice(0, 12).map(event))
  : note(t("history.none")));

function event(one) {
  return h("li", {},
    h("p", {}, h("time", { datetime: one.at }, moment(one.at)), " ",
      h("b", {}, t("history.what", { model: named(one.model_type), version: one.version ?? "–", action: worded("action", one.action) }))),
    h("p", { class: "small" }, reasons(one), one.by ? [" · ", t("history.by", { who: one.by })] : null),
    one.gates?.length ? [
      h("ul", { class: "gates" }, one.gates.map((gate) =>
        h("li", { class: gate.passed ? "passed" : "refused" },
          h("span", { "aria-hidden": "true" }, gate.passed ? "✓ " : "✗ "), gateName(gate.name),
          h("span", { class: "unseen" }, ` ${t(gate.passed ? "gate.passed" : "gate.refused")}`)))),
      opened(t("decision.figures"), () => h("dl", { class: "figures-of-gates" }, one.gates.map((gate) =>
        [h("dt", {}, gateName(gate.name)), h("dd", {}, gateSays(gate))]))),
    ] : null);
}

export const gateName = (name) => worded("gate.name", name.replaceAll(" ", "_"));

// The texts that the service puts into `reason` itself, as codes of the catalogue.
const STANDINGS = { "first model": "decision.first", "better than the naive forecast": "decision.beats", "no skill shown": "decision.no_skill" };

// The reason in the reader's language: the failed gates or the standing, and a person's own words as they are.
export function reasons({ action, reason, gates, previous }) {
  if (action === "unchanged") return t("decision.copy", { version: previous ?? "–" });
  const failed = (gates ?? []).filter((gate) => !gate.passed);
  const ofGates = new Set((gates ?? []).map((gate) => `${gate.name}: ${gate.detail}`));
  let rest = reason ?? "";
  for (const text of ofGates) rest = rest.replace(text, "");
  const phrases = rest.split(/; |, /).map((one) => one.trim()).filter(Boolean);
  const says = phrases.every((one) => one in STANDINGS) ? phrases.map((one) => t(STANDINGS[one])) : [h("span", { lang: "en" }, rest.replace(/(; )+$/, ""))];
  if (failed.length) says.push(t("decision.failed", { gates: list(failed.map((gate) => gateName(gate.name))) }));
  return says.flatMap((one, index) => (index ? ["; ", one] : [one]));
}

// The figures of a gate in words, or the service's own words for a cause without figures.
function gateSays({ name, passed, detail, figures = {} }) {
  const own = h("span", { lang: "en" }, detail ?? "");
  if (name === "answers") return passed ? t("gate.says.answers") : own;
  if (name === "evidence" && "rows" in figures) return figures.rows ? t("gate.says.evidence", { rows: number(figures.rows, 0) }) : t("gate.says.evidence.none");
  if (name === "data end" && "champion" in figures) return t("gate.says.data_end", figures);
  if (name === "horizon" && "champion" in figures) return t("gate.says.horizon", figures);
  if (name === "loss" && "origins" in figures) return "change" in figures
    ? t("gate.says.loss", { ...figures, p_worse: figures.p_worse ?? null })
    : t("gate.says.loss.none");
  if (name === "coverage" && figures.horizons) return figures.horizons.length
    ? figures.horizons.map((one) => t("gate.says.coverage", one)).join(", ") : t("gate.says.loss.none");
  if (name === "calibration") return "brier" in figures ? t("gate.says.calibration", figures) : t("gate.says.calibration.none");
  return own;
}

// The form and its result, for one of the kinds of model or all, with a field for the key if the service asks for one.
// `done` is called when a run has succeeded.
export function training(ticker, kinds, needsKey, done) {
  const status = h("div", { class: "status", role: "status" });
  const field = (name, label, input, hint) => h("p", { class: "field" }, h("label", { for: name }, label), input,
    hint && h("span", { class: "small", id: `${name}-hint` }, hint));
  const form = h("form", { class: "form" },
    field("train-model", t("train.model"), h("select", { id: "train-model" },
      h("option", { value: "all" }, t("train.model.all")), kinds.map(({ name, title }) => h("option", { value: name }, title)))),
    field("train-epochs", t("train.epochs"), h("input", { id: "train-epochs", type: "number", min: "1", max: "500", inputmode: "numeric", placeholder: t("train.epochs.usual") })),
    needsKey && field("train-key", t("train.key"),
      h("input", { id: "train-key", type: "password", autocomplete: "off", value: keptKey(), "aria-describedby": "train-key-hint" }), t("train.key.hint")),
    h("button", { type: "submit", class: "act" }, t("train.start", { ticker })));
  const epochs = form.querySelector("#train-epochs");
  form.querySelector("#train-model").addEventListener("change", (event) => {
    const chosen = kinds.find(({ name }) => name === event.target.value);
    epochs.disabled = Boolean(chosen) && !chosen.options.includes("epochs");
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.setAttribute("aria-disabled", "true");
    if (!form.dataset.busy) {
      form.dataset.busy = "yes";
      await start(ticker, form, status, done);
      delete form.dataset.busy;
    }
    button.removeAttribute("aria-disabled");
  });
  return [form, status];
}

async function start(ticker, form, status, done) {
  const [model, epochs, key] = ["train-model", "train-epochs:enabled", "train-key"].map((id) => form.querySelector(`#${id}`)?.value.trim() ?? "");
  fill(status, h("p", {}, t("train.asking")));
  try {
    const run = await post("train", { ticker, model_type: model, ...(epochs ? { epochs: Number(epochs) } : {}) }, key);
    keepKey(key);
    if (await follow(run, status) === "succeeded") done();
  } catch (failure) {
    if (asksForKey(failure)) keepKey("");
    fill(status, note(reason(failure)));
  }
}

function reason(failure) {
  if (["http-404", "http-405"].includes(failure.kind)) return t("train.absent");
  return failure.status === 422 ? failure.detail : explain(failure);
}

// A short outage of the service or of Dagster does not end the run.
const stateOf = (run) => get(`train/${encodeURIComponent(run.run_id)}`)
  .catch((failure) => ([0, 429, 503].includes(failure.status) ? null : Promise.reject(failure)));

async function follow(run, status) {
  for (let last = null; ; await new Promise((wake) => setTimeout(wake, 1000 * FOLLOW_SECONDS))) {
    if (!status.isConnected) return null;
    const state = last === null ? run : await stateOf(run);
    if (!state) continue;
    const name = String(state.status).toLowerCase();
    const said = `${name} ${state.note ?? ""}`;
    if (said !== last) fill(status, progress(run, state, name));
    last = said;
    if (AFTERWARDS.includes(name)) return name;
  }
}

function progress(run, state, name) {
  const says = h("p", {}, t(run.already_running ? "train.already" : "train.run", { status: worded("run", name) }), " ",
    state.url ? link(state.url, t("train.open")) : null);
  return [says, state.note ? h("p", { class: "small", lang: "en" }, state.note) : null, state.error ? h("p", { class: "small", lang: "en" }, state.error) : null];
}
