// Several tickers together: the risk of a book that is typed or pasted, and how all tickers rank among one another.

import { explain, get, post } from "./api.js";
import { choice, fill, h, note, opened, table } from "./dom.js";
import { day, number, percent, t } from "./i18n.js";
import { command, rankRecord } from "./parts.js";

const HORIZONS = [1, 5, 20];
const RANKED = 20; // sessions
const ROWS = 500;
const FIFTHS = [1, 2, 3, 4, 5];

const view = { text: "", amounts: "quantity", currency: "", horizon: 5, shown: [] };

// The positions of a text, as in a file for the command line: a line is a ticker and an amount, and CASH is cash. `wrong` names a line.
export function positionsOf(text, amounts) {
  const positions = [];
  let [kind, cash, wrong] = [amounts, 0, null];
  text.split(/\r?\n/).forEach((line, index) => {
    if (!line.trim() || wrong) return;
    const [, ticker, separator, amount] = /^([^;,\s]+)\s*([;,\s])\s*(.*)$/.exec(line.trim()) ?? [];
    if (index === 0 && /^ticker$/i.test(ticker) && /^(quantity|value)$/i.test(amount)) return void (kind = amount.toLowerCase());
    const size = !ticker || (separator === "," && amount.includes(",")) ? NaN : numberOf(amount);
    if (Number.isNaN(size)) wrong = { line: index + 1, text: line.trim().slice(0, 40) };
    else if (ticker.toUpperCase() === "CASH") cash += size;
    else positions.push({ ticker, [kind]: size });
  });
  return { positions, cash, wrong };
}

// A comma may be decimal. 1,000 and 1.000 are refused: they are a thousand to some readers and one to others.
function numberOf(text) {
  const parts = /^([-+]?\d+)(?:[.,](\d+))?$/.exec(text);
  return !parts || parts[2]?.length === 3 ? NaN : Number(`${parts[1]}.${parts[2] ?? 0}`);
}

export function book() {
  const results = h("div", { id: "book-results", role: "status" }, view.shown);
  const show = (...content) => { view.shown = content.flat(Infinity).filter(Boolean); fill(results, view.shown); };
  const ask = async (event) => {
    event.preventDefault();
    const { positions, cash, wrong } = positionsOf(view.text, view.amounts);
    if (wrong) return void show(note(t("book.wrong", wrong)));
    if (!positions.length) return void show(note(t("book.empty")));
    const currency = view.currency.trim().toUpperCase() || null;
    show(h("p", { class: "waiting" }, t("loading")));
    try {
      show(answered(await post("predict/book", { positions, cash, currency, horizon: view.horizon })));
    } catch (failure) {
      show(refused(failure));
    }
  };
  const horizons = h("div", { class: "field" });
  const drawHorizons = () => fill(horizons, h("span", { class: "small" }, t("horizon")),
    choice(t("book.horizon"), HORIZONS.map((n) => [n, t("sessions", { n })]), view.horizon, (n) => { view.horizon = n; drawHorizons(); }));
  drawHorizons();
  return h("section", { class: "part book", "aria-labelledby": "title-book" },
    h("h2", { id: "title-book" }, t("book.title")),
    h("p", { class: "small", id: "book-how" }, t("book.how")),
    h("form", { class: "form", onsubmit: ask },
      h("p", { class: "field" }, h("label", { for: "book-text" }, t("book.positions")),
        h("textarea", { id: "book-text", rows: 6, spellcheck: "false", autocapitalize: "characters", "aria-describedby": "book-how", placeholder: "AAPL 10",
                        oninput: (event) => { view.text = event.target.value; } }, view.text)),
      h("p", { class: "field" }, h("label", { for: "book-amounts" }, t("book.amounts")),
        h("select", { id: "book-amounts", onchange: (event) => { view.amounts = event.target.value; } }, ["quantity", "value"].map((name) =>
          h("option", { value: name, selected: name === view.amounts }, t(`book.amounts.${name}`))))),
      h("p", { class: "field" }, h("label", { for: "book-currency" }, t("book.currency")),
        h("input", { id: "book-currency", type: "text", maxlength: 3, autocomplete: "off", value: view.currency, placeholder: "USD",
                     oninput: (event) => { view.currency = event.target.value; } })),
      horizons,
      h("button", { type: "submit", class: "act" }, t("book.show"))),
    results, opened(t("ranks.title"), ranks));
}

