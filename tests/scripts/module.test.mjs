// What an application sees of the module, in a browser without a screen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { APP, HOUR, MINUTE, Tab, World, token } from "./world.mjs";

const DAY = 24 * HOUR, YEAR = 365 * DAY;
const ADA = [["boot", "ada"]];

async function started({ user = "ada", source = "/settings", options = {}, page, tab: how, ...world } = {}) {
  const made = new World({ random: () => 0.5, ...world }), tab = new Tab(made, how);
  Object.assign(made, { user, ...world });
  if (page) tab.run(made.settings());
  tab.start(source, options);
  await made.pass(100);
  return { world: made, tab };
}
const endpoint = (world) => ({ signal }) => world.request("/settings", { signal, headers: { "X-Fin-Messenger": "1" } });

// The same person stays

for (const [name, breaks, repairs] of [
  ["no network", (world) => { world.isOnline = false; }, (world, tab) => { world.isOnline = true; tab.raise("online"); }],
  ["503", (world) => { world.answer = () => ({ status: 503, body: "{}" }); }, (world) => { world.answer = null; }],
  ["signing fails", (world) => { world.answer = () => ({ status: 503, body: JSON.stringify(APP) }); }, (world) => { world.answer = null; }],
])
  test(`an outage that is longer than the tokens sets off nothing: ${name}`, async () => {
    const changes = [], { world, tab } = await started({ options: { reload: true, onChange: (change) => changes.push(change) } });
    breaks(world);
    await world.pass(3 * HOUR);
    assert.equal(tab.shown, "");
    tab.raise("focus");
    tab.raise("pageshow", { persisted: true });
    await world.pass(MINUTE);
    repairs(world, tab);
    await world.pass(10 * MINUTE);
    assert.equal(tab.shown, "ada");
    assert.deepEqual([changes, tab.events, tab.reloads], [[], [], 0]);
  });

test("another person after an outage is told of, and the page is loaded again once the server can be reached", async () => {
  const { world, tab } = await started({ options: { reload: true } });
  world.isOnline = false;
  await world.pass(3 * HOUR);
  world.session("grace");
  tab.raise("focus");
  await world.pass(MINUTE);
  assert.equal(tab.reloads, 0);
  world.isOnline = true;
  tab.raise("online");
  await world.pass(1000);
  assert.deepEqual([tab.events, tab.reloads], [["user-changed"], 1]);
});

// Time

for (const clockError of [0, 2 * HOUR, -2 * HOUR, 5 * YEAR, -5 * YEAR])
  for (const [way, source] of [["endpoint", () => "/settings"], ["function", (world) => async () => world.settings()], ["page", () => "/settings"]])
    test(`tokens are renewed in time by a clock that is off by ${clockError / HOUR} hours: ${way}`, async () => {
      const world = new World({ clockError, random: () => 0.5 }), tab = new Tab(world);
      world.session("ada");
      if (way === "page") tab.run(world.settings());
      tab.start(source(world));
      await world.pass(40 * MINUTE);
      assert.equal(tab.told.length, 1);
      for (let hour = 0; hour < 5; hour++) {
        await world.pass(HOUR);
        assert.ok(tab.confirmed + HOUR > world.now, "the tokens have expired");
      }
      assert.equal(tab.shown, "ada");
      assert.deepEqual(tab.told.filter(([method]) => method === "shutdown"), []);
      world.session(null);
      await world.pass(HOUR);
      assert.equal(tab.shown, "");
    });

test("a clock that is set in the meantime changes nothing", async () => {
  const { world, tab } = await started();
  for (const step of [YEAR, -2 * YEAR, HOUR, -HOUR]) {
    world.clockError += step;
    tab.raise("focus");
    await world.pass(50 * MINUTE);
    assert.equal(tab.shown, "ada");
    assert.ok(tab.confirmed + HOUR > world.now);
  }
});

test("a tab that slept asks when it wakes", async () => {
  const { world, tab } = await started();
  tab.isFrozen = true;
  world.session(null);
  await world.pass(8 * HOUR);
  tab.isFrozen = false;
  tab.raise("visibilitychange");
  await world.pass(1000);
  assert.equal(tab.shown, "");
  assert.deepEqual(tab.events, ["signed-out"]);
});

