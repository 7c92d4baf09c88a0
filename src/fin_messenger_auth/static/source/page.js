// Runs the states of a page: one person's chats never go to the next. docs/reference/states.md has them in a table, with
// a column for each state, and each event below is a row.
//
// An identified boot leaves a marker. A boot for somebody else, or for nobody, that finds it shuts the Messenger down
// first; a tab that sees it change shuts the Messenger down at once. The scripts of a document share one state: that of
// the snippet until the module takes over. What only the module does, stands behind IN_MODULE.
import { displayOnly, whoIs } from "./identity.js";
import {
  NAME, cookieJar, isMarkerOf, makeMarker, markedApp, markerName, messengerCookies, read, readCookie, writeCookie,
} from "./marker.js";
import { answerOf, say } from "./source.js";
import { lastDeparture, leftWhileLoading, listen, noteDeparture } from "./tabs.js";
import { elapsed, timeLeft } from "./time.js";
import { end, findPage, options, page, prepare, show, update, watch } from "./widget.js";

/**
 * @typedef {import("./identity.js").Settings} Settings
 * @typedef {import("./source.js").Source} Source
 */

/** How long an answer can be on its way, in milliseconds. */
const LATE = 30_000;
// At most so many answers in half an hour, however short the tokens' lifetime is, and however servers disagree.
const RENEWALS = 8, PERIOD = 1_800_000;

/** Whom the Messenger shows; while "unsure", whom it showed. */
let who = "";
/** It grows with whatever makes void what was asked before. */
let turn = 0;
/** Who left in another tab last, and when. */
let departed = "", departedAt = 0;
/** @type {string | undefined} */
let appId;
let marker = ""; // as this page last saw it
/** @type {(news: Record<string, string>) => void} */
let tellTabs;

// Of the module

/** @type {Source | undefined} */
let source;
/** What the front end has set. @type {Settings} */
export let display = {};
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** The question that has no answer yet. @type {object | undefined} */
let question;
let failures = 0;
/** @type {number[]} */
const renewals = [];
let due = Infinity, expiry = Infinity; // of the stopwatch
/** The token that the expiry is of. @type {unknown} */
let jwt;

/** @param {Source | undefined} given */
export const setSource = (given) => void (source = given);

/** @param {Settings} given */
export const setDisplay = (given) => void (display = given);

const foundMarker = () => readCookie(markerName(appId));

// Events

/**
 * Take settings that hold now. What says nothing of a person stays from one to the next, and what the front end has set
 * counts before what the server says.
 * @param {Settings} given
 * @param {boolean} [isNews] The application does not know yet whose they are.
 * @param {number} [serverTime]
 */
export function receive(given, isNews, serverTime) {
  let next = { ...displayOnly(page.settings), ...given, ...(IN_MODULE && display) };
  if (!next.app_id) return void (page.state = "nobody"); // of which workspace, nobody has said
  if (page.isBooted && appId !== next.app_id) leave();
  appId = next.app_id;
  prepare(next);
  let person = whoIs(next);
  const before = who, found = foundMarker();
  if (before && before !== person || !isMarkerOf(person, found) && found) leave(Boolean(person));
  if (IN_MODULE && isNews && before && before !== person && tell(person)) return;
  turn++;
  if (person) {
    remember(makeMarker(person)); // a new one, which renews the cookie in one step
    marker = foundMarker();
    if (!marker) {
      say("without cookies nobody is identified");
      next = displayOnly(next);
      person = "";
    }
  }
  page.state = person ? "somebody" : "nobody";
  who = person;
  show(next, before !== person);
  if (IN_MODULE) plan(serverTime);
}

/** Sign out of a workspace, whether a boot of this document has named it or not. @param {string} [app] */
export function signOut(app) {
  appId = IN_MODULE ? app ?? appId ?? markedApp() : app;
  leave();
  if (page.state !== "stopped") page.state = "nobody";
}

/**
 * Look at the marker: another tab may have signed out or in, now or while this document slept.
 * @param {any} [event]
 */
