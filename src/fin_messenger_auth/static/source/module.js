// The Messenger in a single-page application, and the renewal of the tokens on any page.
import { displayOnly } from "./identity.js";
import { NAME } from "./marker.js";
import { hooks, look, receive, reload as loadAgain, say, setState, signOut, state, takeOver } from "./page.js";
import { askNow, plan, setSource, startRenewal, stopRenewal } from "./renewal.js";
import { isSettings, sourceOf } from "./source.js";
import { isBooted, means, setOrigin, setSettings, settings, show, update, watch } from "./widget.js";

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
      if (state === "somebody" || state === "unsure") signOut();
      setState("booting");
      await askNow();
    },
    async signedOut() {
      signOut();
      if (state === "nobody") receive({});
    },
    async refresh() {
      await askNow();
    },
    update(given) {
      choose(given);
      look();
      if (isBooted) show({ ...settings, ...hooks.display });
    },
    routeChanged() {
      look(); // another tab's news can be on its way
      if (isBooted) update();
    },
    stop() {
      if (mine === starts) stopRenewal();
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
  const { widgetBase, api, reload, onChange, onLoad, onLoadFailed } = options;
  const asked = sourceOf(source, options.credentials), isFresh = takeOver();
  startRenewal(asked);
  if (widgetBase) setOrigin(widgetBase);
  means.api = /** @type {any} */ (api)?.hardShutdown ? adapted(/** @type {any} */ (api)) : api;
  means.onSettled = (hasLoaded) => (hasLoaded ? onLoad : onLoadFailed)?.();
  hooks.tell = (change) => {
    onChange?.(change);
    // Two tabs whose servers disagree must not reload each other without end.
    const isDue = Boolean(reload) && performance.now() > 5000;
    if (isDue && !hooks.follow) loadAgain();
    return isDue;
  };
  hooks.display = {};
  if (!settings.app_id) setSettings(displayOnly(options.settings));
  watch();
  if (isSettings(source)) {
    choose(options.settings);
    receive(source);
  } else if (isFresh) {
    plan();
    if (options.settings) messenger.update(options.settings);
  } else {
    choose(options.settings);
    if (state === "stopped") setState("booting");
    await askNow();
  }
  return messenger;
}

/** Keep what the front end sets. @param {object | undefined} given */
function choose(given) {
  const display = displayOnly(given);
  for (const name of Object.keys(given ?? {}))
    if (!(name in display)) say(`settings: ${name} is not for display, so only the server sets it`);
  delete display.app_id;
  delete display.api_base;
  Object.assign(/** @type {any} */ (hooks.display), display);
}

/**
 * `react-use-intercom` has its own names for settings, and passes on unchanged only what is in `customAttributes`.
 * @param {{boot: Function, update: Function, shutdown: Function}} api
 */
function adapted(api) {
  return {
    boot: (/** @type {object} */ customAttributes) => api.boot({ customAttributes }),
    update: (/** @type {object} */ customAttributes) => api.update({ customAttributes }),
    shutdown: api.shutdown,
  };
}