test("a function that gives the same tokens for ever does not keep a user for ever", async () => {
  const world = new World(), tab = new Tab(world);
  const stale = world.settings("ada");
  tab.start(() => stale);
  await world.pass(3 * HOUR);
  assert.equal(tab.shown, "");
  assert.match(tab.lines.join(), /expired.*returns new ones/);
});

test("settings alone end with their tokens", async () => {
  const world = new World(), tab = new Tab(world);
  tab.start(world.settings("ada"));
  await world.pass(30 * MINUTE);
  assert.equal(tab.shown, "ada");
  await world.pass(HOUR);
  assert.equal(tab.shown, "");
  assert.match(tab.lines.join(), /function/);
});

// What a front end sets

test("display settings stay over renewal, sign-out and sign-in", async () => {
  const { world, tab } = await started({ options: { settings: { hide_default_launcher: true, z_index: 3 } } });
  tab.messenger.update({ z_index: 7, language_override: "de" });
  assert.deepEqual(tab.told, [["boot", "ada"], ["update", "ada"]]);
  const display = ({ hide_default_launcher, z_index, language_override }) => [hide_default_launcher, z_index, language_override];
  await world.pass(HOUR);
  assert.deepEqual(display(tab.lastSettings), [true, 7, "de"]);
  assert.ok(tab.lastSettings.intercom_user_jwt);
  world.session(null);
  tab.messenger.signedOut();
  await world.pass(100);
  assert.deepEqual([tab.shown, ...display(tab.lastSettings)], ["", true, 7, "de"]);
  world.session("grace");
  tab.messenger.signedIn();
  await world.pass(100);
  assert.deepEqual([tab.shown, ...display(tab.lastSettings)], ["grace", true, 7, "de"]);
});

test("a front end sets nothing of a person", async () => {
  const { tab } = await started({ options: { settings: { email: "ada@shop.example", z_index: 3 } } });
  assert.deepEqual([tab.lastSettings.email, tab.lastSettings.z_index], [undefined, 3]);
  assert.match(tab.lines.join(), /email/);
  assert.doesNotMatch(tab.lines.join(), /shop\.example/);
});

test("changes of route are sent until the platform would throttle, and the last one later", async () => {
  const { world, tab } = await started();
  for (let route = 0; route < 100; route++) {
    tab.messenger.routeChanged();
    await world.pass(1000);
  }
  const updates = () => tab.told.filter(([method]) => method === "update").length;
  assert.ok(updates() >= 10 && updates() < 20, `${updates()} updates`);
  const before = updates();
  await world.pass(31 * MINUTE);
  assert.ok(updates() > before && updates() - before <= 2);
});

test("a page that swaps its body with each visit is throttled, too", async () => {
  const world = new World({ random: () => 0.5 }), tab = new Tab(world);
  for (let visit = 0; visit < 100; visit++) {
    tab.run(world.settings("ada"), `visit ${visit}`);
    await world.pass(1000);
  }
  assert.ok(tab.told.length >= 10 && tab.told.length < 20, `${tab.told.length} calls`);
});

// The widget

test("an application hears that the widget has come, or that it has not", async () => {
  for (const blocked of [false, true]) {
    const heard = [];
    const options = { onLoad: () => heard.push("load"), onLoadFailed: () => heard.push("failed") };
    const { tab } = await started({ tab: { blocked }, options });
    assert.deepEqual(heard, [blocked ? "failed" : "load"]);
    tab.window.Intercom("show"); // it is a function in any case
  }
});

test("who comes late hears it, too", async () => {
  const world = new World(), tab = new Tab(world), heard = [];
  tab.run(world.settings("ada"));
  await world.pass(100);
  tab.start("/settings", { onLoad: () => heard.push("load") });
  await world.pass(100);
  assert.deepEqual(heard, ["load"]);
});

test("a widget that comes after a sign-out is not told who was there", async () => {
  const world = new World(), tab = new Tab(world);
  tab.load = () => {};
  tab.run(world.settings("ada"));
  tab.leave();
  tab.run(world.settings(null));
  assert.deepEqual(tab.window.Intercom.q.map(([method, settings]) => [method, settings?.user_id]), [["shutdown", undefined], ["boot", undefined]]);
});

// The endpoint

