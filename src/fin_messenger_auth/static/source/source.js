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
  const given = /** @type {any} */ (await source({ signal }));
  if (given === null) return { settings: {} };
  if (isSettings(given)) return { settings: given };
  if (!given?.json) throw "the function must return settings, a Response or null";

  const { status, ok, redirected, headers } = /** @type {Response} */ (given);
  const body = await given.json().catch(() => {}), hasSettings = isSettings(body);
  if (ok && hasSettings) return { settings: body, serverTime: Date.parse(headers.get("date") ?? "") };
  // A redirect leads to a sign-in page, or to the same address with a slash.
  if (redirected || !status) return { settings: {}, why: "a redirect: is the address exact?" };
  if (status === 401) return { settings: displayOnly(body) };
  if (status === 403) return { settings: displayOnly(body), why: "403: the endpoint's log says why" };
  if (hasSettings) return { offered: displayOnly(body), why: status };
  throw ok ? "the answer has no app_id; if it is a page, is the development proxy set up?" : status;
}