export function look(event) {
  if (page.boot !== boot) return; // another script runs this document
  const news = event?.data;
  // News may be about the workspace of this page: what is on its way is void.
  if (!appId) return news ? changeElsewhere("") : IN_MODULE && checkTime(event);
  const found = news?.[markerName(appId)] ?? foundMarker(); // the news can be here before the cookie
  const isSeen = marker === found, isOurs = isMarkerOf(who, found);
  marker = found;
  if (!isSeen && !(who && isOurs)) {
    if (!found) {
      departed = who;
      departedAt = performance.now();
    }
    changeElsewhere(found);
  } else if (IN_MODULE && event) {
    checkTime(event);
  }
  // The history of the browser shows what is not for the person who is here now.
  if (event?.persisted && !isOurs && !(IN_MODULE && source)) reload();
}

/**
 * Another tab has taken the marker away, or has set that of another person.
 * @param {string} found
 */
function changeElsewhere(found) {
  if (page.state === "stopped") return;
  const isChange = page.state === "nobody" ? found : who;
  if (page.state === "somebody" || page.state === "nobody" && !found) close();
  who = "";
  if (page.state !== "booting" && !(page.state === "nobody" && found)) page.state = "leaving";
  if (isChange && tell(found)) return;
  follow();
}

/**
 * The server has put settings into the page, or a link of Turbo or htmx has brought them.
 * @param {Settings} given
 * @param {string} base
 * @param {string} [id]
 */
function boot(given, base, id) {
  // Turbo shows a stored copy of the page while it fetches the real one.
  if (read("documentElement").matches("[data-turbo-preview]")) return;
  page.base = base;
  page.nonce = read("currentScript")?.nonce;

  // The back button of Turbo and htmx brings back a stored page, and a page can come after its person has left in another
  // tab: nobody signs in again by that.
  const person = whoIs(given), isStored = id && page.seen.includes(id);
  if (isStored && who === person) return update();
  const isLate = turn ? departed === person && performance.now() - departedAt < LATE : leftWhileLoading();
  if (isStored || person && isLate && !isMarkerOf(person, readCookie(markerName(given.app_id)))) {
    appId = given.app_id;
    marker = foundMarker();
    if (page.state === "booting") {
      page.state = "leaving";
      page.settings = displayOnly(given);
    }
    return follow();
  }
  page.seen.push(id);
  receive(given);
}

// What they do

/** Ask soon. Without a source nobody knows who has come: the Messenger stays closed until the next page. */
function follow() {
  if (IN_MODULE && source) wait(0);
  else if (!marker && !who) receive({ app_id: appId });
}

/** Tell the application. @param {string} found @returns {unknown} Whether the page is loaded again. */
function tell(found) {
  const detail = found ? "user-changed" : "signed-out";
  read("dispatchEvent").call(document, new CustomEvent(`${NAME}:stopped`, { detail }));
  if (IN_MODULE) {
    queueMicrotask(() => options.onChange?.(detail)); // what it throws is not ours
    // Two tabs whose servers disagree must not reload each other without end.
    const isDue = options.reload && performance.now() > 5000;
    if (isDue) reload();
    return isDue;
  }
}

/** Load the page again. Without a network, the browser would show its own page for errors. */
function reload() {
  page.state = "stopped";
  if (IN_MODULE) question = undefined; // its answer is for the next page
  if (navigator.onLine) location.reload();
  else addEventListener("online", reload, { once: true });
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
  // Where a cookie of the Messenger stays, the marker lets the next page try again.
  if (!isReplaced && !messengerCookies(appId).some((each) => readCookie(each))) remember("");
  if (IN_MODULE && !isReplaced) plan();
}

/** End the session in this tab. The widget may boot before it works off its queue, so its cookies go at once. */
function close() {
  turn++;
  end();
  for (const each of messengerCookies(appId)) writeCookie(each);
}

/**
 * Run this document from now on; the snippet, unless another script does already.
 * @returns {boolean | void} Whether another script has booted for whoever is signed in.
 */
export function run() {
  findPage();
  if (IN_MODULE ? page.boot === boot : page.boot) return;
  if (IN_MODULE) page.stop?.();
  page.boot = boot;
  page.leave = signOut;
  tellTabs = listen(look);
  if (IN_MODULE) {
    page.stop = stop;
    watch();
    appId = page.settings.app_id;
    who = whoIs(page.settings);
    marker = foundMarker();
    page.state = !page.isBooted ? "booting" : who ? "somebody" : "nobody";
    return page.isBooted && isMarkerOf(who, marker);
  }
}

