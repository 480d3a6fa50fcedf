// The REST API. Errors are Failures with the fields of a problem document, or with status 0 without an answer.

import { list, t, has } from "./i18n.js";

const PATIENCE = 20000;
const KEY = "zenith.key";

// The key is stored in this tab only, and only after the service has accepted it.
export const keptKey = () => { try { return sessionStorage.getItem(KEY) ?? ""; } catch { return ""; } };

export function keepKey(key) {
  try { key ? sessionStorage.setItem(KEY, key) : sessionStorage.removeItem(KEY); } catch { /* not stored: asked for each time */ }
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
    answer = await fetch(new URL(`../api/v1/ml/${path}`, import.meta.url), { cache: "no-cache", signal: AbortSignal.timeout(PATIENCE), ...options });
  } catch {
    throw new Failure(0);
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Failure(answer.status, body);
  return body;
}

export const asksForKey = ({ status }) => status === 401 || status === 403;

// The error message: in the reader's language if the page has words for it, else in the service's.
export function explain(failure) {
  if (!(failure instanceof Failure)) return t("error.page");
  if (failure.nearby.length) return t("error.nearby", { tickers: list(failure.nearby) });
  for (const key of [`error.${failure.kind}`, `error.http-${failure.status}`]) if (has(key)) return t(key);
  return failure.detail || t("error.page");
}