test("410 ends the Messenger, and nothing more is asked until a sign-in", async () => {
  const { world, tab } = await started();
  world.answer = () => ({ status: 410 });
  tab.messenger.refresh();
  await world.pass(100);
  assert.deepEqual(tab.told, [...ADA, ["shutdown", null]]);
  const { asked } = world;
  tab.raise("focus");
  tab.raise("online");
  tab.messenger.refresh();
  tab.messenger.routeChanged();
  await world.pass(DAY);
  assert.deepEqual([world.asked, tab.events, tab.lines], [asked, [], []]);
  world.answer = null;
  tab.messenger.signedIn();
  await world.pass(100);
  assert.equal(tab.shown, "ada");
});

test("without an answer at the first load, the options show an anonymous Messenger", async () => {
  const { tab, world } = await started({ answer: () => ({ status: 503, body: "{}" }), options: { settings: APP } });
  assert.deepEqual(tab.told, [["boot", null]]);
  world.answer = null;
  await world.pass(MINUTE);
  assert.equal(tab.shown, "ada");
  assert.deepEqual(tab.events, []);
});

for (const [name, answer, expected] of [
  ["a page", { status: 200, body: " <!doctype html>" }, /page.*proxy/],
  ["an error", { status: 500 }, /no settings: 500$/],
  ["settings by another name", { status: 200, body: '{"token": "x"}' }, /neither settings/],
  ["403", { status: 403, body: "{}" }, /403.*log/],
  ["a slash too few", { status: 0 }, /redirect.*exact/],
])
  test(`the console says what is wrong, once: ${name}`, async () => {
    const { world, tab } = await started({ answer: () => answer });
    await world.pass(10 * MINUTE);
    assert.equal(tab.lines.length, 1);
    assert.match(tab.lines[0], expected);
  });

test("the console says what another origin needs", async () => {
  const { tab } = await started({ source: "https://api.other.example/settings", answer: () => ({ status: 200, isLost: true }) });
  assert.match(tab.lines.join(), /another origin.*origins=/);
});

test("the console says what a function returns", async () => {
  for (const given of [undefined, "settings", { status: 200, headers: {}, data: APP }]) {
    const { tab } = await started({ source: () => given });
    assert.match(tab.lines.join(), /neither settings nor null/);
  }
});

test("what an application throws stops nothing", async () => {
  const { world, tab } = await started({ options: { onChange() { throw new Error("the application's"); } } });
  world.session("grace");
  tab.messenger.refresh();
  await world.pass(100);
  assert.deepEqual([tab.shown, tab.lines], ["grace", ["the application's"]]);
});

test("another source than a URL, settings or a function is refused", async () => {
  for (const source of [null, 5, { user_id: "ada" }]) {
    await assert.rejects(new Tab(new World()).start(source), /expected a URL, a function or settings/);
  }
});

// Two copies of the module in one document, as after a hot update, or in two bundles

test("the second copy of the module takes over, and the first does nothing any more", async () => {
  const { world, tab } = await started();
  const { asked } = world;
  tab.startMessenger = undefined;
  tab.start();
  await world.pass(100);
  assert.deepEqual([world.asked, tab.told], [asked, ADA]);
  world.session("grace");
  tab.messenger.signedIn();
  await world.pass(2 * HOUR);
  assert.equal(tab.shown, "grace");
  assert.deepEqual(tab.told.filter(([, user]) => user === "ada"), ADA);
  assert.equal(tab.told.filter(([method]) => method === "shutdown").length, 1);
});

// A person who has left

test("a stored page that the snippet has run before the module signs nobody in again", async () => {
  const world = new World(), tab = new Tab(world);
  world.session("ada");
  tab.run(world.settings(), "1");
  tab.start();
  await world.pass(100);
  world.session(null);
  tab.run(world.settings());
  await world.pass(100);
  tab.run(world.settings("ada"), "1");
  await world.pass(100);
  assert.equal(tab.shown, "");
  assert.deepEqual(tab.told.filter(([, user]) => user), ADA);
});

for (const [way, source] of [["endpoint", () => "/settings"], ["function", endpoint]])
  for (const where of ["in another tab", "here"])
    test(`an answer that was asked for before a sign-out is dropped: ${way}, ${where}`, async () => {
      const world = new World({ random: () => 0.5 }), tab = new Tab(world), other = new Tab(world);
      world.session("ada");
      world.delay = () => 4000;
      tab.start(source(world));
      await world.pass(3000); // Ada's settings are on their way back
      world.session(null);
      world.delay = () => 20;
      if (where === "here") tab.messenger.signedOut();
      else other.leave();
      await world.pass(MINUTE);
      assert.equal(tab.shown, "");
      assert.deepEqual(tab.told.filter(([, user]) => user), []);
      assert.equal(world.cookies.size, 0);
    });

