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

/** @type {Source | undefined} */
let source;
/** @type {(answer: Answer, asked?: string) => void} */
let hear;
/** @type {() => void} */
let expire;
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

/**
 * Ask this source from now on.
 * @param {Source | undefined} given
 * @param {typeof hear} onAnswer
 * @param {typeof expire} onExpiry
 */
export function renewFrom(given, onAnswer, onExpiry) {
  source = given;
  hear = onAnswer;
  expire = onExpiry;
}

export const isAsked = () => source;

/** Ask no more, and drop what is on its way. */
export function stop() {
  source = jwt = question = undefined;
  due = expiry = Infinity;
  failures = 0;
  clearTimeout(timer);
}

/** Plan the next renewal, after what the Messenger has just been told. @param {number} [serverTime] */
export function plan(serverTime) {
  failures = 0;
  const { intercom_user_jwt: token } = page.settings, isNew = jwt !== token;
  jwt = page.who && token;
  if (!page.who) expiry = Infinity;
  else if (isNew) expiry = elapsed() + timeLeft(page.settings, serverTime);
  // Between 70 and 85 % of the time that is left, so that many tabs do not come at once.
  const pause = (expiry - elapsed()) * (0.7 + 0.15 * Math.random());
  wait(source ? Math.max(pause, isNew ? 1000 : 30_000) : Infinity);
}

/** Ask after so many milliseconds, and drop what is on its way. @param {number} pause */
export function wait(pause) {
  question = undefined;
  due = elapsed() + Math.max(pause, pauseAfter(renewals, RENEWALS));
  wake();
}

/** Ask again later, and say why; the first time only. @param {unknown} why */
export function failed(why) {
  if (!failures) say(`no settings: ${why}`);
  wait(5000 * 2 ** Math.min(failures++, 6) * (0.75 + Math.random() / 2));
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
    return hear({ why: "no answer in 15 seconds" });
  }
  if (now >= due || !question && failures && event?.type === "online") return void ask();
  if (now >= expiry && page.state === "somebody") {
    if (!source) say("the tokens have expired; only a URL or a function as source gives new ones");
    expire();
  }
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
  if (mine !== question) return;
  question = undefined;
  due = Infinity;
  if (answer.settings) {
    renewals.push(performance.now());
    const isOld = answer.settings.intercom_user_jwt === jwt && elapsed() >= expiry;
    if (isOld) answer = { why: "its tokens have expired; is the answer cached?" };
  }
  hear(answer, asked);
}
