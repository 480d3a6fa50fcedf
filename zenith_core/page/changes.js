// Why the newest forecast, its band, risk and signal differ from the one before: the answer of GET /explain in the reader's language.

import { h } from "./dom.js";
import { day, has, percent, price, significant, t } from "./i18n.js";
import { named } from "./models.js";
import { came } from "./parts.js";

const share = (digits, signed = false) => (value) => percent(value, digits, signed);
const side = (signal) => t(`signal.${signal}`);

// The form of a figure by its name; all others are shown as they are.
const FORMS = {
  before: price, now: price, factor: (value) => significant(value, 6), growth: share(1, true), close: share(1, true),
  expected: share(2, true), earlier: share(2, true), share: share(0), half: share(1), half_before: share(1),
  volatility: share(2), volatility_before: share(2), loss: share(1), loss_before: share(1), probability: share(0), probability_before: share(0),
  signal: side, signal_before: side, kind: named, day,
  reason: (code) => (has(`reason.${code}`) ? t(`reason.${code}`) : ""),
  outcome: (outcome) => t(`action.${outcome.replace(" ", "_")}`),
};

const formed = (figures) => Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, FORMS[name] && value !== null ? FORMS[name](value) : value]));

function sentence({ topic, code, figures, says }) {
  const key = `change.${topic}.${code}`;
  const counted = figures.sessions === undefined ? {} : { n: figures.sessions };
  if (!has(key) && !has(`${key}.other`)) return h("span", { lang: "en" }, says);
  const text = t(key, { ...formed(figures), ...counted });
  return topic === "gate" ? [text, " ", h("span", { class: "small", lang: "en" }, figures.reason)] : text;
}

export const changes = (ticker, data) => came(data.changes, ({ now, before, horizon, changes: all }) => [
  before && h("p", { class: "small" }, t("changes.pair", { sessions: t("sessions", { n: horizon }), now: day(now.made_at), before: day(before.made_at) })),
  h("ul", { class: "sentences" }, all.map((one) => h("li", {}, sentence(one)))),
]);
