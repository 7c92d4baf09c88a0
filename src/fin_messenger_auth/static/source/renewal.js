// Asks who is signed in, before the tokens expire. What an answer means, page.js decides.
import { answerOf, say } from "./source.js";
import { moment } from "./tabs.js";
import { elapsed, pauseAfter, timeLeft } from "./time.js";
import { page } from "./widget.js";

/**
 * @typedef {import("./source.js").Answer} Answer
 * @typedef {import("./source.js").Source} Source
 */

/** How long an answer can take, in milliseconds. */
const DEADLINE = 15_000;
// At most so many answers in half an hour, however short the tokens' lifetime is, and however servers disagree.
const RENEWALS = 8;
export const EXPIRED = "the tokens have expired; pass a URL, or a function that returns new ones";

/** @type {Source | undefined} */
let source;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** The question that has no answer yet; whatever makes it void takes it away. @type {AbortController | undefined} */
let question;
let failures = 0;
/** @type {number[]} */
const renewals = [];
let due = Infinity, expiry = Infinity; // of the stopwatch
/** The token that the expiry is of. @type {unknown} */
let jwt;

/** Ask this source from now on, or no more, and drop what is on its way. @param {Source} [given] */
export function renewFrom(given) {
  source = given;
  jwt = question = undefined;
  due = expiry = Infinity;
  failures = 0;
  clearTimeout(timer);
}

export const isAsked = () => source;

/** Plan the next renewal, after what the Messenger has just been told. @param {number} [serverTime] */
export function plan(serverTime) {
  failures = 0;
  const { intercom_user_jwt: token } = page.settings;
  // However little time they have, there is some to renew them.
  if (jwt !== token) expiry = elapsed() + Math.max(timeLeft(page.settings, serverTime), 3000);
  jwt = token;
  wait(source ? Math.max(expiry - elapsed(), 1500) : Infinity);
}

/**
 * Ask within so many milliseconds, and drop what is on its way: after 70 to 85 % of them, so that many tabs do not come at
 * once.
 * @param {number} time
 */
export function wait(time) {
  question = undefined;
  due = elapsed() + Math.max(time * (0.7 + 0.15 * Math.random()), pauseAfter(renewals, RENEWALS));
  wake();
}

/** Ask again later, and say why; the first time only. @param {unknown} why */
export function failed(why) {
  if (!failures) say(`no settings: ${why}`);
  wait(6000 * 2 ** Math.min(failures++, 6));
}

/**
 * See what is due. Timers stand still in a tab that sleeps, so whatever wakes it comes here, too.
 * @param {Event} [event]
 */
export function wake(event) {
  clearTimeout(timer);
  const now = elapsed();
  if (question && now >= due) {
    question.abort();
    return page.hear({ why: "no answer in 15 seconds" });
  }
  if (now >= due || failures && event?.type === "online") return void ask();
  if (now >= expiry && page.state === "somebody") page.expire();
  const next = page.state === "somebody" ? Math.min(due, expiry) : due;
  timer = setTimeout(wake, Math.min(next - now, 1e9));
}

/** Ask who is signed in now. */
export async function ask() {
  if (!source || page.state === "stopped") return;
  const mine = question = new AbortController(), asked = moment();
  due = elapsed() + DEADLINE;
  wake();
  let answer = await answerOf(source, mine.signal);
  // A tab that was frozen may get an answer of hours ago.
  if (mine !== question || elapsed() >= due) return wake();
  question = undefined;
  due = Infinity;
  if (answer.settings) {
    renewals.push(performance.now());
    const isOld = answer.settings.intercom_user_jwt === jwt && elapsed() >= expiry;
    if (isOld) answer = { why: EXPIRED };
  }
  page.hear(answer, asked);
}
