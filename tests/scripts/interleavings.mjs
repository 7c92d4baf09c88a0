// Random interleavings of tabs, sign-ins, outages, sleeps and clocks; after each step, what must hold is looked at.
//
// node interleavings.mjs [SEQUENCES] [SEED]
import { HOUR, MINUTE, NEWS, Tab, World } from "./world.mjs";

const [sequences = 20_000, seed = 1] = process.argv.slice(2).map(Number);
const GRACE = MINUTE; // the deadline of a request, and a timer that is late
const YEAR = 365 * 24 * HOUR;

/** Numbers that look random and are the same for the same seed (mulberry32). */
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Violation extends Error {}

async function run(number) {
  const random = generator(number), pick = (...choices) => choices[Math.floor(random() * choices.length)];
  const clockError = pick(0, 0, 2 * HOUR, -2 * HOUR, 3 * YEAR, -3 * YEAR);
  const world = new World({ random, clockError, lifetime: pick(10 * MINUTE, HOUR, HOUR) });
  world.delay = () => random() * pick(50, 500, 20_000);
  const steps = [];
  let hasChanged = false; // somebody has come or left since the start
  const left = new Map(); // when each person was last known to have left, by some tab
  const known = () => {
    for (const user of ["ada", "grace"]) if (world.user !== user) left.set(user, world.now);
  };

  const fail = (what) => {
    throw new Violation(`${what}\n  sequence ${number} at ${world.now} ms, ${JSON.stringify({ clockError, user: world.user })}\n  ${steps.join("\n  ")}`);
  };

  /** Whoever has left, as some tab has noted, is not shown until the person is signed in again. */
  const watch = (tab, way) => {
    tab.awake = world.now;
    tab.onReload = () => {
      if (!hasChanged || !world.isOnline) fail("a reload");
      tab.close();
      open(way);
    };
    tab.onTold = (method, user) => {
      const latest = world.now - (tab.isFlushing ? NEWS : 0);
      if (user && user !== world.user && world.departures.some((time) => time >= world.changed && time < latest))
        fail(`${method} for ${user}, who has left`);
    };
  };
  const look = () => {
    for (const tab of world.tabs) {
      if (tab.isFrozen) continue;
      const isGone = world.departures.some((time) => time >= world.changed && time < world.now - 2 * NEWS);
      if (tab.shown && tab.shown !== world.user && isGone) fail(`${tab.shown}, who has left, is still shown`);
      const since = Math.max(tab.confirmed + world.lifetime, tab.awake);
      if (tab.shown && tab.messenger && world.now > since + GRACE) fail(`${tab.shown} is shown without an end`);
      if (!hasChanged && (tab.events.length || tab.reloads)) fail(`an event or a reload, though nobody has come or left: ${tab.events}`);
    }
  };
  const open = async (way) => {
    const tab = new Tab(world);
    watch(tab, way);
    const settings = world.settings(), options = { reload: pick(true, false) };
    if (way !== "application") {
      tab.isLoading = true;
      await world.pass(random() * pick(100, 10_000)); // on its way from the server
      tab.isLoading = false;
      tab.run(settings);
    }
    if (way === "snippet") return;
    const source = pick("/settings", () => world.request("/settings", { headers: { "X-Fin-Messenger": "1" } }));
    tab.start(source, options);
  };

  const some = () => pick(...world.tabs);
  const changeUser = async (user) => {
    hasChanged = true;
    const tab = some();
    if (tab.isFrozen || !world.isOnline || !tab.messenger) return;
    world.session(user);
    await world.pass(random() * 200);
    if (!user) tab.messenger.signedOut();
    else if (random() < 0.5) tab.messenger.signedIn();
    else tab.messenger.signedIn(() => world.request("/settings", { headers: { "X-Fin-Messenger": "1" } }));
  };
  const STEPS = {
    signIn: () => changeUser(pick("ada", "ada", "grace")),
    signOut: () => changeUser(null),
    sessionExpires() { hasChanged = true; world.session(null); },
    sleep() { some().isFrozen = true; },
    wake() {
      for (const tab of world.tabs.filter(({ isFrozen }) => isFrozen)) {
        tab.isFrozen = false;
        tab.awake = world.now;
        tab.raise("visibilitychange");
        tab.raise("focus");
      }
    },
    offline() { world.isOnline = false; },
    online() {
      world.isOnline = true;
      for (const tab of [...world.tabs]) if (!tab.isFrozen) tab.raise("online");
    },
    outage() { world.answer = () => pick({ status: 500 }, { status: 503, body: "{}" }, { status: 200, body: "<!doctype html>" }, { status: 200, isLost: true }); },
    repair() { world.answer = null; },
    focus() { const tab = some(); if (!tab.isFrozen) tab.raise("focus"); },
    clock() { world.clockError += pick(HOUR, -HOUR, YEAR); },
    route() { const tab = some(); if (!tab.isFrozen) tab.messenger?.routeChanged(); },
    refresh() { const tab = some(); if (!tab.isFrozen) tab.messenger?.refresh(); },
    signOutPage() {
      const tab = some();
      if (tab.isFrozen || tab.isLoading || !world.isOnline) return;
      hasChanged = true;
      world.session(null);
      tab.leave();
      tab.run(world.settings());
    },
    // Turbo brings a part of a page.
    async visit() {
      const tab = some(), settings = world.settings();
      if (tab.isFrozen || tab.isLoading || !world.isOnline) return;
      await world.pass(random() * pick(100, 10_000));
      if (!tab.isClosed && !tab.isFrozen) tab.run(settings);
    },
    open: () => world.tabs.length < 3 ? open(pick("page", "application", "snippet")) : undefined,
  };

  world.session(pick("ada", null));
  await open("application");
  await open(pick("page", "application", "snippet"));
  hasChanged = false;
  const names = Object.keys(STEPS), isCalm = random() < 0.3; // of the calm ones, the same person stays
  for (let count = 4 + Math.floor(random() * 12); count; count--) {
    const name = pick(...names);
    if (isCalm && ["signIn", "signOut", "signOutPage", "sessionExpires"].includes(name)) continue;
    const pause = random() * pick(10, 100, 1000, 30_000, 10 * MINUTE, 90 * MINUTE);
    steps.push(`${name}, then ${Math.round(pause)} ms`);
    await STEPS[name]();
    for (let part = 0; part < 3; part++) {
      await world.pass(pause / 3);
      look();
    }
  }

  // In the end, every tab shows whoever is signed in.
  Object.assign(world, { answer: null, isOnline: true, delay: () => 20 });
  STEPS.wake();
  STEPS.online();
  for (let part = 0; part < 10; part++) {
    await world.pass(10 * MINUTE);
    look();
  }
  for (const tab of world.tabs.filter(({ messenger }) => messenger))
    if (tab.shown !== (world.user ?? "")) fail(`in the end ${tab.shown || "nobody"} is shown`);
  return steps.length;
}

const start = process.hrtime.bigint();
let steps = 0;
for (let number = 0; number < sequences; number++) {
  try {
    steps += await run(seed * 1_000_003 + number);
  } catch (error) {
    console.error(error instanceof Violation ? error.message : error);
    process.exit(1);
  }
}
console.log(`${sequences} sequences, ${steps} steps, ${Number((process.hrtime.bigint() - start) / 1_000_000n)} ms`);
