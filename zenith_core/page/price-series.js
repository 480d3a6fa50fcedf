// The columns of the price chart: one entry for each session of the data, then one for each session of the forecast.

export const HEADLINE = 5; // sessions ahead of the past forecasts
const PAST = ["pastLower", "pastUpper", "past", "came", "fanLower", "fanUpper", "fan"];
export const OVERLAYS = ["sma_50", "sma_200", "bb_lower", "bb_upper", "rsi_14"];

// `chart` and `forecast` may be missing. `record`: the matured served forecasts, if any.
export function assemble(chart, forecast, record) {
  const candles = chart?.candles ?? (forecast
    ? { date: [forecast.as_of], ...Object.fromEntries(["open", "high", "low", "close"].map((name) => [name, [forecast.current_price]])) }
    : { date: [], open: [], high: [], low: [], close: [] });
  const now = candles.date.length - 1;
  const future = forecast && candles.date[now] === forecast.as_of ? forecast.predictions : [];
  const dates = [...candles.date, ...future.map((point) => point.date)];
  const at = new Map(dates.map((date, index) => [date, index]));
  const columns = { dates, now, candles, future, level: forecast?.confidence, signals: new Array(dates.length).fill(null) };
  for (const name of [...PAST, ...OVERLAYS]) columns[name] = new Array(dates.length).fill(null);
  for (const one of rows(chart?.forecasts)) putPast(columns, at.get(one.target_date), one);
  for (const one of served(record)) putPast(columns, at.get(one.target_date), one);
  for (const one of rows(chart?.indicators)) for (const name of OVERLAYS) put(columns[name], at.get(one.date), one[name]);
  for (const one of rows(chart?.signals)) put(columns.signals, at.get(one.date), one.signal);
  if (future.length) {
    columns.fan[now] = columns.fanLower[now] = columns.fanUpper[now] = candles.close[now];
    for (const [step, point] of future.entries()) {
      columns.fan[now + 1 + step] = point.price;
      columns.fanLower[now + 1 + step] = point.lower;
      columns.fanUpper[now + 1 + step] = point.upper;
    }
  }
  return columns;
}

// A table of columns as objects.
function rows(columns) {
  if (!columns) return [];
  const names = Object.keys(columns).filter((name) => columns[name]);
  return columns[names[0]].map((_, row) => Object.fromEntries(names.map((name) => [name, columns[name][row]])));
}

const served = (record) => (record?.forecasts ?? [])
  .filter((one) => one.horizon === HEADLINE && one.in_the_open && one.actual !== null);

function put(column, index, value) {
  if (index !== undefined && value !== undefined) column[index] = value;
}

function putPast(columns, index, one) {
  if (index === undefined || index > columns.now) return;
  columns.past[index] = one.forecast;
  columns.pastLower[index] = one.lower;
  columns.pastUpper[index] = one.upper;
  columns.came[index] = one.actual;
}

export const missed = (series, index) => series.came[index] !== null &&
  (series.came[index] < series.pastLower[index] || series.came[index] > series.pastUpper[index]);

export const has = (column) => (column ?? []).some((value) => value !== null && value !== undefined);
