// Runs the states of a page: one person's chats never go to the next. docs/reference/states.md has them in a table, with
// a column for each state, and each event below is a row.
//
// An identified boot leaves a marker. A boot for somebody else, or for nobody, that finds it shuts the Messenger down
// first; a tab that sees it change shuts the Messenger down at once. The scripts of a document share one state: that of
// the snippet until the module takes over.
import { displayOnly, whoIs } from "./identity.js";
import {
  NAME, cookieJar, isMarkerOf, makeMarker, markedApp, markerName, messengerCookies, read, readCookie, writeCookie,
} from "./marker.js";
import { lastDeparture, leftWhileLoading, listen, noteDeparture } from "./tabs.js";
import {
  end, forget, inherit, inheritance, isBooted, means, prepare, setOrigin, setSettings, settings, show, update,
} from "./widget.js";

/**
 * @typedef {import("./identity.js").Settings} Settings
 * @typedef {"nobody" | "booting" | "somebody" | "leaving" | "unsure" | "stopped"} State
 * @typedef {"signed-out" | "user-changed"} Change
 *
 * @typedef {object} Shared What the scripts of a document have in common.
 * @property {(settings: Settings, base: string, id?: string) => void} take Takes the settings of a page.
 * @property {(app: string) => void} signOut
 * @property {State} state
 * @property {() => import("./widget.js").Inheritance & {isFresh: boolean}} stop
 */

/** How long an answer can be on its way, in milliseconds. */
const LATE = 30_000;

/** @type {State} */
export let state = "booting";
/** Whom the Messenger shows; while "unsure", whom it showed. */
export let who = "";
/** It grows with whatever makes void what was asked before. */
export let turn = 0;
/** Who left in another tab last, and when. */
export let departed = "";
let departedAt = 0;
/** @type {string | undefined} */
let appId;
let marker = ""; // as this page last saw it
let mustReload = false; // once the server has answered
let isDeaf = false;
let fresh = -1; // the turn at which the server has put settings into the page
/** @type {Record<string, boolean>} */
const seen = {};
/** @type {(news: Record<string, string>) => void} */
let tellTabs;

/**
 * What the module adds to a page.
 * @type {{
 *   follow?: () => void,
 *   plan?: () => void,
 *   look?: (event: Event) => void,
 *   tell?: (change: Change) => boolean,
 *   display?: Settings,
 * }}
 */
export const hooks = {};

/** @param {string} why */
export const say = (why) => console.warn(`${NAME}: ${why}`);

/** @param {State} next */
export const setState = (next) => void (state = next);

const foundMarker = () => readCookie(markerName(appId));

// Events

/**
 * Take settings that hold now. What says nothing of a person stays from one to the next, and what the front end has set
 * counts before what the server says.
 * @param {Settings} given
 * @param {boolean} [isNews] The application does not know yet whose they are.
 */
export function receive(given, isNews) {
  let next = { ...displayOnly(settings), ...given, ...hooks.display };
  if (!next.app_id) {
    state = "nobody"; // of which workspace, nobody has said
    return;
  }
  if (isBooted && appId !== next.app_id) leave();
  appId = next.app_id;
  prepare(next);
  let person = whoIs(next);
  const before = who, found = foundMarker();
  if (before && before !== person || found && !isMarkerOf(person, found)) leave(Boolean(person));
  if (isNews && before && before !== person) tell(person);
  turn++;
  if (isNews && mustReload) return reload();
  if (person) {
    remember(makeMarker(person)); // a new one, which renews the cookie in one step
    marker = foundMarker();
    if (!marker) {
      say("without cookies nobody is identified.");
      next = displayOnly(next);
      person = "";
    }
  }
  state = person ? "somebody" : "nobody";
  who = person;
  show(next, before !== person);
  hooks.plan?.();
}

/** Sign out of a workspace, whether a boot of this document has named it or not. */
export function signOut(app = appId ?? markedApp()) {
  appId = app;
  leave();
  if (state !== "stopped") state = "nobody";
}

/**
 * Another tab has taken the marker away, or has set that of another person.
 * @param {string} found
 */
function changeElsewhere(found) {
  if (state === "stopped") return;
  if (state === "nobody" ? found : who) tell(found);
  if (state === "somebody" || state === "nobody" && !found) close();
  who = "";
  if (state !== "booting" && !(state === "nobody" && found)) state = "leaving";
  follow();
}

/**
 * The page comes from the history of the browser, and is not of the person who is here now.
 * @param {string} found
 */
function restore(found) {
  if (who) {
    close();
    tell(found);
  }
  who = "";
  reload();
}

/** Settings have come so late that their person may have left. @param {Settings} given */
function arriveLate(given) {
  appId = given.app_id;
  marker = foundMarker();
  if (state === "booting") {
    state = "leaving";
    setSettings(displayOnly(given));
  }
  follow();
}

