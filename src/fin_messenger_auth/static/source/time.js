// Measures time without trusting the browser's clock, which can be wrong by years, change, or stand still in a sleep.
import { claims } from "./identity.js";

/** @typedef {import("./identity.js").Settings} Settings */

const HOUR = 3_600_000;

let total = 0, monotonic = 0, clock = 0;

/**
 * Return milliseconds that only grow. The monotonic clock of some browsers stands still while the machine sleeps, and the
 * other can be set back: of the two, the one that went further counts.
 */
export function elapsed() {
  const monotonicNow = performance.now(), clockNow = Date.now();
  if (clock) total += Math.max(monotonicNow - monotonic, clockNow - clock);
  [monotonic, clock] = [monotonicNow, clockNow];
  return total;
}

/**
 * Return for how many milliseconds settings that have just come are valid: until the earlier token expires, if there is one.
 *
 * The server's time decides, which an answer carries in its header `Date`. Where there is none, the browser's clock does.
 * Either counts only where it says what is possible: that the tokens have been issued, and have not expired.
 * @param {Settings} settings
 * @param {number} [now] The server's time in milliseconds; NaN where it is unknown.
 */
export function timeLeft(settings, now) {
  const tokens = [settings.intercom_user_jwt, settings.salesforce_identity_token].map(claims);
  const expiry = Math.min(...tokens.map(({ exp = Infinity }) => exp * 1000));
  const issued = Math.max(...tokens.map(({ iat = 0 }) => iat * 1000));
  const left = expiry - (now || Date.now()), longest = issued ? expiry - issued : HOUR;
  return left > 0 && left < longest || expiry === Infinity ? left : longest;
}

/**
 * Return how long one more has to wait if there are to be at most so many in half an hour.
 * @param {number[]} times Of those before, by `performance.now()`.
 * @param {number} most
 */
export const pauseAfter = (times, most) => (times[times.length - most] ?? -Infinity) + HOUR / 2 - performance.now();
