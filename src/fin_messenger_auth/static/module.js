// The Messenger in a single-page application, and the renewal of the tokens on any page.
import { anonymous, core } from "./core.js";

export async function startMessenger(source, { widgetBase, api, reload, onChange } = {}) {
  const page = core(), endpoint = !source.app_id && source;
  const { now } = Date;
  let timer, due, skew = 0, failures = 0, asks = 0, lost, confirm;

  // The time that the earlier token has left, by the server's clock, in milliseconds.
  const left = () => {
    try {
      return 1e3 * Math.min(...[page.settings_.intercom_user_jwt, page.settings_.salesforce_identity_token].map((token) =>
        token ? JSON.parse(atob(token.split(".")[1].replace(/[-_]/g, (each) => each > "-" ? "/" : "+"))).exp : Infinity,
      )) - now() - skew;
    } catch {
      return Infinity;
    }
  };

  // At most 8 updates in half an hour: the platform was seen to throttle at 20.
  const wait = (pause) => {
    due = Math.max(now() + pause, (page.updates_.at(-8) ?? 0) + 18e5);
    look();
  };
  const look = (event) => {
    clearTimeout(timer);
    if (now() >= due || failures && event?.type === "online") ask();
    else timer = setTimeout(look, Math.min(due - now(), 2e9));
  };
  // Between 70 and 85 % of the time that is left, so that many tabs do not come at once.
  const planned = () => wait(Math.max(left() * (0.7 + 0.15 * Math.random()), 1e3));

  const ask = async () => {
    const mine = ++asks, turn = page.turn_, isLate = () => mine !== asks || page.wake_ !== look;
    due = Infinity;
    if (endpoint) try {
      if (!navigator.onLine) throw "offline";
      const answer = await fetch(endpoint, {
        cache: "no-store", mode: "same-origin", redirect: "manual", signal: AbortSignal.timeout(15e3),
      });
      let next = await answer.json().catch(() => 0);
      if (isLate() || turn !== page.turn_) return;
      skew = Date.parse(answer.headers.get("date")) - now() || 0;
      const gone = [0, 401, 403].includes(answer.status), was = page.who_ || lost;
      if (!answer.ok) next = anonymous(next);
      const understood = gone || next.app_id;
      next = { ...anonymous(page.settings_), ...next };
      if (understood && next.app_id) {
        page.updates_.push(now());
        page.boot(next);
        if (was && page.who_ !== was) page.emit_(page.who_);
      }
      if (!gone && !(answer.ok && understood)) throw answer.status;
      lost = failures = 0;
      // What another tab said may have come before the server knew it: ask once more.
      if (confirm) wait(1e4);
      confirm = 0;
    } catch (error) {
      if (isLate()) return;
      if (!failures) page.say_("no settings: " + error);
      // Nobody confirms that it is still the same person, nor that it is another: no event, and no reload.
      if (page.who_ && left() < 0) {
        lost = page.who_;
        page.leave(0, 1);
        page.boot(page.settings_, 1);
      }
      wait(Math.min(5e3 * 2 ** failures++, 3e5) * (0.75 + Math.random() / 2));
    }
  };

  const messenger = {
    async signedIn(settings) {
      if (settings) return page.boot(settings);
      if (page.who_) page.leave();
      return ask();
    },
    async signedOut() {
      page.leave();
      if (page.settings_.app_id) page.boot(page.settings_);
    },
    refresh: ask,
    stop() {
      clearTimeout(timer);
      if (page.wake_ === look) page.ask_ = page.planned_ = page.wake_ = 0; // and not of one that was started since
    },
  };
  page.stop_?.();
  Object.assign(page, {
    api_: api, reload_: reload, onChange_: onChange, wake_: look, planned_: planned, stop_: messenger.stop,
    base_: widgetBase ?? page.base_,
    ask_: endpoint && (() => {
      confirm = 1;
      wait(0);
    }),
  });
  if (!endpoint) page.boot(source);
  else if (page.fresh_) planned();
  else await ask();
  page.fresh_ = 0;
  return messenger;
}