/**
 * Look at the marker: another tab may have signed out or in, now or while this document slept.
 * @param {any} [event]
 */
export function look(event) {
  if (isDeaf) return;
  const news = event?.data;
  // News may be about the workspace of this page: what is on its way is void.
  if (!appId) return news ? changeElsewhere("") : event && hooks.look?.(event);
  const found = news?.[markerName(appId)] ?? foundMarker(); // the news can be here before the cookie
  const isSeen = marker === found, isOurs = isMarkerOf(who, found);
  marker = found;
  if (event?.persisted && !hooks.follow && !isOurs) return restore(found);
  if (isSeen || who && isOurs) return event && hooks.look?.(event);
  if (!found) [departed, departedAt] = [who, performance.now()];
  changeElsewhere(found);
}

// What they do

/** Ask soon. Without a source nobody knows who has come: the Messenger stays closed until the next page. */
function follow() {
  if (hooks.follow) hooks.follow();
  else if (!marker && !who) receive({ app_id: appId });
}

/** Tell the application. @param {string} found */
function tell(found) {
  const detail = found ? "user-changed" : "signed-out";
  Document.prototype.dispatchEvent.call(document, new CustomEvent(`${NAME}:stopped`, { detail }));
  if (hooks.tell?.(detail)) mustReload = true;
}

/** Load the page again. Without a network, the browser would show its own page for errors. */
export function reload() {
  state = "stopped";
  if (navigator.onLine) location.reload();
  else for (const name of ["online", "visibilitychange"]) addEventListener(name, reload, { once: true });
}

/** @param {string} value */
function remember(value) {
  marker = value;
  writeCookie(markerName(appId), value);
  tellTabs({ [markerName(appId)]: value });
}

/** End the session, here and in the other tabs. @param {boolean} [isReplaced] The next person's marker follows at once. */
function leave(isReplaced) {
  noteDeparture();
  close();
  who = "";
  if (isReplaced) return;
  if (messengerCookies(appId).some((each) => readCookie(each))) say("the Messenger's cookies stay.");
  else remember("");
  hooks.plan?.();
}

/** End the session in this tab. The widget may boot before it works off its queue, so its cookies go at once. */
export function close() {
  turn++;
  end(displayOnly);
  for (const each of messengerCookies(appId)) writeCookie(each);
}

/** Return a function that tells whether an answer to what is asked now has become void: somebody has left or come. */
export function makeTicket() {
  const jar = cookieJar(), departure = lastDeparture();
  return (/** @type {Settings} */ answer) => {
    const name = markerName(answer.app_id ?? appId), found = readCookie(name);
    const isAsBefore = found === readCookie(name, jar) || found && isMarkerOf(whoIs(answer), found);
    return departure !== lastDeparture() || !isAsBefore;
  };
}

/** @type {Shared["take"]} */
function take(given, base, id) {
  // Turbo shows a stored copy of the page while it fetches the real one.
  if (read("documentElement").matches("[data-turbo-preview],[data-turbolinks-preview]")) return;
  setOrigin(base, read("currentScript")?.nonce);
  // The page itself comes first.
  means.whenReady = (load) => read("readyState") === "complete" ? load() : addEventListener("load", load);

  // The back button of Turbo and htmx brings back a stored page, and a page can come after its person has left in another
  // tab: nobody signs in again by that.
  const person = whoIs(given), isStored = id && seen[id];
  if (isStored && who === person) return update();
  const isLate = turn ? departed === person && performance.now() - departedAt < LATE : leftWhileLoading();
  if (isStored || person && isLate && !isMarkerOf(person, readCookie(markerName(given.app_id)))) return arriveLate(given);
  if (id) seen[id] = true;
  receive(given);
  fresh = turn;
}

/** Return what the scripts of this document share, made by the first that asks for it. @returns {Shared} */
export const shared = () => /** @type {any} */ (globalThis)[Symbol.for(NAME)] ??= start();

/** @returns {Shared} */
function start() {
  tellTabs = listen(look);
  return {
    take,
    signOut,
    get state() { return state; }, // for whoever looks into a page
    stop() {
      isDeaf = true;
      return { ...inheritance(), isFresh: fresh === turn };
    },
  };
}

/** Take over from the script that runs this document, if it is another. @returns {boolean} Whether its settings are fresh. */
export function takeOver() {
  const key = Symbol.for(NAME), w = /** @type {any} */ (globalThis);
  const before = /** @type {Shared | undefined} */ (w[key]);
  if (before?.take === take) return false;
  const found = before?.stop();
  w[key] = start();
  if (!found?.settings.app_id) return false;
  inherit(found);
  appId = found.settings.app_id;
  who = whoIs(found.settings);
  marker = foundMarker();
  if (found.isBooted) state = who ? "somebody" : "nobody";
  return found.isFresh;
}
