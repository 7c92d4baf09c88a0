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
 * Return for how many milliseconds a user's settings that have just come are valid: until the earlier token expires.
 *
 * The server's time decides, which an answer carries in its header `Date`. Where there is none, the browser's clock
 * counts only where it says what is possible: that the tokens have been issued, and have not expired.
 * @param {Settings} settings
 * @param {number} [serverTime] In milliseconds; NaN where it is unknown.
 */
export function timeLeft(settings, serverTime) {
  let expiry = Infinity, issued = 0;
  for (const { exp = Infinity, iat = 0 } of [settings.intercom_user_jwt, settings.salesforce_identity_token].map(claims)) {
    expiry = Math.min(expiry, exp * 1000);
    issued = Math.max(issued, iat * 1000);
  }
  if (serverTime && expiry < Infinity) return expiry - serverTime;
  const left = expiry - Date.now(), longest = issued ? expiry - issued : HOUR;
  return left > 0 && left < longest ? left : longest;
}
