// Lets the tabs of one browser know of each other.
//
// Three things tell a tab that somebody has left: the marker's cookie, which is exact and spans the hosts of a domain;
// the time of the last departure in localStorage, for whoever left no marker; and a channel, so that nobody has to look.
import { NAME } from "./marker.js";

/** Return when somebody last left, in any tab of this origin, in milliseconds; 0 where there is no storage. */
export function lastDeparture() {
  try {
    return Number(localStorage[NAME] ?? 0);
  } catch {
    return 0;
  }
}

/** Note that somebody leaves: whatever was asked before is void. */
export function noteDeparture() {
  try {
    localStorage[NAME] = Date.now() + Math.random();
  } catch {} // the cookie and the channel still tell
}

/**
 * Tell whether somebody left while this document was on its way from the server. A time that is still to come was
 * noted by a clock that was wrong.
 */
export const leftWhileLoading = () => Math.abs(Date.now() - lastDeparture()) < performance.now();

/**
 * Listen to the other tabs, and to what wakes this one.
 * @param {(event: any) => void} listener
 * @returns {(news: Record<string, string>) => void} Tells the other tabs.
 */
export function listen(listener) {
  for (const name of ["pageshow", "visibilitychange", "focus", "online"]) addEventListener(name, listener);
  try {
    const channel = new BroadcastChannel(NAME);
    channel.onmessage = listener;
    return (news) => channel.postMessage(news);
  } catch {
    return () => {}; // not in this frame: the next look finds the cookie
  }
}
