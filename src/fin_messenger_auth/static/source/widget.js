// Loads the Messenger's widget, and tells it what to show. What that is, page.js decides.
import { displayOnly } from "./identity.js";
import { NAME, read } from "./marker.js";
import { pauseAfter } from "./time.js";

/**
 * @typedef {import("./identity.js").Settings} Settings
 *
 * @typedef {"nobody" | "booting" | "somebody" | "leaving" | "unsure" | "stopped"} State
 *
 * @typedef {object} Page What the scripts of a document share; it is changed in place, by one of them at a time.
 * @property {State} state
 * @property {string} who Whom the Messenger shows; while "unsure", whom it showed.
 * @property {string} marker As this page last saw it.
 * @property {string} [change] The last change that this page has told the other tabs of.
 * @property {Settings} settings What the Messenger shows, or is to show.
 * @property {boolean} [isBooted]
 * @property {string} base Where the widget's script comes from, without the workspace.
 * @property {string} [nonce]
 * @property {(string | undefined)[]} seen The snippets that have run.
 * @property {(given: Settings, isVoid: unknown) => void} [accept] Takes the settings of a page.
 * @property {(app?: string) => void} [leave] Signs out.
 * @property {() => void} [stop]
 * @property {any} [hear] Takes an answer; of the module.
 * @property {any} [expire] The tokens have expired; of the module.
 * @property {Settings} [display] What the front end has set.
 * @property {import("../fin-messenger-auth.js").Options} [options] What the application wants.
 */

// The platform was seen to throttle at about 20 updates in half an hour. Some are left for changes of user.
const UPDATES = 15;

const WIDGET = IN_MODULE ? "https://widget.intercom.io/widget/" : ""; // the snippet says where it is

const w = /** @type {any} */ (globalThis);

/** @type {Page} */
export let page;
/** @type {number[]} */
const updates = [];
/** @type {ReturnType<typeof setTimeout> | undefined} */
let postponed;

/** Find what the scripts of this document share. */
export const findPage = () =>
  (page = w[Symbol.for(NAME)] ??= { state: "booting", who: "", marker: "", settings: {}, seen: [], base: WIDGET });

// An element that markup names Intercom is no function.
const isThere = () => w.Intercom instanceof Function;

/** Tell whether the widget has come, whoever has loaded it. */
export const hasCome = () => isThere() && !w.Intercom.q;

/** @param {"boot" | "update" | "shutdown"} method @param {Settings} [settings] */
function call(method, settings) {
  const api = IN_MODULE && /** @type {any} */ (page.options?.api);
  if (!api) w.Intercom(method, settings);
  // react-use-intercom has its own names for settings, and passes on unchanged only these.
  else api[method](api.hardShutdown && settings ? { customAttributes: settings } : settings);
}

/** Make sure that there is a Messenger to be told, or a queue in its place, and that its script is on its way. */
export function prepare() {
  if (isThere()) return;
  const url = page.base + encodeURIComponent(page.settings.app_id);
  w.Intercom = (/** @type {unknown[]} */ ...call) => w.Intercom.q.push(call);
  w.Intercom.q = [];
  const load = () => {
    // Under Trusted Types, a policy with our name lets this address pass.
    const policy = w.trustedTypes?.createPolicy?.(NAME, { createScriptURL: () => url });
    const script = read("createElement").call(document, "script");
    const src = policy?.createScriptURL("") ?? url;
    const onload = () => page.options?.onLoad?.(), onerror = () => page.options?.onLoadFailed?.();
    read("documentElement").append(Object.assign(script, { nonce: page.nonce, src, onload, onerror }));
  };
  // A page itself comes first.
  if (IN_MODULE || read("readyState") === "complete") load();
  else addEventListener("load", load);
}

/**
 * Show what the settings say.
 * @param {Settings} given
 * @param {boolean} [isChange] They are about another person than before: that does not wait.
 */
export function show(given, isChange) {
  page.settings = w.intercomSettings = given;
  prepare();
  if (page.isBooted) return update(isChange);
  call("boot", given);
  page.isBooted = true;
}

/**
 * Tell the widget of the settings; where the platform would throttle, of the last ones later.
 * @param {boolean} [isChange]
 */
function update(isChange) {
  const pause = pauseAfter(updates, UPDATES);
  clearTimeout(postponed);
  if (!isChange && pause > 0) {
    postponed = setTimeout(update, pause);
    return;
  }
  updates.push(performance.now());
  call("update", page.settings);
}

/** Shut the Messenger down. What says nothing of a person stays in the page. */
export function end() {
  clearTimeout(postponed);
  page.isBooted = false;
  page.settings = displayOnly({ ...w.intercomSettings, ...page.settings }); // a wrapper may delete the former
  if (w.intercomSettings) w.intercomSettings = page.settings;
  if (isThere()) {
    // A widget that is still to come need not know of somebody.
    w.Intercom.q = w.Intercom.q?.filter((/** @type {any} */ [method]) => !/boot|update/.test(method));
    call("shutdown");
  }
}
