// Asks for settings: at the start, before the tokens expire, and whenever somebody may have come or left.
import { displayOnly, whoIs } from "./identity.js";
import {
  close, departed, hooks, look as lookAtMarker, makeTicket, receive, say, setState, signOut, state, turn,
} from "./page.js";
import { answerOf } from "./source.js";
import { elapsed, timeLeft } from "./time.js";
import { isBooted, settings, show } from "./widget.js";

/**
 * @typedef {import("./identity.js").Settings} Settings
 * @typedef {import("./source.js").Source} Source
 */

// At most so many renewals in half an hour, however short the tokens' lifetime is.
const RENEWALS = 8, PERIOD = 1_800_000;

/** @type {Source | undefined} */
let source;
/** The last question, until its end. @type {Promise<void> | undefined} */
export let asked;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let isAsking = false, asks = 0, failures = 0;
let due = Infinity, expiry = Infinity; // of the stopwatch
let tokens = ""; // those that the expiry is of
/** @type {number | undefined} Of the answer that is being taken. */
let serverTime;
/** @type {number[]} */
const renewals = [];

/** @param {Source | undefined} given */
export function setSource(given) {
  source = given;
  hooks.follow = given && (() => wait(0));
}

/** @param {Source | undefined} given */
export function startRenewal(given) {
  stopRenewal();
  setSource(given);
  hooks.plan = plan;
  hooks.look = look;
}

export function stopRenewal() {
  setSource(undefined);
  hooks.plan = hooks.look = undefined;
  clearTimeout(timer);
  asks++; // what is on its way is void
  failures = 0;
  isAsking = false;
}

// When

/** @param {number} pause */
function wait(pause) {
  due = Math.max(elapsed() + pause, (renewals[renewals.length - RENEWALS] ?? -Infinity) + PERIOD);
  look();
}

/** Plan the next renewal, after what the Messenger has just been told. */
export function plan() {
  if (state !== "somebody") {
    due = expiry = Infinity;
    tokens = "";
    return look();
  }
  const isNew = tokens !== tokensOf(settings);
  // However little time they have, there is some to renew them.
  if (isNew) expiry = elapsed() + Math.max(timeLeft(settings, serverTime), source ? 3000 : 0);
  tokens = tokensOf(settings);
  // Between 70 and 85 % of the time that is left, so that many tabs do not come at once.
  const pause = (expiry - elapsed()) * (0.7 + 0.15 * Math.random());
  wait(source ? Math.max(pause, isNew ? 1000 : 30_000) : Infinity);
}

/**
 * See what the time says. Timers stand still in a tab that sleeps, so whatever wakes it looks, too.
 * @param {Event} [event]
 */
function look(event) {
  clearTimeout(timer);
  if (isAsking) return;
  const now = elapsed();
  if (now >= due || failures && event?.type === "online") return void (asked = ask());
  if (now >= expiry && state === "somebody") expire();
  const next = Math.min(due, state === "somebody" ? expiry : Infinity);
  if (next < Infinity) timer = setTimeout(look, Math.min(next - now, 2 ** 31 - 1));
}

/** Nobody has confirmed that it is still the same person, nor that it is another. @param {Settings} [offered] */
function expire(offered) {
  if (!source) say("the tokens have expired. A function as source is asked for new ones.");
  setState("unsure");
  close();
  offer(offered);
}

/** Show nobody's settings for the time being. @param {Settings} [offered] */
function offer(offered) {
  const nobody = displayOnly({ ...settings, ...hooks.display, ...offered });
  if (!isBooted && nobody.app_id) show(nobody);
}

// What

export const askNow = () => (asked = ask());

async function ask() {
  if (!source || state === "stopped") return;
  const mine = ++asks, then = turn, isVoid = makeTicket();
  clearTimeout(timer);
  isAsking = true;
  due = Infinity;
  const answer = await answerOf(source);
  if (mine !== asks) return;
  isAsking = false;
  if (then !== turn) return look(); // something has happened here since, and has planned what follows
  if (isVoid(answer.settings ?? {})) {
    lookAtMarker();
    if (mine === asks) wait(0);
    return;
  }
  if (answer.settings && tokensOf(answer.settings) === tokens && elapsed() >= expiry) {
    [answer.settings, answer.why] = [undefined, "its tokens have expired: is the answer cached?"];
  }
  if (answer.settings) {
    const person = whoIs(answer.settings), isBack = state === "leaving" && person && person === departed;
    failures = 0;
    renewals.push(elapsed());
    serverTime = answer.serverTime;
    receive(answer.settings, true);
    serverTime = 0;
    // What another tab said may have come before the server knew it: ask once more.
    if (isBack) wait(10_000);
  } else if (answer.why === 410) {
    setState("stopped");
    failures = 0;
    signOut();
  } else {
    if (!failures++) say(`no settings: ${answer.why}`);
    if (answer.offered && state === "somebody") expire(answer.offered);
    else if (answer.offered || !turn) offer(answer.offered);
    wait(Math.min(5000 * 2 ** (failures - 1), 300_000) * (0.75 + Math.random() / 2));
  }
}

/** @param {Settings} settings */
const tokensOf = ({ intercom_user_jwt, salesforce_identity_token }) => `${intercom_user_jwt} ${salesforce_identity_token}`;
