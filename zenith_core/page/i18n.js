// The page's words in the reader's language, and numbers and dates in its format.

import { embedded } from "./embedded.js";

const KNOWN = ["en", "pt"];
const words = {};
let language = "en";

function remembered() {
  try { return localStorage.getItem("zenith.language"); } catch { return null; }
}

export function firstLanguage() {
  const wished = [remembered(), ...(navigator.languages ?? [navigator.language])].map((one) => one?.slice(0, 2));
  return wished.find((one) => KNOWN.includes(one)) ?? "en";
}

const catalogue = async (name, chosen) => embedded?.words[`${name}.${chosen}`] ?? (await fetch(new URL(`${name}.${chosen}.json`, import.meta.url))).json();

export async function speak(chosen, remember = false, catalogues = ["words"]) {
  words[chosen] ??= Object.assign({}, ...await Promise.all(catalogues.map((name) => catalogue(name, chosen))));
  language = chosen;
  document.documentElement.lang = locale();
  if (remember) try { localStorage.setItem("zenith.language", chosen); } catch { /* not stored */ }
}

export const spoken = () => language;
export const other = () => KNOWN.find((one) => one !== language);
const locale = () => navigator.languages?.find((one) => one.startsWith(language)) ?? (language === "pt" ? "pt-BR" : "en");

// Intl's objects take longer to make than to use, so each is made once.
const made = new Map();
function intl(Kind, options = {}) {
  const key = `${Kind.name} ${locale()} ${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new Kind(locale(), options));
  return made.get(key);
}

// The text of `key` with {names} filled in. With a number `n` it is the key's form for that number: key.one, key.other.
export function t(key, values = {}) {
  const form = "n" in values ? `${key}.${intl(Intl.PluralRules).select(values.n) === "one" ? "one" : "other"}` : key;
  const text = words[language][form] ?? words[language][key] ?? key;
  return text.replace(/\{(\w+)(?::(\w+))?\}/g, (_, name, format) => (name === "n" ? number(values.n, 0) : filled(values[name], format)));
}

// As FORMATS in zenith_core/words.py.
const FORMATS = {
  day: (value) => day(value),
  p: (value) => clause(value),
  percent: (value) => percent(value),
  percent1: (value) => percent(value, 1),
  change1: (value) => percent(value, 1, true),
  digits1: (value) => number(value, 1),
  digits3: (value) => number(value, 3),
  digits4: (value) => number(value, 4),
};

const LEAST_P = 0.001;

// A p-value with three decimals, or that it is smaller: a p-value is never 0.
export const pValue = (value) => isNumber(value) && value < LEAST_P ? `< ${number(LEAST_P, 3)}` : number(value, 3);

const clause = (value) => isNumber(value) ? `p ${value < LEAST_P ? "" : "= "}${pValue(value)}` : t("gate.says.loss.untested");

const filled = (value, format) => value === null && format !== "p" ? NOTHING : format ? FORMATS[format](value) : value ?? "";

export const has = (key) => key in words[language];

const NOTHING = "–";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export const number = (value, digits = 2) => isNumber(value)
  ? intl(Intl.NumberFormat, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
  : NOTHING;

export const significant = (value, digits) => isNumber(value)
  ? intl(Intl.NumberFormat, { maximumSignificantDigits: digits }).format(value)
  : NOTHING;

// A large number as 12.3M.
export const compact = (value) => isNumber(value)
  ? intl(Intl.NumberFormat, { notation: "compact", maximumSignificantDigits: 3 }).format(value)
  : NOTHING;

// Two decimals, and five significant digits below 10, where a currency moves by the fourth.
export const price = (value) => number(value, decimals(Math.abs(value)));
const decimals = (size) => size >= 10 || !(size >= 1e-12) ? 2 : 4 - Math.floor(Math.log10(size));

export const percent = (fraction, digits = 0, signed = false) => isNumber(fraction)
  ? intl(Intl.NumberFormat, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits,
                                      signDisplay: signed ? "exceptZero" : "auto" }).format(fraction)
  : NOTHING;

export function day(iso, style = { day: "numeric", month: "short", year: "numeric" }) {
  return iso ? intl(Intl.DateTimeFormat, { ...style, timeZone: "UTC" }).format(new Date(`${iso.slice(0, 10)}T00:00:00Z`)) : NOTHING;
}

export function moment(iso) {
  const when = new Date(iso ?? NaN);
  return Number.isNaN(when.getTime()) ? NOTHING
    : intl(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "short" }).format(when);
}

export const list = (items) => intl(Intl.ListFormat, { type: "conjunction" }).format(items);

// Text in the HTML: content, label or placeholder.
export function translateDocument() {
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
  for (const element of document.querySelectorAll("[data-t-placeholder]")) element.placeholder = t(element.dataset.tPlaceholder);
}
