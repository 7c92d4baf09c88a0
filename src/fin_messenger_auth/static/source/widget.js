// Loads the Messenger's widget, and tells it what to show. What that is, page.js decides.
import { NAME, read } from "./marker.js";

/**
 * @typedef {import("./identity.js").Settings} Settings
 * @typedef {{settings: Settings, isBooted: boolean, base: string, nonce: string, hasLoaded?: boolean}} Inheritance
 */

// The platform was seen to throttle at about 20 updates in half an hour. Some are left for changes of user.
const PERIOD = 1_800_000, UPDATES = 15;

const w = /** @type {any} */ (globalThis);

/** @type {Settings} What the Messenger shows, or is to show. */
export let settings = {};
export let isBooted = false;
let base = "https://widget.intercom.io/widget/", nonce = "";
/** @type {boolean | undefined} Whether the script has come; undefined while it is on its way. */
let hasLoaded;
/** @type {number[]} */
let updates = [];
/** @type {ReturnType<typeof setTimeout> | undefined} */
let postponed;

/**
 * What differs between a page and an application.
 * @type {{
 *   api?: {boot: Function, update: Function, shutdown: Function, Intercom?: Function},
 *   whenReady: (load: () => void) => void,
 *   onSettled?: (hasLoaded: boolean) => void,
 * }}
 */
export const means = { whenReady: (load) => load() };

/** Return what the page has set on `window`; markup can shadow the rest. @param {string} name */
const own = (name) => Object.hasOwn(w, name) && w[name];
const isThere = () => typeof own("Intercom") === "function";

/** @param {"boot" | "update" | "shutdown"} method @param {Settings} [settings] */
const call = (method, settings) => means.api ? means.api[method](settings) : w.Intercom(method, settings);

/** Say where the script comes from. @param {string} from @param {string} [withNonce] */
export const setOrigin = (from, withNonce = nonce) => void ([base, nonce] = [from, withNonce]);

/** @param {Settings} given */
export const setSettings = (given) => void (settings = given);

/** Take over from another script of this document. @param {Inheritance} found */
export const inherit = (found) => void ({ settings, isBooted, base, nonce, hasLoaded } = found);

/** @returns {Inheritance} */
export const inheritance = () => ({ settings, isBooted, base, nonce, hasLoaded });

/**
 * Make sure that there is a Messenger to be told, or a queue in its place, and that its script is on its way.
 * @param {Settings} settings
 */
export function prepare(settings) {
  if (isThere() && hasLoaded !== false) return;
  isBooted = false;
  hasLoaded = undefined;
  const url = base + encodeURIComponent(settings.app_id);
  if (means.api?.Intercom) return means.api.Intercom({ ...settings, widgetUrl: url });
  if (!isThere()) {
    w.Intercom = (/** @type {unknown[]} */ ...call) => w.Intercom.q.push(call);
    w.Intercom.q = [];
  }
  means.whenReady(() => {
    const script = Document.prototype.createElement.call(document, "script");
    // Under Trusted Types, a policy with our name lets this address pass.
    const policy = own("trustedTypes") && w.trustedTypes.createPolicy(NAME, { createScriptURL: () => url });
    const src = policy ? policy.createScriptURL("") : url;
    read("documentElement").append(Object.assign(script, { nonce, src, onerror: () => settle(false) }));
  });
}

/**
 * Note whether the script has come. When an ad blocker keeps it away, the queue stays, so that calls of the page do no harm,
 * and the next boot tries again.
 * @param {boolean} now
 */
function settle(now) {
  if (hasLoaded === now) return;
  hasLoaded = now;
  if (!now) forget();
  means.onSettled?.(now);
}

/** See whether the script comes, whoever loads it. */
export function watch() {
  for (const type of ["load", "error"])
    EventTarget.prototype.addEventListener.call(document, type, ({ target }) => {
      if (String(/** @type {any} */ (target).src).startsWith(base)) settle(type === "load");
    }, true);
  if (isThere() && !w.Intercom.q) hasLoaded = true;
  if (hasLoaded !== undefined) means.onSettled?.(hasLoaded);
}

/** Take out of the queue what a widget that is still to come need not know of somebody. */
export function forget() {
  clearTimeout(postponed);
  isBooted = false;
  if (isThere()) w.Intercom.q = w.Intercom.q?.filter((/** @type {any} */ [method]) => !/boot|update/.test(method));
}

/**
 * Show what the settings say.
 * @param {Settings} given
 * @param {boolean} [isChange] They are about another person than before: that does not wait.
 */
export function show(given, isChange) {
  prepare(given);
  settings = w.intercomSettings = given;
  if (isBooted) return update(isChange);
  call("boot", given);
  isBooted = true;
}

/** Tell the widget of new settings, or of another address; where the platform would throttle, of the last ones later. */
export function update(isChange = false) {
  const now = performance.now();
  clearTimeout(postponed);
  updates = updates.filter((time) => time > now - PERIOD);
  if (isChange || updates.length < UPDATES) {
    updates.push(now);
    call("update", settings);
  } else {
    postponed = setTimeout(update, updates[0] + PERIOD - now);
  }
}

/** Shut the Messenger down. @param {(settings: Settings) => Settings} kept Returns what stays in the page. */
export function end(kept) {
  const last = kept({ ...settings, ...own("intercomSettings") }); // a wrapper may delete it
  forget();
  if (isThere()) call("shutdown");
  settings = w.intercomSettings = last;
}
