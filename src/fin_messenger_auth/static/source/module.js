// The Messenger in a single-page application, and the renewal of the tokens on any page.
import { displayOnly } from "./identity.js";
import { NAME } from "./marker.js";
import { ask, display, look, plan, receive, run, setDisplay, setSource, signOut, stop } from "./page.js";
import { isSettings, say, sourceOf } from "./source.js";
import { page, setOptions, settle, show, update } from "./widget.js";

/**
 * @typedef {import("../fin-messenger-auth.js").Messenger} Messenger
 * @typedef {import("../fin-messenger-auth.js").Options} Options
 * @typedef {import("../fin-messenger-auth.js").Source} Source
 */

let starts = 0;

/**
 * @param {Source} source
 * @param {Options} [options]
 * @returns {Promise<Messenger> & Messenger} It can be told of a sign-out before the first answer has come.
 */
export function startMessenger(source, options = {}) {
  const mine = ++starts;
  /** @type {Messenger} */
  const messenger = {
    async signedIn(given) {
      if (isSettings(given)) return receive(given);
      if (given) setSource(sourceOf(given, options.credentials));
      if (page.state === "somebody" || page.state === "unsure") signOut();
      page.state = "booting";
      await ask();
    },
    async signedOut() {
      signOut();
      if (page.state === "nobody") receive({});
    },
    refresh: ask,
    update(given) {
      choose(given);
      look();
      if (page.isBooted) show({ ...page.settings, ...display });
    },
    routeChanged() {
      look(); // another tab's news can be on its way
      if (page.isBooted) update();
    },
    stop() {
      if (mine === starts) stop();
    },
  };
  if (typeof window === "undefined") {
    console.info(`${NAME}: on a server, nothing is started`);
    for (const name in messenger) /** @type {any} */ (messenger)[name] = async () => {};
    return Object.assign(Promise.resolve(messenger), messenger);
  }
  return Object.assign(start(source, options, messenger), messenger);
}

/**
 * @param {Source} source
 * @param {Options} options
 * @param {Messenger} messenger
 */
async function start(source, options, messenger) {
  const asked = sourceOf(source, options.credentials), isBooted = run();
  stop();
  setSource(asked);
  setOptions(options);
  setDisplay({});
  page.base = options.widgetBase ?? page.base;
  if (!page.settings.app_id) page.settings = displayOnly(options.settings);
  // The widget may have come before.
  if (window.Intercom && !(/** @type {any} */ (window.Intercom).q)) page.hasLoaded = true;
  if (page.hasLoaded !== undefined) settle(page.hasLoaded);
  choose(options.settings);
  if (isSettings(source)) {
    receive(source);
  } else if (isBooted) {
    plan();
    if (options.settings) messenger.update({});
  } else {
    if (page.state === "stopped") page.state = "booting";
    await ask();
  }
  return messenger;
}

/** Keep what the front end sets. @param {object | undefined} given */
function choose(given) {
  const chosen = displayOnly(given);
  for (const name in given) if (!(name in chosen)) say(`only the server sets ${name}`);
  delete chosen.app_id;
  delete chosen.api_base;
  Object.assign(display, chosen);
}