// The service's own words: they name the position.
function refused(failure) {
  if (failure.kind === "universe-unavailable") return note(t("book.none"), " ", command("zenith job forecast_universe"));
  return note(failure.detail && failure.status !== 500 ? h("span", { lang: "en" }, failure.detail) : explain(failure));
}

function answered(answer) {
  const { currency, gross, tails, positions, scenarios } = answer;
  const money = (amount) => number(amount, 2);
  const share = (amount) => (gross ? ` (${percent(amount / gross, 1)})` : "");
  const main = tails[0];
  const figure = (name, value, detail) => h("div", {}, h("dt", {}, name), h("dd", {}, h("strong", {}, value), h("span", {}, detail)));
  return [
    h("dl", { class: "figures" },
      figure(t("book.value"), `${money(answer.value)} ${currency}`, t("as.of", { date: day(answer.as_of) })),
      figure(t("book.volatility"), money(answer.volatility), t("book.share", { share: percent(gross ? answer.volatility / gross : null, 1) })),
      main && figure(t("book.var", { tail: percent(main.tail, 1) }), money(main.value_at_risk), t("book.es", { amount: money(main.expected_shortfall) })),
      figure(t("book.bets"), number(answer.independent_bets, 1),
        answer.diversification === null ? "" : t("book.diversification", { share: percent(answer.diversification) }))),
    answer.stale && note(t("book.stale")),
    h("h3", {}, t("book.tails")),
    table(t("book.tails"), [[t("book.tail"), false], [t("book.loss"), true], [t("book.shortfall"), true]],
      tails.map((tail) => [percent(tail.tail, 1), money(tail.value_at_risk) + share(tail.value_at_risk), money(tail.expected_shortfall) + share(tail.expected_shortfall)])),
    h("h3", {}, t("book.parts")),
    table(t("book.parts"),
      [[t("overview.ticker"), false], [t("book.value"), true], [t("book.volatility"), true], [t("book.part"), true], [t("book.part.es", { tail: percent(main.tail, 1) }), true], [t("book.scale"), false]],
      positions.map((one) => [one.ticker, money(one.value), money(one.volatility), money(one.volatility_contribution), money(one.shortfall_contributions[0]), t(`book.scale.${one.scale}`)])),
    scenarios.length > 0 && [h("h3", {}, t("book.scenarios")),
      table(t("book.scenarios"), [[t("book.since"), false], [t("book.until"), false], [t("book.loss.today"), true], [t("book.missing"), true]],
        scenarios.map((one) => [day(one.since), day(one.until), money(one.loss) + share(one.loss), number(one.missing, 0)]))],
    h("p", { class: "small" }, t("book.note")),
  ];
}

// Filled when it is opened: with many tickers the table is long.
function ranks() {
  const place = h("div", {}, h("p", { class: "waiting" }, t("loading")));
  get(`universe?horizon=${RANKED}&limit=${ROWS}`).then((answer) => fill(place, ranked(answer)), (failure) => fill(place, refused(failure)));
  return place;
}

function ranked({ ranks: rows, record, independent_bets: bets, tickers, horizon, as_of: asOf }) {
  const columns = [[t("overview.ticker"), false], ...FIFTHS.map((n) => [t(`ranks.fifth.${n}`), true]), [t("ranks.first"), true], [t("ranks.last"), true]];
  return [
    h("p", { class: "small" }, t("ranks.how", { tickers: number(tickers, 0), sessions: t("sessions", { n: horizon }), date: day(asOf), bets: number(bets, 1) })),
    h("p", {}, rankRecord(record)),
    table(t("ranks.title"), columns, rows.map((row) => [row.ticker, ...[...row.fifths, row.first, row.last].map((one) => percent(one, 1))])),
  ];
}
