// Every cell of the table in docs/reference/states.md: a tab is brought into the state, the event happens, and what the
// Messenger, the endpoint and the application see is compared with the words of the cell.
//
// node cells.mjs [--print]
import { readFileSync } from "node:fs";
import { HOUR, MINUTE, START, Tab, World } from "./world.mjs";

const PAGE = new URL("../../docs/reference/states.md", import.meta.url);
const SILENT = () => ({ status: 500 });
const MARKER = "fin-messenger-auth.shop";

/** Return a world in which a tab is in a state, and the tab. */
const STATES = {
  async nobody() { return started(null); },
  async booting() { return started("ada", SILENT); },
  async somebody() { return started("ada"); },
  async leaving() {
    const tab = await started("ada");
    tab.world.answer = SILENT;
    await elsewhere(tab, "");
    await tab.world.pass(100);
    return tab;
  },
  async unsure() {
    const tab = await started("ada");
    tab.world.answer = SILENT;
    await tab.world.pass(HOUR + MINUTE);
    return tab;
  },
  async stopped() { return started("ada", () => ({ status: 410, body: "{}" })); },
};

async function started(user, answer = null) {
  const world = new World({ random: () => 0.5 }), tab = new Tab(world);
  Object.assign(world, { user, answer });
  tab.start("/settings");
  await world.pass(100);
  return tab;
}

/** Another tab changes the marker. */
async function elsewhere(tab, marker) {
  const { world } = tab;
  if (marker) world.cookies.set(MARKER, marker);
  else world.cookies.delete(MARKER);
  world.storage["fin-messenger-auth"] = `; ${MARKER}=${marker}; ${START + world.now}`;
  tab.raise("storage", { key: "fin-messenger-auth", newValue: world.storage["fin-messenger-auth"] });
  await world.pass(10);
}

/** Ask, and get this answer. */
async function answered(tab, answer) {
  tab.world.answer = answer;
  tab.messenger.refresh();
  await tab.world.pass(100);
}

const settingsOf = (user) => (world) => ({ status: 200, body: JSON.stringify(world.settings(user)) });
const nobodysSettings = (status) => (world) => ({ status, body: JSON.stringify(world.settings(null)) });
const never = (tab) => { tab.world.delay = () => 1e6; };

// What happens, by the words of the table.
const EVENTS = {
  "the page has settings for nobody": (tab) => tab.run(tab.world.settings(null)),
  "the page has Ada's settings": (tab) => tab.run(tab.world.settings("ada")),
  "the page has Grace's settings": (tab) => tab.run(tab.world.settings("grace")),
  "the answer is for nobody": (tab) => answered(tab, settingsOf(null)),
  "the answer is for Ada": (tab) => answered(tab, settingsOf("ada")),
  "the answer is for Grace": (tab) => answered(tab, settingsOf("grace")),
  "`signedIn()`": (tab) => { never(tab); tab.messenger.signedIn(); },
  "`signedOut()`": (tab) => { never(tab); tab.messenger.signedOut(); },
  "`refresh()`": (tab) => { never(tab); tab.messenger.refresh(); },
  "another tab signs out": (tab) => { never(tab); return elsewhere(tab, ""); },
  "another tab signs Grace in": (tab) => { never(tab); return elsewhere(tab, "salt.grace"); },
  "no answer until the tokens expire": async (tab) => { tab.world.answer = SILENT; await tab.world.pass(HOUR + MINUTE); },
  "the answer is an error": (tab) => answered(tab, SILENT),
  "the answer is 503, with nobody's settings": (tab) => answered(tab, nobodysSettings(503)),
  "the answer is 410": (tab) => answered(tab, () => ({ status: 410 })),
  "the network comes back": (tab) => { never(tab); tab.raise("online"); },
  "the history shows the page again": (tab) => { never(tab); tab.raise("pageshow", { persisted: true }); },
};
const ANSWERS = Object.keys(EVENTS).filter((name) => name.startsWith("the answer"));

/** Say in the words of the table what was seen. */
async function cell(state, event) {
  const tab = await STATES[state](), { world } = tab;
  if (tab.page.state !== state) throw new Error(`expected the state ${state}, got ${tab.page.state}`);
  const before = { told: tab.told.length, asked: world.asked, events: tab.events.length };
  await EVENTS[event](tab);
  await world.pass(20);
  const names = { ada: "Ada", grace: "Grace", null: "nobody" };
  const seen = tab.told.slice(before.told).map(([method, user]) => method === "shutdown" ? "shut down" : `${method} ${names[user]}`);
  if (tab.events.length > before.events) seen.push("tell");
  // Questions that are on their way; those whose answer the row is about are not meant.
  const questions = world.asked - before.asked + world.tasks.filter(({ isRequest }) => isRequest).length;
  if (questions && !ANSWERS.includes(event)) seen.push("ask");
  if (tab.page.state !== state) seen.push(`→ ${tab.page.state}`);
  return seen.join(", ") || "–";
}

const found = {};
for (const event of Object.keys(EVENTS)) {
  found[event] = {};
  for (const state of Object.keys(STATES)) found[event][state] = await cell(state, event);
}
if (process.argv.includes("--print")) {
  console.log(`| event | ${Object.keys(STATES).join(" | ")} |\n|---${"|---".repeat(6)}|`);
  for (const [event, cells] of Object.entries(found)) console.log(`| ${event} | ${Object.values(cells).join(" | ")} |`);
} else {
  const rows = readFileSync(PAGE, "utf8").split("\n").filter((line) => line.startsWith("|")).slice(8).map((line) => line.split("|").slice(1, -1).map((part) => part.trim()));
  const [states, , ...events] = rows;
  let cells = 0;
  for (const [event, ...words] of events)
    words.forEach((expected, index) => {
      const state = states[index + 1], seen = found[event]?.[state];
      cells++;
      if (seen === expected) return;
      console.error(`${state}, ${event}: the table says "${expected}", and "${seen}" was seen`);
      process.exitCode = 1;
    });
  if (events.length !== Object.keys(EVENTS).length) throw new Error("a row of the table is missing");
  console.log(`${cells} cells`);
}