test("a page that was asked for before a sign-out boots nobody", async () => {
  const world = new World(), tab = new Tab(world), other = new Tab(world);
  const late = world.settings("ada"); // on its way to `tab`
  await world.pass(1000);
  other.leave();
  await world.pass(100);
  tab.run(late);
  await world.pass(100);
  assert.deepEqual(tab.told, [["boot", null]]);
});

test("a part of a page that was asked for before a sign-out in another tab boots nobody", async () => {
  const world = new World(), tab = new Tab(world), other = new Tab(world);
  tab.run(world.settings("ada"));
  other.run(world.settings("ada"));
  const late = world.settings("ada");
  await world.pass(100);
  other.leave();
  await world.pass(100);
  tab.run(late);
  await world.pass(100);
  assert.equal(tab.shown, "");
  assert.equal(tab.told.at(-1)[1], null);
});

test("a sign-out in a tab that does not know its workspace yet reaches the others", async () => {
  const { world, tab } = await started();
  const second = new Tab(world);
  world.answer = () => ({ status: 500 });
  second.start();
  await world.pass(100);
  world.session(null);
  world.answer = null;
  second.messenger.signedOut();
  await world.pass(1000);
  assert.equal(tab.shown, "");
  assert.deepEqual(tab.events, ["signed-out"]);
});

test("a sign-in takes a function, which is asked from then on", async () => {
  const { world, tab } = await started({ user: null });
  let asked = 0;
  tab.messenger.signedIn(() => {
    asked++;
    return world.settings("grace");
  });
  await world.pass(50 * MINUTE);
  assert.deepEqual([tab.shown, asked], ["grace", 2]);
});

// Intercom's own form: the JWT alone

test("settings with the JWT and no user_id are a signed-in user's", async () => {
  const world = new World(), tab = new Tab(world);
  const alone = (user) => ({ ...APP, intercom_user_jwt: token({ user_id: user, exp: 2e9 }) });
  tab.run(alone("zoë"), "1");
  tab.run(alone("zoë"), "2");
  assert.equal(world.cookies.size, 1);
  tab.run({ ...alone("zoë"), user_id: "zoë" }, "3");
  tab.run(alone("grace"), "4");
  await world.pass(100);
  assert.deepEqual(tab.told.map(([method]) => method), ["shutdown", "boot"]);
  tab.run(world.settings(null));
  assert.equal(tab.told.at(-2)[0], "shutdown");
  assert.equal(world.cookies.size, 0);
});

test("a token that cannot be read is somebody's all the same", async () => {
  const world = new World(), tab = new Tab(world);
  tab.run({ ...APP, intercom_user_jwt: "x" }, "1");
  assert.equal(world.cookies.size, 1);
});

// Interleavings that were thought up to break it

test("an answer that a frozen tab kept for hours is not believed", async () => {
  const { world, tab } = await started();
  world.delay = () => 4000;
  tab.messenger.refresh();
  await world.pass(3000); // Ada's settings have left the server
  tab.isFrozen = true;
  world.session(null);
  world.delay = () => 20;
  await world.pass(8 * HOUR);
  tab.isFrozen = false;
  await world.pass(100); // the answer is there before anything has woken the tab
  assert.deepEqual([tab.shown, tab.told.filter(([, user]) => user)], ["", ADA]);
});

for (const way of ["answer", "page"])
  test(`the ${way} for nobody from before a sign-in in another tab signs nobody out`, async () => {
    const world = new World({ random: () => 0.5 }), tab = new Tab(world), other = new Tab(world);
    const late = world.settings();
    world.delay = () => 4000;
    if (way === "answer") tab.start();
    await world.pass(3000);
    world.session("grace");
    world.delay = () => 20;
    other.run(world.settings());
    await world.pass(100);
    if (way === "page") {
      tab.run(late);
      tab.start();
    }
    await world.pass(MINUTE);
    assert.deepEqual([tab.shown, other.shown], ["grace", "grace"]);
    assert.deepEqual(other.told, [["boot", "grace"]]);
  });

