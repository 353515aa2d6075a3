// The API key of this browser. The address may carry one, as #key=...; it is taken from
// there and removed, so that it does not stay in the history.
const NAME = "audience:key";

export function keptKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    keepKey(given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return localStorage.getItem(NAME);
}

export function keepKey(text) {
  localStorage.setItem(NAME, text.trim().replace(/^Bearer\s+/i, ""));
}

export function forgetKey() {
  localStorage.removeItem(NAME);
}
