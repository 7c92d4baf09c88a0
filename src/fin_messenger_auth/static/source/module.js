// The Messenger in a single-page application, and the renewal of the tokens on any page.
import { displayOnly } from "./identity.js";
import { NAME } from "./marker.js";
import { look, receive, refresh, run, signOut } from "./page.js";
import { ask, plan, renewFrom } from "./renewal.js";
import { isSettings, say, sourceOf } from "./source.js";
import { hasCome, page } from "./widget.js";

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
      if (given) renewFrom(sourceOf(given, options.credentials));
      if (page.who) signOut();
      page.state = "booting";
      await ask();
    },
    async signedOut() {
      if (page.state === "stopped") return;
      signOut();
      receive({});
    },
    refresh: ask,
    update(given) {
      choose(given);
      refresh();
    },
    routeChanged: refresh,
    stop() {
      if (mine === starts) renewFrom();
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
  const asked = sourceOf(source, options.credentials), isTaken = run();
  renewFrom(asked);
  page.options = options;
  page.display = {};
  page.base = options.widgetBase ?? page.base;
  page.settings = { ...displayOnly(options.settings), ...page.settings };
  if (hasCome()) options.onLoad?.();
  choose(options.settings);
  if (isSettings(source)) {
    receive(source);
  } else if (isTaken) {
    plan();
    if (options.settings) refresh();
    else look();
  } else {
    if (!page.isBooted) page.state = "booting";
    await ask();
  }
  return messenger;
}

/** Keep what the front end sets. @param {object | undefined} given */
function choose(given) {
  const { app_id, api_base, ...chosen } = displayOnly(given);
  for (const name in given) if (!(name in displayOnly(given))) say(`only the server sets ${name}`);
  Object.assign(/** @type {object} */ (page.display), chosen);
}
