// The REST API. A failure is a Failure with a problem document's fields, or with status 0 if nobody answered.

import { list, t, has } from "./i18n.js";

const BASE = "api/v1/ml/";
const PATIENCE = 20000;
const KEY = "zenith.key";

// The key is in this tab only, and only once the service has accepted it.
export const keptKey = () => { try { return sessionStorage.getItem(KEY) ?? ""; } catch { return ""; } };

export function keepKey(key) {
  try { key ? sessionStorage.setItem(KEY, key) : sessionStorage.removeItem(KEY); } catch { /* asked for each time, then */ }
}

export class Failure extends Error {
  constructor(status, problem = {}) {
    super(problem.detail ?? `HTTP ${status}`);
    this.status = status;
    this.kind = (problem.type ?? "").replace("urn:zenith:problem:", "");
    this.detail = problem.detail ?? "";
    this.nearby = problem.nearby ?? [];
  }
}

const bearer = (key) => (key ? { authorization: `Bearer ${key}` } : {});

export const get = (path, key = keptKey()) => ask(path, { headers: bearer(key) });

export const post = (path, body, key = keptKey()) => ask(path, {
  method: "POST",
  headers: { "content-type": "application/json", ...bearer(key) },
  body: JSON.stringify(body),
});

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(BASE + path, { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE), ...options });
  } catch {
    throw new Failure(0);
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Failure(answer.status, body);
  return body;
}

export const asksForKey = ({ status }) => status === 401 || status === 403;

// What went wrong, in the reader's language where we have words for it, else in the service's own.
export function explain(failure) {
  if (!(failure instanceof Failure)) return t("error.page");
  if (failure.nearby.length) return t("error.nearby", { tickers: list(failure.nearby) });
  for (const key of [`error.${failure.kind}`, `error.http-${failure.status}`]) if (has(key)) return t(key);
  return failure.detail || t("error.page");
}
