// Runs the states of a page: one person's chats never go to the next. docs/reference/states.md has them in a table, with
// a column for each state, and each event below is a row.
//
// An identified boot leaves a marker. A boot for somebody else, or for nobody, that finds it shuts the Messenger down
// first; a tab that sees it change shuts the Messenger down at once. The scripts of a document share one state, which the
// module takes over from the snippet. What only the module does, stands behind IN_MODULE.
import { displayOnly, whoIs } from "./identity.js";
import { NAME, isMarkerOf, markedApp, read, writeCookie } from "./marker.js";
import { EXPIRED, failed, isAsked, plan, renewFrom, wait, wake } from "./renewal.js";
import { say } from "./source.js";
import { markerNow, moment, remember } from "./tabs.js";
import { end, findPage, page, prepare, show } from "./widget.js";

/**
 * @typedef {import("./identity.js").Settings} Settings
 * @typedef {import("./source.js").Answer} Answer
 */

// Events

/**
 * Take settings that hold now. What says nothing of a person stays from one to the next, and what the front end has set
 * counts before what the server says.
 * @param {Settings} given
 * @param {boolean} [isNews] The application does not know yet whose they are.
 * @param {number} [serverTime]
 */
export function receive(given, isNews, serverTime) {
  let next = { ...displayOnly(page.settings), ...given, ...page.display };
  if (IN_MODULE && !next.app_id) return void (page.state = "nobody"); // of which workspace, nobody has said
  if (page.isBooted && page.settings.app_id !== next.app_id) signOut();
  page.settings = next;
  prepare();
  const before = page.who, found = markerNow();
  page.who = whoIs(next);
  const isOther = before && before !== page.who, isNew = !isMarkerOf(page.who, found);
  if (isOther || isNew && found) close();
  remember(isOther || isNew);
  if (page.who && !page.marker) {
    say("without cookies nobody is identified");
    page.who = "";
    next = displayOnly(next);
  }
  page.state = page.who ? "somebody" : "nobody";
  if (IN_MODULE && isNews && isOther && tell(page.who)) return;
  show(next, before !== page.who);
  if (IN_MODULE) plan(serverTime);
}

/**
 * Take what the server has put into the page, or a link of Turbo or htmx has brought.
 * @param {Settings} given
 * @param {unknown} isVoid Somebody has come or left since it was asked for: it does not say who is here.
 */
function accept(given, isVoid) {
  if (!isVoid) return receive(given);
  if (page.isBooted) {
    refresh();
  } else {
    page.settings = displayOnly(given);
    page.marker = markerNow();
  }
  if (whoIs(given) !== page.who) follow();
}

/** Sign out of a workspace, whether a boot of this document has named it or not. @param {string} [app] */
export function signOut(app = page.settings.app_id ?? (IN_MODULE ? markedApp() : undefined)) {
  page.settings = { ...page.settings, app_id: app };
  close();
  page.who = "";
  remember(true);
  page.state = "nobody";
  if (IN_MODULE) plan();
}

/** Tell the Messenger what the front end has set, or that the address has changed. */
export function refresh() {
  look(); // another tab's news can be on its way
  if (page.isBooted) show({ ...page.settings, ...page.display });
}

/**
 * Look at the marker: another tab may have signed out or in, now or while this document slept.
 * @param {any} [event]
 * @returns {unknown} Whether it has.
 */
export function look(event) {
  if (page.accept !== accept || page.state === "stopped") return; // another script runs this document, or none
  const found = markerNow(event), isOurs = isMarkerOf(page.who, found);
  // News may be about the workspace that an application does not know yet.
  const isChange = page.marker !== found && !(page.who && isOurs) || IN_MODULE && !page.settings.app_id && event?.key === NAME;
  page.marker = found;
  if (isChange) {
    const isNews = page.who || page.state === "nobody" && found;
    // The widget of a page for nobody may have met the session of whoever has left.
    if (page.who || page.state === "nobody" && !found) close();
    if (page.who) {
      page.who = "";
      page.state = "leaving";
    }
    if (!isNews || !tell(found)) follow();
  } else if (IN_MODULE && event) {
    wake(event);
  }
  // The history of the browser shows what is not for the person who is here now.
  if (!IN_MODULE && event?.persisted && !isOurs) reload();
  return isChange;
}

/**
 * Take the answer to a question.
 * @param {Answer} answer
 * @param {string} [asked] The moment when it was asked.
 */
function hear({ settings, offered, why, serverTime }, asked) {
  if (settings) {
    page.settings.app_id ??= settings.app_id;
    // Whatever was asked before somebody has left or come in another tab is void, and asked again.
    if (asked !== moment() && !isMarkerOf(whoIs(settings), markerNow())) return void (look() || wait(0));
    if (why) say(why);
    const isBack = page.state === "leaving" && whoIs(settings);
    receive(settings, true, serverTime);
    // The other tab may have told of a sign-out before the server knew it: ask once more.
    if (isBack) wait(12_000);
  } else if (why === 410) {
    signOut();
    page.state = "stopped";
  } else {
    if (offered && page.state === "somebody") expire();
    offer(offered);
    failed(why);
  }
}

/** Nobody has confirmed that it is still the same person, nor that it is another. */
function expire() {
  if (!isAsked()) say(EXPIRED);
  page.state = "unsure";
  close();
  offer();
}

// What they do

/** Show nobody's settings for the time being. @param {Settings} [offered] */
function offer(offered) {
  const nobody = displayOnly({ ...page.settings, ...page.display, ...offered });
  if (!page.isBooted && nobody.app_id) show(nobody);
}

/** Ask soon. Without a source nobody knows who has come: the Messenger stays closed until the next page. */
function follow() {
  if (IN_MODULE && isAsked()) wait(0);
  else if (!page.marker && !page.isBooted) receive({});
}

/** Tell the application. @param {string} found @returns {unknown} Whether the page is loaded again. */
function tell(found) {
  const detail = found ? "user-changed" : "signed-out";
  read("dispatchEvent").call(document, new CustomEvent(`${NAME}:stopped`, { detail }));
  if (IN_MODULE) {
    const { options } = page;
    queueMicrotask(() => options?.onChange?.(detail)); // what it throws is not ours
    // Two tabs whose servers disagree must not reload each other without end.
    const isDue = options?.reload && performance.now() > 5000;
    if (isDue) reload();
    return isDue;
  }
}

/** Load the page again. Without a network, the browser would show its own page for errors. */
function reload() {
  page.state = "stopped";
  if (IN_MODULE) renewFrom();
  if (navigator.onLine) location.reload();
  else addEventListener("online", reload, { once: true });
}

/** End the session in this tab. The widget may boot before it works off its queue, so its cookies go at once. */
function close() {
  end();
  for (const kind of ["session", "id", "device-id"]) writeCookie(`intercom-${kind}-${page.settings.app_id}`);
}

/**
 * Run this document from now on; the snippet, unless another script does already.
 * @returns {boolean | void} Whether the Messenger that was another script's is booted.
 */
export function run() {
  findPage();
  if (IN_MODULE ? page.accept === accept : page.accept) return;
  if (IN_MODULE) page.stop?.();
  Object.assign(page, { accept, leave: signOut });
  if (IN_MODULE) Object.assign(page, { stop: renewFrom, hear, expire });
  for (const name of ["storage", "pageshow", "visibilitychange", "focus", "online"]) addEventListener(name, look);
  return IN_MODULE && page.isBooted;
}
