// Loads the Messenger's widget, and tells it what to show. What that is, page.js decides.
import { displayOnly } from "./identity.js";
import { NAME, read } from "./marker.js";

/**
 * @typedef {import("./identity.js").Settings} Settings
 *
 * @typedef {"nobody" | "booting" | "somebody" | "leaving" | "unsure" | "stopped"} State
 *
 * @typedef {object} Page What the scripts of a document share; it is changed in place, by one of them at a time.
 * @property {Settings} settings What the Messenger shows, or is to show.
 * @property {boolean} [isBooted]
 * @property {boolean} [hasLoaded] Whether the widget's script has come; undefined while it is on its way.
 * @property {string} base Where the script comes from, without the workspace.
 * @property {string} [nonce]
 * @property {(string | undefined)[]} seen The snippets that have run.
 * @property {State} state
 * @property {(settings: Settings, base: string, id?: string) => void} [boot] Takes the settings of a page.
 * @property {(app?: string) => void} [leave] Signs out.
 * @property {() => void} [stop]
 */

// The platform was seen to throttle at about 20 updates in half an hour. Some are left for changes of user.
const PERIOD = 1_800_000, UPDATES = 15;

const WIDGET = IN_MODULE ? "https://widget.intercom.io/widget/" : ""; // the snippet says where it is

const w = /** @type {any} */ (globalThis);

/** @type {Page} */
export let page;
/** @type {number[]} */
let updates = [];
/** @type {ReturnType<typeof setTimeout> | undefined} */
let postponed;

/** What the application wants. @type {import("../fin-messenger-auth.js").Options} */
export let options = {};

/** @param {import("../fin-messenger-auth.js").Options} given */
export const setOptions = (given) => void (options = given);

/** Find what the scripts of this document share. */
export const findPage = () => (page = w[Symbol.for(NAME)] ??= { state: "booting", settings: {}, seen: [], base: WIDGET });

// An element that markup names Intercom is no function.
const isThere = () => w.Intercom instanceof Function;

/** @param {"boot" | "update" | "shutdown"} method @param {Settings} [settings] */
function call(method, settings) {
  const api = IN_MODULE && /** @type {any} */ (options.api);
  if (!api) w.Intercom(method, settings);
  // react-use-intercom has its own names for settings, and passes on unchanged only these.
  else api[method](api.hardShutdown && settings ? { customAttributes: settings } : settings);
}

/**
 * Make sure that there is a Messenger to be told, or a queue in its place, and that its script is on its way.
 * @param {Settings} settings
 */
export function prepare(settings) {
  const isHere = isThere();
  if (isHere && (!IN_MODULE || page.hasLoaded !== false)) return;
  if (IN_MODULE) page.isBooted = page.hasLoaded = undefined;
  const url = page.base + encodeURIComponent(settings.app_id);
  if (!isHere) {
    w.Intercom = (/** @type {unknown[]} */ ...call) => w.Intercom.q.push(call);
    w.Intercom.q = [];
  }
  const load = () => {
    // Under Trusted Types, a policy with our name lets this address pass.
    const policy = w.trustedTypes?.createPolicy?.(NAME, { createScriptURL: () => url });
    const script = read("createElement").call(document, "script");
    const src = policy ? policy.createScriptURL("") : url;
    read("documentElement").append(Object.assign(script, { nonce: page.nonce, src }));
  };
  // A page itself comes first.
  if (IN_MODULE || read("readyState") === "complete") load();
  else addEventListener("load", load);
}

/** See whether the widget's script comes, whoever loads it. */
export function watch() {
  const heard = (/** @type {Event} */ { type, target }) => {
    if (String(/** @type {any} */ (target).src).startsWith(page.base)) settle(type === "load");
  };
  for (const type of ["load", "error"]) read("addEventListener").call(document, type, heard, true);
}

/**
 * Note whether the script has come. When an ad blocker keeps it away, the queue stays, so that calls of the page do no harm,
 * and the next boot tries again.
 * @param {boolean} now
 */
export function settle(now) {
  page.hasLoaded = now;
  if (!now) forget();
  (now ? options.onLoad : options.onLoadFailed)?.();
}

/** Take out of the queue what a widget that is still to come need not know of somebody. */
function forget() {
  clearTimeout(postponed);
  page.isBooted = false;
  if (isThere()) w.Intercom.q = w.Intercom.q?.filter((/** @type {any} */ [method]) => !/boot|update/.test(method));
}

/**
 * Show what the settings say.
 * @param {Settings} given
 * @param {boolean} [isChange] They are about another person than before: that does not wait.
 */
export function show(given, isChange) {
  prepare(given);
  page.settings = w.intercomSettings = given;
  if (page.isBooted) return update(isChange);
  call("boot", given);
  page.isBooted = true;
}

/**
 * Tell the widget of new settings, or of another address; where the platform would throttle, of the last ones later.
 * @param {boolean} [isChange]
 */
export function update(isChange) {
  const now = performance.now();
  clearTimeout(postponed);
  updates = updates.filter((time) => time > now - PERIOD);
  if (isChange || updates.length < UPDATES) {
    updates.push(now);
    call("update", page.settings);
  } else {
    postponed = setTimeout(update, updates[0] + PERIOD - now);
  }
}

/** Shut the Messenger down. What says nothing of a person stays in the page. */
export function end() {
  forget();
  const last = displayOnly({ ...w.intercomSettings, ...page.settings }); // a wrapper may delete the former
  if (isThere()) call("shutdown");
  page.settings = w.intercomSettings = last;
}
