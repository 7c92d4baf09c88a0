// Renews the settings before the earlier token expires. `renew("/messenger/settings")` starts it and
// returns what stops it; starting it again ends the one before.
let end = () => {};

export function renew(endpoint) {
  end();
  const w = window, d = document;
  const user = w.intercomSettings?.user_id;
  if (user == null) return () => {};
  let timer, due, skew = 0, failures = 0, busy = false, over = false, updates = [];

  // The earlier `exp` of both tokens, by the server's clock, in milliseconds.
  const expiry = (s) => 1000 * Math.min(...[s.intercom_user_jwt, s.salesforce_identity_token].filter(Boolean)
    .map((token) => JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).exp));

  // Between 70 and 85 % of the time that is left, so that many tabs do not come at once.
  const plan = (s) => wait((expiry(s) - Date.now() - skew) * (0.7 + 0.15 * Math.random()));

  // At most 8 updates in half an hour: the platform was seen to throttle at 20.
  const wait = (pause) => {
    updates = updates.filter((at) => at > Date.now() - 18e5);
    due = Math.max(Date.now() + Math.max(pause, 1e3), updates.length > 7 ? updates[0] + 18e5 : 0);
    arm();
  };
  const arm = () => {
    clearTimeout(timer);
    timer = setTimeout(look, Math.min(Math.max(due - Date.now(), 0), 2e9));
  };
  const look = () => over || (Date.now() < due ? arm() : fetchNow());

  const fetchNow = async () => {
    if (busy || navigator.onLine === false) return;
    if (w.intercomSettings?.user_id !== user) return stop("signed-out");
    busy = true;
    try {
      const answer = await fetch(endpoint, {
        cache: "no-store", mode: "same-origin", redirect: "manual", signal: AbortSignal.timeout(15e3),
        headers: { accept: "application/json" },
      });
      if ([401, 403].includes(answer.status) || answer.type === "opaqueredirect") return stop("signed-out");
      if (!answer.ok) throw answer.status;
      const settings = await answer.json();
      if (over) return;
      if (w.intercomSettings?.user_id !== user) return stop("signed-out");
      if (settings.user_id == null) throw 0; // the signer has failed, and not the visitor gone
      if (settings.user_id !== user) return stop("user-changed");
      skew = Date.parse(answer.headers.get("date")) - Date.now() || 0;
      updates.push(Date.now());
      plan(settings);
      failures = 0;
      w.Intercom("update", Object.assign(w.intercomSettings, settings));
    } catch {
      wait(Math.min(5e3 * 2 ** failures++, 3e5) * (0.75 + 0.5 * Math.random()));
    } finally {
      busy = false;
    }
  };

  // Another tab signed out or in.
  const other = (event) => event.key === "fin-messenger-auth." + w.intercomSettings?.app_id
    && stop(event.newValue ? "user-changed" : "signed-out");
  const wakes = [[d, "visibilitychange"], [w, "online"], [w, "pageshow"]];

  const stop = (reason) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    wakes.forEach(([target, name]) => target.removeEventListener(name, look));
    w.removeEventListener("storage", other);
    if (reason) d.dispatchEvent(new CustomEvent("fin-messenger-auth:stopped", { detail: reason }));
  };
  wakes.forEach(([target, name]) => target.addEventListener(name, look));
  w.addEventListener("storage", other);
  plan(w.intercomSettings);
  return (end = () => stop());
}
