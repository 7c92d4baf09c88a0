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
    throw new TypeError(`${NAME}: expected a URL, a function, or settings with app_id`);
  }
  return ({ signal }) =>
    fetch(given, {
      // With this header, the answer for nobody is no error, which the console would show.
      headers: { "X-Fin-Messenger": "1" }, cache: "no-store", redirect: "manual", credentials, signal,
    }).catch((error) => {
      const isForeign = new URL(given, location.href).origin !== location.origin;
      throw `${error.message}${isForeign ? "; on another origin, origins= must name this page's, and CORS let X-Fin-Messenger through" : ""}`;
    });
}

/**
 * Ask the source.
 * @param {Source} source
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
export async function answerOf(source, signal) {
  try {
    if (!navigator.onLine) throw "offline";
    return await read(await source({ signal }));
  } catch (/** @type {any} */ error) {
    return { why: error?.message ?? error };
  }
}

/** @param {any} given @returns {Promise<Answer>} */
async function read(given) {
  if (given === null) return { settings: {} };
  if (isSettings(given)) return { settings: given };
  if (!given?.json) throw "the function returned neither settings, a Response nor null";

  const { status, ok, redirected, headers } = /** @type {Response} */ (given);
  const body = await given.json().catch(() => {});
  if (ok && isSettings(body)) return { settings: body, serverTime: Date.parse(headers.get("date") ?? "") };
  if ([0, 401, 403].includes(status) || redirected) {
    // A redirect leads to a sign-in page, or to the same address with a slash.
    const why = !status ? "the endpoint redirects: is its address exact?" : status === 403 && "403: the endpoint's log says why";
    return { settings: displayOnly(body), why };
  }
  if (isSettings(body)) return { offered: displayOnly(body), why: status };
  throw ok ? "the answer has no app_id; if it is a page, is the development proxy set up?" : status;
}