// Renewal

/** Ask no more, and drop what is on its way. */
export function stop() {
  source = jwt = undefined;
  due = expiry = Infinity;
  failures = 0;
  question = undefined;
  clearTimeout(timer);
}

/** @param {number} pause */
function wait(pause) {
  due = Math.max(elapsed() + pause, (renewals[renewals.length - RENEWALS] ?? -Infinity) + PERIOD);
  checkTime();
}

/** Plan the next renewal, after what the Messenger has just been told. @param {number} [serverTime] */
export function plan(serverTime) {
  if (!who) {
    due = expiry = Infinity;
    jwt = undefined;
    return checkTime();
  }
  const { intercom_user_jwt } = page.settings, isNew = jwt !== intercom_user_jwt;
  // However little time they have, there is some to renew them.
  if (isNew) expiry = elapsed() + Math.max(timeLeft(page.settings, serverTime), source ? 3000 : 0);
  jwt = intercom_user_jwt;
  // Between 70 and 85 % of the time that is left, so that many tabs do not come at once.
  const pause = (expiry - elapsed()) * (0.7 + 0.15 * Math.random());
  wait(source ? Math.max(pause, isNew ? 1000 : 30_000) : Infinity);
}

/**
 * See what is due. Timers stand still in a tab that sleeps, so whatever wakes it comes here, too.
 * @param {Event} [event]
 */
function checkTime(event) {
  clearTimeout(timer);
  if (question) return;
  const now = elapsed();
  if (now >= due || failures && event?.type === "online") return void ask();
  if (now >= expiry && page.state === "somebody") expire();
  const next = page.state === "somebody" ? Math.min(due, expiry) : due;
  timer = setTimeout(checkTime, Math.min(next - now, 1e9));
}

/** Nobody has confirmed that it is still the same person, nor that it is another. @param {Settings} [offered] */
function expire(offered) {
  if (!source) say("the tokens have expired; only a URL or a function as source gives new ones");
  page.state = "unsure";
  close();
  offer(offered);
}

/** Show nobody's settings for the time being. @param {Settings} [offered] */
function offer(offered) {
  const nobody = displayOnly({ ...page.settings, ...display, ...offered });
  if (!page.isBooted && nobody.app_id) show(nobody);
}

/** Ask who is signed in now. */
export async function ask() {
  if (!source || page.state === "stopped") return;
  const mine = question = {}, then = turn, jar = cookieJar(), departure = lastDeparture();
  clearTimeout(timer);
  due = Infinity;
  let { settings, offered, why, serverTime } = await answerOf(source);
  if (mine !== question) return;
  question = undefined;
  if (then !== turn) return checkTime(); // something has happened here since, and has planned what follows

  // Whatever was asked before somebody has left or come in another tab is void.
  const person = whoIs(settings ?? {}), name = markerName(settings?.app_id ?? appId), found = readCookie(name);
  if (departure !== lastDeparture() || found !== readCookie(name, jar) && !isMarkerOf(person, found)) {
    look();
    if (!question) wait(0);
    return;
  }
  if (person && settings?.intercom_user_jwt === jwt && elapsed() >= expiry) {
    settings = undefined;
    why = "its tokens have expired; is the answer cached?";
  }
  if (settings) {
    if (why) say(`${why}`);
    const isBack = page.state === "leaving" && person && person === departed;
    failures = 0;
    renewals.push(elapsed());
    receive(settings, true, serverTime);
    // What another tab said may have come before the server knew it: ask once more.
    if (isBack) wait(10_000);
  } else if (why === 410) {
    page.state = "stopped";
    failures = 0;
    signOut();
  } else {
    if (!failures++) say(`no settings: ${why}`);
    if (offered && page.state === "somebody") expire(offered);
    else if (offered || !turn) offer(offered);
    wait(Math.min(5000 * 2 ** (failures - 1), 300_000) * (0.75 + Math.random() / 2));
  }
}
