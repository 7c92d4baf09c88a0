// Asks the endpoint or the application's function for settings, and says what is wrong with an answer.
import { displayOnly } from "./identity.js";
import { NAME } from "./marker.js";
import { say } from "./page.js";

/**
 * @typedef {import("./identity.js").Settings} Settings
 * @typedef {(how: {signal: AbortSignal}) => unknown} Source Returns a Response, settings, or null for nobody.
 * @typedef {object} Answer
 * @property {Settings} [settings] That hold now.
 * @property {Settings} [offered] Nobody's, because signing failed.
 * @property {unknown} [why] There are none.
 * @property {number} [serverTime]
 */

const DEADLINE = 15_000;

/** @param {any} given @returns {given is Settings} */
export const isSettings = (given) => typeof given?.app_id === "string";

/**
 * Return what can be asked; nothing if settings were given.
 * @param {any} given
 * @param {RequestCredentials} [credentials]
 * @returns {Source | undefined}
 */
export function sourceOf(given, credentials = "include") {
  if (isSettings(given)) return;
  if (typeof given === "function") return given;
  if (typeof given !== "string" && !(given instanceof URL)) {
    throw new TypeError(`${NAME}: expected a URL, a function, or settings with app_id`);
  }
  return ({ signal }) =>
    fetch(given, {
      // With this header, the answer for nobody is no error, which the console would show.
      headers: { "X-Fin-Messenger": "1" }, cache: "no-store", redirect: "manual", credentials, signal,
    }).catch((error) => {
      if (new URL(given, location.href).origin === location.origin) throw error;
      throw `${error.message}: the endpoint is on another origin; its origins= must name this page's`;
    });
}

/**
 * Ask the source, and wait for so long.
 * @param {Source} source
 * @returns {Promise<Answer>}
 */
export function answerOf(source) {
  const controller = new AbortController();
  return new Promise((resolve) => {
    const fail = (/** @type {any} */ error) => resolve({ why: error?.message ?? error });
    setTimeout(() => {
      fail("no answer in 15 seconds");
      controller.abort();
    }, DEADLINE);
    question(source, controller.signal).then(resolve, fail);
  });
}

/**
 * @param {Source} source
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
async function question(source, signal) {
  if (!navigator.onLine) throw "offline";
  const given = /** @type {any} */ (await source({ signal }));
  if (given === null) return { settings: {} };
  if (isSettings(given)) return { settings: given };
  if (!given?.headers) throw "the function returned no settings, no Response, and not null";

  const { status, ok, redirected, headers } = /** @type {Response} */ (given);
  const text = await given.text();
  const body = parsed(text), offered = displayOnly(body);
  if (ok && isSettings(body)) return { settings: body, serverTime: Date.parse(headers.get("date") ?? "") };
  if (status === 403) say("403: the endpoint refuses this page; its server's log says why");
  // A redirect leads to a sign-in page.
  if ([0, 401, 403].includes(status) || redirected) return { settings: offered };
  if (isSettings(body)) return { offered, why: status };
  throw ok && /^\s*</.test(text) ? "the endpoint answered with a page: is the development proxy set up?" : status;
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {}
}
