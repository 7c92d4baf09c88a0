// A browser without a screen: tabs that share cookies and storage, a server, a network and clocks, all of which
// a test moves. The scripts in it are those that are shipped.
import { readFileSync } from "node:fs";

const STATIC = new URL("../../src/fin_messenger_auth/static/", import.meta.url);
const GLOBALS = [
  ..."globalThis window document Document EventTarget CustomEvent location navigator performance Date Math".split(" "),
  ..."setTimeout clearTimeout queueMicrotask fetch localStorage addEventListener console".split(" "),
];
const read = (name) => readFileSync(new URL(name, STATIC), "utf8");
const MODULE = new Function(...GLOBALS, read("fin-messenger-auth.js").replace(/export\{(\S+) as startMessenger\};\s*$/, "return $1"));
const SNIPPET = new Function(...GLOBALS, `return ${read("snippet.min.js")}`);

export const APP = { app_id: "shop", api_base: "https://api-iam.intercom.io" };
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** How long news between tabs can be on its way. */
export const NEWS = 5;
export const START = 1_800_000_000_000;

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
export const token = (claims) => `${encoded({})}.${encoded(claims)}.c2ln`;

/** What happens in the course of time, in its order. */
export class World {
  constructor({ random = Math.random, lifetime = HOUR, clockError = 0 } = {}) {
    Object.assign(this, { random, lifetime, clockError });
    this.now = 0; // true milliseconds
    this.tasks = [];
    this.number = 0;
    this.cookies = new Map();
    this.storage = {};
    this.tabs = [];
    this.isOnline = true;
    this.user = null; // whose session it is, on the server
    this.changed = 0; // when that was last changed
    this.departures = []; // when a tab noted that somebody leaves
    this.answer = null; // what the endpoint answers in place of settings
    this.delay = () => 20;
    this.asked = 0;
  }

  settings(user = this.user) {
    if (!user) return { ...APP };
    const iat = Math.floor((START + this.now) / 1000), exp = iat + this.lifetime / 1000;
    return {
      ...APP, user_id: user, intercom_user_jwt: token({ user_id: user, exp }),
      salesforce_identity_token: token({ sub: user, iat, exp }),
    };
  }

  session(user) {
    if (user !== this.user) this.changed = this.now;
    this.user = user;
  }

  at(pause, run, tab) {
    const task = { time: this.now + Math.max(pause, 0), number: this.number++, run, tab };
    this.tasks.push(task);
    return task;
  }

  /** Let time go by, and everything that is due in it. */
  async pass(milliseconds) {
    const end = this.now + milliseconds;
    await settled();
    for (;;) {
      let next;
      for (const task of this.tasks)
        if (task.time <= end && !task.tab?.isFrozen && (!next || task.time < next.time || task.time === next.time && task.number < next.number)) next = task;
      if (!next) break;
      this.tasks.splice(this.tasks.indexOf(next), 1);
      this.now = Math.max(this.now, next.time);
      next.run();
      await settled();
    }
    this.now = end;
  }