test("a question of the first tab is not void because a second tab renews for the same person", async () => {
  const { world, tab } = await started(), other = new Tab(world);
  world.delay = () => 4000;
  tab.messenger.refresh();
  await world.pass(1000);
  other.run(world.settings());
  other.run(world.settings());
  await world.pass(10_000);
  assert.deepEqual([world.asked, tab.told.length, tab.events], [2, 2, []]);
});

test("whoever leaves and comes back while a question is on its way is there", async () => {
  const { world, tab } = await started(), other = new Tab(world);
  world.delay = () => 4000;
  tab.messenger.refresh();
  await world.pass(3000);
  other.leave();
  await world.pass(10);
  other.run(world.settings("ada"));
  world.delay = () => 20;
  await world.pass(MINUTE);
  assert.equal(tab.shown, "ada");
});

test("a site that clears its storage at a sign-out loses no guard", async () => {
  const world = new World({ random: () => 0.5 }), tab = new Tab(world), other = new Tab(world);
  world.session("ada");
  world.delay = () => 4000;
  tab.start();
  other.start(() => null);
  await world.pass(3000); // Ada's settings are on their way to the first tab
  world.session(null);
  world.delay = () => 20;
  other.messenger.signedOut();
  for (const name in world.storage) delete world.storage[name];
  await world.pass(MINUTE);
  assert.equal(tab.shown, "");
  assert.deepEqual(tab.told.filter(([, user]) => user), []);
});

test("a sign-out in another workspace of the origin is none here", async () => {
  const { world, tab } = await started(), other = new Tab(world);
  other.run({ ...world.settings("grace"), app_id: "club" });
  await world.pass(100);
  other.leave("club");
  await world.pass(MINUTE);
  assert.deepEqual([tab.told, tab.events, world.asked], [ADA, [], 1]);
});

test("two tabs whose servers disagree come to rest", async () => {
  const world = new World({ random: () => 0.5 }), tab = new Tab(world), other = new Tab(world);
  tab.start(() => { world.asked++; return world.settings("ada"); });
  other.start(() => { world.asked++; return world.settings("grace"); });
  await world.pass(30 * MINUTE);
  assert.ok(world.asked <= 20, `${world.asked} questions`);
  for (const { told } of [tab, other]) assert.ok(told.length <= 60, `${told.length} calls`);
});

test("a page of the history whose person was replaced shows the next, and is not loaded again while offline", async () => {
  const { world, tab } = await started({ options: { reload: true } }), other = new Tab(world);
  await world.pass(10_000);
  tab.isFrozen = true;
  world.session("grace");
  other.leave();
  other.run(world.settings());
  await world.pass(MINUTE);
  world.isOnline = false;
  tab.isFrozen = false;
  tab.raise("pageshow", { persisted: true });
  await world.pass(1000);
  assert.deepEqual([tab.shown, tab.reloads], ["", 0]);
  world.isOnline = true;
  tab.raise("online");
  await world.pass(1000);
  assert.deepEqual([tab.shown, tab.reloads], ["", 1]);
});

test("a visit that signs somebody in right after a sign-out in the same document is no late one", async () => {
  const world = new World(), tab = new Tab(world);
  await world.pass(1000);
  tab.run(world.settings("ada"), "1");
  await world.pass(1000);
  tab.leave();
  tab.run(world.settings(null));
  await world.pass(1000);
  tab.run(world.settings("ada"), "2");
  await world.pass(100);
  assert.equal(tab.shown, "ada");
});

test("a departure that a wrong clock dated years ahead makes no page late", async () => {
  const world = new World({ clockError: 3 * YEAR }), other = new Tab(world);
  other.run(world.settings("ada"));
  other.leave();
  world.clockError = 0;
  await world.pass(HOUR);
  const tab = new Tab(world);
  await world.pass(1000);
  tab.run(world.settings("ada"));
  await world.pass(100);
  assert.equal(tab.shown, "ada");
});

test("without storage, the cookie alone voids an answer", async () => {
  const { world, tab } = await started(), other = new Tab(world);
  for (const each of [tab, other]) each.hasStorage = false;
  world.delay = () => 4000;
  tab.messenger.refresh();
  await world.pass(3000);
  world.session(null);
  world.delay = () => 20;
  other.leave();
  await world.pass(MINUTE);
  assert.equal(tab.shown, "");
  assert.deepEqual(tab.events, ["signed-out"]);
});
