// Lets the tabs of one browser know of each other.
//
// Two things tell a tab that somebody has come or left: the marker's cookie, which is exact and spans the hosts of a
// domain; and the last change in localStorage, of which the browser tells the other tabs of this origin at once, and which
// counts for those who left no marker, too. It is written like cookies: a marker's name and value, and then the time.
import { NAME, cookieJar, makeMarker, markerName, readCookie, writeCookie } from "./marker.js";
import { page } from "./widget.js";

/** Return the last change, in any tab of this origin; "" where there is no storage. */
function lastChange() {
  try {
    return localStorage[NAME] ?? "";
  } catch {
    return "";
  }
}

/**
 * Set the marker of whoever is here now, or expire it; a new one each time, which renews the cookie in one step.
 * @param {unknown} isChange Somebody has come or left: whatever was asked before is void.
 */
export function remember(isChange) {
  const name = markerName(page.settings.app_id);
  writeCookie(name, page.who && makeMarker(page.who));
  page.marker = readCookie(name);
  if (!isChange) return;
  page.change = `; ${name}=${page.marker}; ${Date.now()}`;
  try {
    localStorage[NAME] = page.change;
  } catch {} // the cookie still tells
}

/** Return what differs from what it was if somebody has come or left in any tab, or is there still. */
export const moment = () => lastChange() + cookieJar().match(RegExp(`${NAME}\\S+`, "g"));

/**
 * Tell whether somebody has come or left in another tab within so many milliseconds. A time that is still to come was
 * noted by a clock that was wrong.
 * @param {number} span
 */
export function hasChangedWithin(span) {
  const change = lastChange();
  return change !== page.change && Math.abs(Date.now() - +change.split("; ")[2]) < span;
}

/**
 * Return the marker as an event tells of it, which can be here before the cookie.
 * @param {any} [event]
 */
export function markerNow(event) {
  const name = markerName(page.settings.app_id), news = String(event?.newValue);
  return readCookie(name, news.includes(`; ${name}=`) ? news : undefined);
}
