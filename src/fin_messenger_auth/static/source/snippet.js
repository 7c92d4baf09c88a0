// What stands in a page, before the call with the settings that the server has put there: `boot`, or `leave`.
import { whoIs } from "./identity.js";
import { isMarkerOf, markerName, read, readCookie } from "./marker.js";
import { run } from "./page.js";
import { hasChangedWithin } from "./tabs.js";
import { page } from "./widget.js";

/** How long what a link of Turbo or htmx has asked for can be on its way, in milliseconds. */
const LATE = 30_000;

run();

/**
 * The server has put settings into the page, or a link of Turbo or htmx has brought them.
 * @param {import("./identity.js").Settings} given
 * @param {string} base
 * @param {string} [id]
 */
export function boot(given, base, id) {
  // Turbo shows a stored copy of the page while it fetches the real one.
  if (read("documentElement").matches("[data-turbo-preview]")) return;
  page.base = base;
  page.nonce = read("currentScript")?.nonce;

  // The back button of Turbo and htmx brings back a stored page, and a page can come after its person has left in another
  // tab: nobody signs in again by that.
  const isStored = id && page.seen.includes(id), isLate = hasChangedWithin(page.seen.length ? LATE : performance.now());
  page.seen.push(id);
  page.accept?.(given, isStored || isLate && !isMarkerOf(whoIs(given), readCookie(markerName(given.app_id))));
}

/** The server has ended the session. @param {string} app */
export const leave = (app) => page.leave?.(app);
