// Asks the endpoint or the application's function for settings, and says what is wrong with an answer.
import { displayOnly } from "./identity.js";
import { NAME } from "./marker.js";

/**
 * @typedef {import("./identity.js").Settings} Settings
 * @typedef {(how: {signal: AbortSignal}) => unknown} Source Returns a Response, settings, or null for nobody.
 * @typedef {object} Answer
 * @property {Settings} [settings] That hold now.
 * @property {Settings} [offered] Nobody's, because signing failed.
 * @property {unknown} [why] There are none, or only nobody's.
 * @property {number} [serverTime]
 */

/**
 * The answers that say that nobody is signed in, and what is to be said of them. A redirect, whose status is 0, leads to a
 * sign-in page, or to the same address with a slash.
 * @type {Record<number, string>}
 */
const NOBODY = { 0: "a redirect: is the address exact?", 401: "", 403: "403: the endpoint's log says why" };

/** @param {unknown} why */
export const say = (why) => console.warn(`${NAME}: ${why}`);

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
    throw new TypeError(`${NAME}: expected a URL, a function or settings`);
  }
  return ({ signal }) =>
    fetch(given, {
      // With this header, the answer for nobody is no error, which the console would show.
      headers: { "X-Fin-Messenger": "1" }, cache: "no-store", redirect: "manual", credentials, signal,
    });
}

/**
 * Ask the source.
 * @param {Source} source
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
export const answerOf = (source, signal) =>
  read(source, signal).catch((error) => ({
    why: error?.message ? `${error.message}; on another origin: do origins= and CORS allow it?` : error,
  }));

/**
 * @param {Source} source
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
async function read(source, signal) {
  if (!navigator.onLine) throw "offline";
  const given = /** @type {any} */ (await source({ signal }));
  if (given === null) return { settings: {} };
  const { status = 200, ok = true, redirected, headers, json } = given ?? {};
  const body = json ? await given.json().catch(() => {}) : given, why = NOBODY[redirected ? 0 : status];
  if (why !== undefined) return { settings: displayOnly(body), why };
  if (!isSettings(body)) throw ok ? "neither settings nor null; if it is a page, is the development proxy set up?" : status;
  return ok ? { settings: body, serverTime: Date.parse(headers?.get("date")) } : { offered: displayOnly(body), why: status };
}