  /** The answer to a request that is sent now; what it says is decided when it reaches the server. A frozen tab waits. */
  request(url, { headers = {}, signal } = {}, tab = undefined) {
    return new Promise((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(new Error("aborted")));
      const isLost = !this.isOnline, there = this.delay() / 2, back = this.delay() / 2;
      const request = this.at(there, () => {
        if (isLost || !this.isOnline) return this.at(back, () => reject(new TypeError("Failed to fetch")), tab);
        this.asked++;
        const given = this.answer?.(this) ?? {
          status: this.user || headers["X-Fin-Messenger"] ? 200 : 401, body: JSON.stringify(this.settings()),
        };
        const date = new Date(START + this.now).toUTCString();
        const answer = {
          status: given.status, ok: given.status >= 200 && given.status < 300, redirected: Boolean(given.redirected),
          headers: new Headers({ "content-type": /^\s*</.test(given.body) ? "text/html" : "application/json", ...(!given.isForeign && { date }) }),
          json: async () => JSON.parse(given.body),
        };
        this.at(back, () => given.isLost ? reject(new TypeError("Failed to fetch")) : resolve(answer), tab);
      });
      request.isRequest = true;
    });
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A document, from its load to the next. */
export class Tab {
  constructor(world, { html, hasCookies = true, blocked = false } = {}) {
    Object.assign(this, { world, blocked });
    this.isFrozen = this.isClosed = false;
    this.told = []; // what the Messenger was told
    this.shown = ""; // whose chats it shows
    this.confirmed = 0; // when the server made the tokens that it has
    this.events = [];
    this.lines = [];
    this.reloads = 0;
    this.listeners = {};
    const start = world.now, tab = this, { cookies } = world;

    class EventTarget {
      addEventListener(type, listener) { (tab.listeners[`document ${type}`] ??= []).push(listener); }
    }
    class Document extends EventTarget {
      get cookie() {
        return hasCookies ? [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") : "";
      }
      set cookie(text) {
        const [, name, value, scope] = /^([^=]+)=([^;]*);(.*)$/.exec(text);
        if (/domain=[^.]*$/.test(scope) || !hasCookies) return;
        if (scope.includes("max-age=0")) cookies.delete(name);
        else cookies.set(name, value);
      }
      get documentElement() { return { matches: () => false, append: (script) => tab.load(script) }; }
      get readyState() { return "complete"; }
      get currentScript() { return { nonce: "n" }; }
      createElement() { return {}; }
      dispatchEvent(event) { tab.events.push(event.detail); }
    }
    class CustomEvent { constructor(type, { detail }) { Object.assign(this, { type, detail }); } }
    // The browser tells the other tabs of what is stored.
    const localStorage = new Proxy(world.storage, {
      get(target, key) {
        if (tab.hasStorage === false) throw new Error("no storage");
        return target[key];
      },
      set(target, key, newValue) {
        if (!tab.page.who || world.noted && tab.page.who !== world.noted) world.departures.push(world.now);
        world.noted = tab.page.who;
        if (tab.hasStorage === false) throw new Error("no storage");
        target[key] = newValue;
        for (const other of world.tabs)
          if (other !== tab)
            world.at(world.random() * NEWS, () => other.isClosed || other.raise("storage", { key, newValue }), other);
        return true;
      },
    });
    const clock = () => START + Math.round(world.now + world.clockError);
    class FakeDate extends Date {
      static now() { return clock(); }
    }
    const globals = this.window = {
      EventTarget, Document, CustomEvent, Date: FakeDate,
      document: new Document(),
      location: { hostname: "www.shop.example", href: "https://www.shop.example/", origin: "https://www.shop.example", reload: () => { this.reloads++; this.onReload?.(); } },
      navigator: { get onLine() { return world.isOnline; } },
      performance: { now: () => world.now - start },
      Math: new Proxy(Math, { get: (target, name) => name === "random" ? world.random : Reflect.get(target, name) }),
      setTimeout: (run, pause = 0) => this.isClosed || world.at(Math.max(Math.floor(pause), 1), () => run(), tab),
      clearTimeout: (task) => { if (world.tasks.includes(task)) world.tasks.splice(world.tasks.indexOf(task), 1); },
      queueMicrotask: (run) => queueMicrotask(() => {
        try {
          run();
        } catch (error) {
          this.lines.push(error.message); // as the console shows what nobody catches
        }
      }),
      fetch: (url, options) => world.request(url, options, tab),
      localStorage,
      addEventListener: (type, listener) => (this.listeners[type] ??= []).push(listener),
      console: { warn: (line) => this.lines.push(line), info: (line) => this.lines.push(line) },
    };
    globals.window = globals.globalThis = globals;
    world.tabs.push(this);
    if (html) this.run(html);
  }

  #values() { return GLOBALS.map((name) => this.window[name]); }

  /** Start the module. */
  start(source = "/settings", options = {}) {
    this.startMessenger ??= MODULE(...this.#values());
    return (this.messenger = this.startMessenger(source, options));
  }

  /** Run a snippet, as a page does that the server has made. */
  run(settings, id = settings.user_id && `${this.world.random()}`) {
    SNIPPET(...this.#values()).boot(settings, "https://widget.intercom.io/widget/", id);
  }

  /** Run the script of a sign-out. */
  leave(app = APP.app_id) {
    SNIPPET(...this.#values()).leave(app);
  }

  /** Load the widget, which works off its queue. */
  load(script) {
    this.world.at(5, () => {
      const type = this.blocked ? "error" : "load";
      if (!this.blocked) {
        const { q = [] } = this.window.Intercom;
        this.window.Intercom = (...call) => this.tell(...call);
        this.isFlushing = true; // nothing of ours runs between the arrival of the script and these calls
        for (const call of q) this.tell(...call);
        this.isFlushing = false;
      }
      script[`on${type}`]({ type });
    }, this);
  }

  /** The widget is told something. */
  tell(method, settings) {
    if (this.isClosed) return;
    const user = settings?.user_id ?? null;
    this.told.push([method, user]);
    if (method === "shutdown") this.shown = "";
    else if (method === "boot" || method === "update") {
      this.shown = user ?? "";
      this.lastSettings = settings;
      if (user) this.confirmed = Math.max(this.confirmed, JSON.parse(Buffer.from(settings.salesforce_identity_token.split(".")[1], "base64url")).iat * 1000 - START);
      this.onTold?.(method, user);
    }
  }

  /** Raise an event of the window. */
  raise(type, details = {}) {
    for (const listener of this.listeners[type] ?? []) listener({ type, ...details });
  }

  get page() { return this.window[Symbol.for("fin-messenger-auth")]; }

  close() { this.isClosed = true; this.world.tabs.splice(this.world.tabs.indexOf(this), 1); this.world.tasks = this.world.tasks.filter(({ tab }) => tab !== this); }
}
