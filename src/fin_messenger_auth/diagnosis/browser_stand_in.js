// A stand-in for a browser's window and document, which records what a page tells the Messenger.
//
// quickjs-ng evaluates this file before the page's first script. Its value is one function, `drive(step, argument)`,
// through which the reader moves the page on: see the end. The page shares the realm, so everything here that must
// not fail uses built-ins that were captured before the page ran, and the record is a string inside a closure.
(() => {
"use strict";

// ---- Built-ins, as they are before the page can replace them ----

const realGlobal = globalThis;
const { apply, construct, ownKeys, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf } = Reflect;
const { stringify, parse: parseJson } = JSON;
const { isArray } = Array;
const evaluate = eval; // called by another name it evaluates in the global scope
const compile = Function;
const method = (prototype, name) => {
  const function_ = prototype[name];
  return (self, ...given) => apply(function_, self, given);
};
const includes = method(String.prototype, "includes");
const slice = method(String.prototype, "slice");
const lower = method(String.prototype, "toLowerCase");
const wellFormed = method(String.prototype, "toWellFormed");
const splitText = method(String.prototype, "split");
const trim = method(String.prototype, "trim");
const matches = method(RegExp.prototype, "exec");
const mapGet = method(WeakMap.prototype, "get");
const mapSet = method(WeakMap.prototype, "set");
const setHas = method(Set.prototype, "has");
const setAdd = method(Set.prototype, "add");
const then = method(Promise.prototype, "then");
const resolved = Promise.resolve.bind(Promise);
const objectPrototype = Object.prototype;
const makeArray = Array;
const text = String;

const define = (object, name, value, enumerable = true) =>
  defineProperty(object, name, { __proto__: null, value, enumerable, writable: true, configurable: true });
const push = (list, value) => define(list, list.length, value);
const accessor = (object, name, get, set = () => {}) =>
  defineProperty(object, name, { __proto__: null, get, set, enumerable: true, configurable: true });
const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

// ---- The record: JSON texts, one after the other ----

const MAX_RECORD = 4_000_000, MAX_VALUES = 20_000, MAX_DEPTH = 40, MAX_TEXT = 200_000;
let record = "", isFull = false, script = -1, isApart = false, isWatching = true;

// Nothing here is written as a template: the engine makes those with String.prototype.concat, which a page can replace.
const member = (name, json) => '"' + name + '":' + json;
const note = (kind, ...fields) => {
  if (record.length > MAX_RECORD) { isFull = true; return; }
  record += (record ? ",{" : "{") + member("kind", '"' + kind + '"') + "," + member("script", script) + "," + member("apart", isApart);
  for (let at = 0; at < fields.length; at++) record += "," + fields[at];
  record += "}";
};
const quoted = (value) => stringify(wellFormed(slice(value, 0, MAX_TEXT)));

// ---- Values that nobody can know: names of other files, and answers of servers ----

const UNKNOWN = "\ue0f0unknown\ue0f1"; // in a string that was made of one
const unknownNames = new WeakMap();
const isUnknown = (value) => isObject(value) && mapGet(unknownNames, value) !== undefined;
const PLAUSIBLE = { __proto__: null, ok: true, success: true, status: 200, readyState: 4, length: 1, nodeType: 1 };
const ABSENT = /^(error|errors|err|isError|failed|toJSON|nodeName|closed)$/;
let sawNumber = false; // whether a number was asked of one

function unknown(name, isThenable = true) {
  name = slice(name, 0, 80);
  const known = { __proto__: null };
  const toPrimitive = (hint) => {
    if (hint !== "number") return UNKNOWN;
    if (matches(/\.(indexOf|search)\(\)$/, name)) return 0; // found
    sawNumber = true;
    return NaN;
  };
  const property = (key) => {
    if (key === Symbol.toPrimitive) return toPrimitive;
    if (key === Symbol.iterator) return function* () { for (let at = 0; at < 4; at++) yield unknown(name + "[" + at + "]"); };
    if (typeof key === "symbol") return undefined;
    if (key === "then") return isThenable ? (fulfilled) => then(resolved(unknown(name, false)), fulfilled) : undefined;
    if (key === "catch") return () => value;
    if (key === "toString" || key === "valueOf" || key === "toLocaleString") return () => UNKNOWN;
    if (key in PLAUSIBLE) return PLAUSIBLE[key];
    return matches(ABSENT, key) ? undefined : unknown(name + "." + key);
  };
  const value = new Proxy(function () {}, {
    __proto__: null,
    get: (_, key) => {
      if (key in known) return known[key];
      const found = property(key);
      if (typeof key === "string" && isUnknown(found)) known[key] = found;
      return found;
    },
    set: (_, key, given) => { known[key] = given; collect(given); return true; },
    has: () => true,
    apply: (_target, _self, given) => called(name, given),
    construct: (_target, given) => called(name, given),
    ownKeys: () => ["prototype", "..."], // so `{...name}` has one property: "...", unknown
    getOwnPropertyDescriptor: (target, key) =>
      key === "..." ? { value: unknown(name), enumerable: true, writable: true, configurable: true }
        : getOwnPropertyDescriptor(target, key),
    defineProperty: () => true,
    deleteProperty: () => true,
    getPrototypeOf: () => objectPrototype,
  });
  mapSet(unknownNames, value, name);
  return value;
}

// What is given to an unknown function: it may call a function soon, later when a user does something, or never.
const OF_USERS = /(^|\.)(on|one|off|bind|live|delegate|addEventListener|addListener|click|submit|change|input|hover|focus|blur|key\w+|mouse\w+|touch\w+|useCallback|subscribe|fail|catch|beforeEach|afterEach|guard)$/;
const AT_LOAD = /load|ready|pageshow|init|start|mounted|turbo|page:change/i;
const SOON = /^(success|complete|done|callback|ready|created|mounted|setup|init|onload|onLoad|onReady|loaded|connect|connectedCallback|componentDidMount|ngOnInit)$/;

function called(name, given) {
  let event = "";
  for (let at = 0; at < given.length && at < 20; at++) {
    const each = given[at];
    if (typeof each === "string") event = event || each;
    else if (each === providerOfReact) bootOfReact(given[at + 1]);
    else if (isUnknown(each)) continue;
    else if (typeof each === "function") {
      if (matches(OF_USERS, name) && !matches(AT_LOAD, event)) later(each);
      else soon(() => start(each, isPlain(given[at + 1]) ? given[at + 1] : unknown("given"))); // a component and its properties
    } else collect(each, true);
  }
  const isDeep = given[0] === true, target = given[isDeep ? 1 : 0];
  if (matches(MERGES, name) && given.length > 1 && isPlain(target)) return merged(target, given, isDeep ? 2 : 1);
  return unknown(name + "()");
}

// $.extend, _.merge and the like, of a library that was not read.
const MERGES = /(^|\.)(extend|assign|merge)$/;
function merged(target, given, from) {
  for (let at = from; at < given.length && at < 20; at++) {
    const each = given[at];
    if (isUnknown(each)) define(target, "...", each);
    else if (isObject(each)) for (let keys = ownKeys(each), key = 0; key < keys.length; key++) define(target, keys[key], each[keys[key]]);
  }
  return target;
}

const isPlain = (value) => typeof value === "object" && value !== null && !isUnknown(value) && getPrototypeOf(value) === objectPrototype;
function start(function_, given) {
  const prototype = getOwnPropertyDescriptor(function_, "prototype")?.value;
  if (isObject(prototype) && ownKeys(prototype).length > 1) collect(prototype, true); // a class of a framework
  else collect(function_(given, unknown("given"), unknown("given")));
}

// ---- Functions that nothing has called, to be called last ----

const waiting = [], seen = new Set();
let nextWaiting = 0;
const later = (function_, self) => {
  if (typeof function_ !== "function" || isUnknown(function_) || setHas(seen, function_) || waiting.length >= 1000) return;
  setAdd(seen, function_);
  push(waiting, { __proto__: null, function_, self, script });
};

// What a framework makes of options such as Vue's: an object with their data and methods, and with more that is unknown.
function instanceOf(options) {
  let data = {};
  try { if (typeof options.data === "function") data = options.data(); } catch { /* it needs more than is here */ }
  return { __proto__: unknown("this"), ...options, ...options.methods, ...(isUnknown(data) ? {} : data) };
}

// Walk an object for functions.
function collect(value, isSoon = false, depth = 0, self = undefined) {
  if (!isObject(value) || isUnknown(value) || depth > 4 || value === realGlobal || value === window) return;
  if (value instanceof Node) return;
  if (typeof value === "function") {
    if (!setHas(seen, value)) {
      later(value);
      const own = getOwnPropertyDescriptor(value, "prototype");
      if (own) collect(own.value, false, depth + 1);
    }
    return;
  }
  if (depth && setHas(seen, value)) return;
  setAdd(seen, value);
  if (isSoon && isPlain(value)) self ??= instanceOf(value);
  const keys = ownKeys(value);
  for (let at = 0; at < keys.length && at < 200; at++) {
    const own = getOwnPropertyDescriptor(value, keys[at]);
    if (!own || keys[at] === "constructor") continue;
    const inner = own.value;
    if (typeof inner === "function" && !isUnknown(inner)) {
      if (isSoon && typeof keys[at] === "string" && matches(SOON, keys[at])) {
        soon(() => collect(apply(inner, self ?? value, [unknown("given"), unknown("given")])));
      } else later(inner, self ?? value);
    } else collect(inner, isSoon, depth + 1, self);
  }
}

// ---- Settings as JSON, in which an unknown value is {"\u0000": its name} ----

function written(value) {
  let left = MAX_VALUES;
  const known = (name) => "{" + member("\\u0000", quoted(name)) + "}";
  const write = (each, depth) => {
    if (left-- <= 0 || depth > MAX_DEPTH) return known("too much");
    if (each === null) return "null";
    if (typeof each === "string") return includes(each, UNKNOWN) ? known("text") : quoted(each);
    if (typeof each === "boolean") return each ? "true" : "false";
    if (typeof each === "number") return each !== each && sawNumber ? known("number") : stringify(each);
    if (typeof each === "bigint") return known("bigint");
    if (!isObject(each)) return undefined;
    const name = mapGet(unknownNames, each);
    if (name !== undefined) return depth ? known(name) : "{" + member("...", known(name)) + "}";
    if (typeof each === "function") return undefined;
    if (typeof each.toJSON === "function") return write(each.toJSON(""), depth + 1);
    let all = "";
    if (isArray(each)) {
      for (let at = 0; at < each.length && left > 0; at++) all += (at ? "," : "") + (write(each[at], depth + 1) ?? "null");
      return "[" + all + "]";
    }
    const keys = ownKeys(each);
    for (let at = 0; at < keys.length && left > 0; at++) {
      if (typeof keys[at] !== "string" || !getOwnPropertyDescriptor(each, keys[at])?.enumerable) continue;
      let inner;
      try { inner = write(each[keys[at]], depth + 1); } catch { inner = known("failed"); }
      if (inner !== undefined) all += (all ? "," : "") + quoted(keys[at]) + ":" + inner;
    }
    return "{" + all + "}";
  };
  try {
    return write(value, 0) ?? "null";
  } catch {
    return "{" + member("...", known("failed")) + "}";
  }
}

let state = "null";
const settingsNow = () => getOwnPropertyDescriptor(realGlobal, "intercomSettings") ? realGlobal.intercomSettings : undefined;
function look() {
  const now = written(settingsNow());
  if (now === state) return;
  state = now;
  note("state", member("settings", state));
}

// ---- The Messenger ----

const WIDGET = /(^|\/\/)widget\.intercom\.io\/|^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?\/widget\//;
let wasMissed = false, isLoaded = false, isGenerous = false;
let answer = null, cookieNames = []; // what the visitor is taken to have answered, and the cookies that say so

function told(via, given) {
  let name = given[0], value = given[1];
  if (isObject(name) && !isUnknown(name)) { value = name; name = "boot"; via = "npm"; }
  if (typeof name !== "string") return undefined;
  look();
  const isAbout = name === "boot" || name === "update";
  if (isAbout && value === undefined) value = settingsNow();
  note("call", member("method", quoted(name)), member("via", quoted(via)), member("settings", isAbout ? written(value) : "null"));
  for (let at = 1; at < given.length; at++) {
    if (typeof given[at] === "function") name === "ready" ? soon(given[at]) : later(given[at]);
  }
  return name === "getVisitorId" ? "visitor" : undefined;
}

function Intercom(...given) { return told("Intercom", given); }
Intercom.booted = true;

const ownIntercom = () => getOwnPropertyDescriptor(realGlobal, "Intercom")?.value;
function takeQueue() {
  const stub = ownIntercom(), queue = isObject(stub) && stub !== Intercom && !isUnknown(stub) ? stub.q : undefined;
  if (!isArray(queue)) return [];
  const taken = [];
  for (let at = 0; at < queue.length && at < 1000; at++) {
    const given = [];
    for (let inner = 0; isObject(queue[at]) && inner < queue[at].length && inner < 5; inner++) push(given, queue[at][inner]);
    push(taken, given);
  }
  return taken;
}

function loadWidget(url) {
  look();
  note("widget", member("url", quoted(text(url))));
  const queue = takeQueue(), settings = settingsNow();
  let boots = isLoaded;
  for (let at = 0; at < queue.length; at++) boots = boots || queue[at][0] === "boot";
  define(realGlobal, "Intercom", Intercom);
  isLoaded = true;
  if (!boots && isObject(settings) && (isUnknown(settings) || settings.app_id !== undefined)) told("settings", ["boot"]);
  for (let at = 0; at < queue.length; at++) told("Intercom", queue[at]);
}

// What modules import. Everything else that they import is unknown.
const npm = (name) => (value) => told("Intercom", [name, value]); // only the initialiser knows `region`
const npmInitialiser = (settings) => told("npm", ["boot", settings]);
const snake = (name) => { // as react-use-intercom does with the names of its properties
  let made = "";
  for (let at = 0; at < name.length; at++) made += name[at] === lower(name[at]) ? name[at] : "_" + lower(name[at]);
  return made;
};
const snakeNames = (value) => {
  if (!isObject(value) || isUnknown(value)) return value;
  const made = {}, keys = ownKeys(value);
  for (let at = 0; at < keys.length; at++) {
    if (typeof keys[at] === "string" && keys[at] !== "customAttributes") define(made, snake(keys[at]), value[keys[at]]);
  }
  return { ...made, ...value.customAttributes };
};
function providerOfReact() { return null; }
function bootOfReact(properties) {
  if (!isObject(properties)) return;
  const { appId, apiBase, autoBoot, autoBootProps } = properties;
  reactApp = { app_id: appId, api_base: apiBase };
  if (autoBoot) told("react", ["boot", { ...reactApp, ...snakeNames(autoBootProps) }]);
}
let reactApp = {};
const reactMethods = {
  boot: (properties) => told("react", ["boot", { ...reactApp, ...snakeNames(properties) }]),
  update: (properties) => told("react", ["update", snakeNames(properties)]),
  shutdown: () => told("react", ["shutdown"]),
  hardShutdown: () => told("react", ["shutdown"]),
};
function started(source) { // our own module: settings, a URL of them, or a function that returns either
  if (typeof source === "string") note("request", member("url", quoted(source)));
  else if (typeof source === "function" && !isUnknown(source)) then(resolved(source()), started);
  else { look(); note("call", member("method", '"boot"'), member("via", '"snippet"'), member("settings", written(source))); }
  return { signedIn: started, signedOut: () => told("snippet", ["shutdown"]), refresh() {}, update() {}, routeChanged() {}, stop() {} };
}
function imported(specifier) {
  note("import", member("url", quoted(specifier)));
  const rest = (known) => new Proxy(known, {
    __proto__: null,
    get: (target, key) => key in target ? target[key] : typeof key === "symbol" || key === "then" ? undefined : unknown(key),
  });
  if (includes(specifier, "messenger-js-sdk")) {
    return rest({ __proto__: null, default: npmInitialiser, Intercom: npmInitialiser, boot: npm("boot"), update: npm("update"), shutdown: npm("shutdown") });
  }
  if (includes(specifier, "fin-messenger-auth")) return rest({ __proto__: null, startMessenger: started });
  if (includes(specifier, "react-use-intercom")) {
    return rest({ __proto__: null, IntercomProvider: providerOfReact, useIntercom: () => rest({ __proto__: null, ...reactMethods }) });
  }
  return rest({ __proto__: null });
}

// ---- Tasks: what the browser does when no script runs ----

const tasks = [];
let time = 0, ran = 0, identifier = 0;
const MAX_TASKS = 2000, END = 60_000; // runs, and milliseconds from the load of the page
function schedule(function_, delay = 0, given = [], every = 0) {
  delay = +delay > 0 ? +delay : 0;
  identifier += 1;
  if (typeof function_ === "string") { const source = function_; function_ = () => evaluate(source); }
  if (typeof function_ !== "function") return identifier;
  if (time + delay > END || tasks.length >= MAX_TASKS) { later(function_); return identifier; }
  push(tasks, { __proto__: null, function_, at: time + delay, given, every, id: identifier, script, runs: 0 });
  return identifier;
}
const soon = (function_) => schedule(function_);
const cancel = (id) => { for (let at = 0; at < tasks.length; at++) if (tasks[at].id === id) tasks[at].function_ = null; };

function run(function_, self, given = []) {
  setAdd(seen, function_);
  try {
    return apply(function_, self, given);
  } catch (error) {
    let name = "Error";
    try { name = text(error?.name); } catch { /* an error may be anything */ }
    note("error", member("name", quoted(name)));
  } finally {
    look();
  }
}

function runTask() {
  let next = -1;
  for (let at = 0; at < tasks.length; at++) {
    if (tasks[at].function_ && (next < 0 || tasks[at].at < tasks[next].at)) next = at;
  }
  if (next < 0 || ran >= MAX_TASKS) return ran >= MAX_TASKS ? "too many" : "";
  const task = tasks[next], function_ = task.function_;
  ran += 1;
  time = task.at;
  script = task.script;
  if (task.every && ++task.runs < 30 && time + task.every <= END) task.at = time + task.every;
  else { task.function_ = null; if (tasks.length > 200) compact(); }
  run(function_, window, task.given);
  return "1";
}
function compact() {
  let kept = 0;
  for (let at = 0; at < tasks.length; at++) if (tasks[at].function_) define(tasks, kept++, tasks[at]);
  tasks.length = kept;
}

// ---- Events ----

const listeners = new WeakMap();
const listenersOf = (target) => {
  if (!mapGet(listeners, target)) mapSet(listeners, target, []);
  return mapGet(listeners, target);
};
class EventTarget {
  addEventListener(type, listener) {
    const list = listenersOf(this ?? window);
    if (list.length < 1000) push(list, { __proto__: null, type: text(type), listener, script });
  }
  removeEventListener(type, listener) {
    const list = listenersOf(this ?? window);
    for (let at = 0; at < list.length; at++) if (list[at].type === type && list[at].listener === listener) list[at].type = "";
  }
  dispatchEvent(event) { fire(this ?? window, event); return true; }
}
class Event {
  constructor(type, options) {
    this.type = type; this.detail = options?.detail; this.target = this.currentTarget = null; this.persisted = false;
  }
  preventDefault() {}
  stopPropagation() {}
  stopImmediatePropagation() {}
}
class CustomEvent extends Event {}

function fire(target, event) {
  if (!isObject(event)) return;
  const { type } = event, list = listenersOf(target), by = script, count = list.length;
  event.target = event.currentTarget = target;
  const own = target["on" + type];
  if (typeof own === "function") run(own, target, [event]);
  for (let at = 0; at < count; at++) {
    if (list[at].type !== type) continue;
    script = list[at].script;
    const { listener } = list[at];
    if (typeof listener === "function") run(listener, target, [event]);
    else if (typeof listener?.handleEvent === "function") run(listener.handleEvent, listener, [event]);
  }
  script = by;
}

// ---- The document's nodes ----

const NONE = [];
let childrenOf, attributesOf, setAttributes;
class Node extends EventTarget {
  #children = null;
  static {
    childrenOf = (node, isToChange) => node.#children ?? (isToChange ? (node.#children = []) : NONE);
  }
  parentNode = null;
  get childNodes() { return copy(childrenOf(this)); }
  get firstChild() { return childrenOf(this)[0] ?? null; }
  get lastChild() { const list = childrenOf(this); return list[list.length - 1] ?? null; }
  get parentElement() { return this.parentNode instanceof Element ? this.parentNode : null; }
  get nextSibling() { return sibling(this, 1); }
  get previousSibling() { return sibling(this, -1); }
  get ownerDocument() { return document; }
  get isConnected() { return root(this) === document; }
  get textContent() { return textOf(this); }
  set textContent(value) { replaceAll(this, value); }
  appendChild(node) { return insert(this, node, null); }
  insertBefore(node, before) { return insert(this, node, before); }
  replaceChild(node, old) { insert(this, node, old); return detach(old); }
  removeChild(node) { return detach(node); }
  remove() { detach(this); }
  append(...nodes) { for (let at = 0; at < nodes.length; at++) insert(this, nodes[at], null); }
  prepend(...nodes) { const first = this.firstChild; for (let at = 0; at < nodes.length; at++) insert(this, nodes[at], first); }
  replaceChildren(...nodes) { replaceAll(this, ""); apply(this.append, this, nodes); }
  before(...nodes) { for (let at = 0; at < nodes.length; at++) insert(this.parentNode, nodes[at], this); }
  after(...nodes) { const next = this.nextSibling; for (let at = 0; at < nodes.length; at++) insert(this.parentNode, nodes[at], next); }
  replaceWith(...nodes) { apply(this.before, this, nodes); detach(this); }
  contains(node) { for (; node; node = node.parentNode) if (node === this) return true; return false; }
  hasChildNodes() { return childrenOf(this).length > 0; }
  cloneNode(isDeep) {
    const made = this instanceof Element ? element(this.localName) : textNode(this.data ?? "");
    if (this instanceof Element) setAttributes(made, { __proto__: null, ...attributesOf(this) });
    if (isDeep) for (let list = childrenOf(this), at = 0; at < list.length; at++) made.appendChild(list[at].cloneNode(true));
    return made;
  }
  querySelector(selector) { return select(this, selector, 1)[0] ?? null; }
  querySelectorAll(selector) { return select(this, selector, Infinity); }
  getElementsByTagName(name) { return select(this, text(name), Infinity); }
  getElementsByClassName(name) { return select(this, "." + trim(text(name)), Infinity); }
}
class Text extends Node { nodeType = 3; nodeName = "#text"; }
class DocumentFragment extends Node { nodeType = 11; }
class Element extends Node {
  #attributes = { __proto__: null };
  static {
    attributesOf = (node) => (#attributes in node ? node.#attributes : undefined);
    setAttributes = (node, attributes) => { node.#attributes = attributes; };
  }
  nodeType = 1;
  get style() { return { cssText: "", setProperty: nothing, removeProperty: nothing, getPropertyValue: () => "" }; }
  set style(_) {}
  get tagName() { return this.localName.toUpperCase(); }
  get nodeName() { return this.tagName; }
  get children() { return elementsIn(this); }
  get firstElementChild() { return elementsIn(this)[0] ?? null; }
  get lastElementChild() { const all = elementsIn(this); return all[all.length - 1] ?? null; }
  get nextElementSibling() { return sibling(this, 1, true); }
  get previousElementSibling() { return sibling(this, -1, true); }
  get attributes() { const own = attributesOf(this); return ownKeys(own).map((name) => ({ name, value: own[name] })); }
  getAttribute(name) { return attributesOf(this)[lower(text(name))] ?? null; }
  setAttribute(name, value) { attributesOf(this)[lower(text(name))] = isUnknown(value) ? value : text(value); }
  hasAttribute(name) { return lower(text(name)) in attributesOf(this); }
  removeAttribute(name) { delete attributesOf(this)[lower(text(name))]; }
  toggleAttribute(name) { this.hasAttribute(name) ? this.removeAttribute(name) : this.setAttribute(name, ""); }
  getAttributeNames() { return ownKeys(attributesOf(this)); }
  matches(selector) { return fits(this, parseSelector(text(selector))); }
  closest(selector) {
    const parsed = parseSelector(text(selector));
    for (let node = this; node instanceof Element; node = node.parentNode) if (fits(node, parsed)) return node;
    return null;
  }
  get classList() {
    const names = () => words(this.getAttribute("class") ?? ""), save = (list) => this.setAttribute("class", list.join(" "));
    return {
      add: (...given) => save([...names(), ...given]),
      remove: (...given) => save(names().filter((each) => !given.includes(each))),
      contains: (name) => names().includes(name),
      toggle: (name) => (names().includes(name) ? save(names().filter((each) => each !== name)) : save([...names(), name])),
    };
  }
  get dataset() {
    const self = this, named = (key) => "data-" + text(key).replace(/[A-Z]/g, (letter) => "-" + lower(letter));
    return new Proxy({}, {
      __proto__: null,
      get: (_, key) => typeof key === "symbol" ? undefined : self.getAttribute(named(key)) ?? undefined,
      has: (_, key) => self.hasAttribute(named(key)),
      set: (_, key, value) => { self.setAttribute(named(key), value); return true; },
      ownKeys: () => self.getAttributeNames().filter((name) => name.startsWith("data-"))
        .map((name) => name.slice(5).replace(/-([a-z])/g, (_, letter) => letter.toUpperCase())),
      getOwnPropertyDescriptor: (_, key) =>
        self.hasAttribute(named(key)) ? { value: self.getAttribute(named(key)), enumerable: true, configurable: true, writable: true } : undefined,
    });
  }
  get text() { return textOf(this); }
  set text(value) { replaceAll(this, value); }
  get innerText() { return textOf(this); }
  set innerText(value) { replaceAll(this, value); }
  get innerHTML() { return textOf(this); }
  set innerHTML(value) { setHtml(this, value); }
  get content() { return this.localName === "template" ? this : this.getAttribute("content") ?? ""; }
  set content(value) { this.setAttribute("content", value); }
  insertAdjacentElement(where, node) { return where === "beforebegin" ? insert(this.parentNode, node, this) : where === "afterbegin" ? insert(this, node, this.firstChild) : where === "beforeend" ? insert(this, node, null) : insert(this.parentNode, node, this.nextSibling); }
  insertAdjacentHTML(where, html) { const made = element("div"); setHtml(made, html); for (const node of made.childNodes) this.insertAdjacentElement(where, node); }
  click() { fire(this, new Event("click")); }
  submit() {}
  reset() {}
  focus() {}
  blur() {}
  scrollIntoView() {}
  animate() { return unknown("animation"); }
  getContext() { return unknown("context"); }
  attachShadow() { return new DocumentFragment(); }
  getBoundingClientRect() { return { top: 0, left: 0, right: 0, bottom: 0, width: 0, height: 0, x: 0, y: 0 }; }
}
for (const [property, name = property] of [
  ["id"], ["src"], ["href"], ["type"], ["name"], ["value"], ["rel"], ["nonce"], ["charset"], ["lang"], ["title"], ["action"],
  ["className", "class"], ["htmlFor", "for"],
]) {
  accessor(Element.prototype, property, function () { return this.getAttribute(name) ?? ""; },
    function (value) { this.setAttribute(name, value); });
}

const copy = (list) => { const made = []; for (let at = 0; at < list.length; at++) push(made, list[at]); return made; };
const words = (value) => splitText(trim(text(value)), /\s+/);
const element = (name) => {
  const made = new Element();
  define(made, "localName", lower(text(name)));
  setAttributes(made, { __proto__: null });
  return made;
};
const textNode = (data) => { const made = new Text(); made.data = made.nodeValue = text(data); return made; };
const elementsIn = (node) => { const made = [], list = childrenOf(node); for (let at = 0; at < list.length; at++) if (list[at] instanceof Element) push(made, list[at]); return made; };
function sibling(node, step, isElement = false) {
  const list = node.parentNode ? childrenOf(node.parentNode) : [];
  let at = 0;
  while (at < list.length && list[at] !== node) at += 1;
  for (at += step; at >= 0 && at < list.length; at += step) if (!isElement || list[at] instanceof Element) return list[at];
  return null;
}
function root(node) { while (node.parentNode) node = node.parentNode; return node; }
function textOf(node) {
  if (node instanceof Text) return node.data;
  let all = "";
  for (let list = childrenOf(node), at = 0; at < list.length; at++) all += textOf(list[at]);
  return all;
}
function replaceAll(node, value) {
  const list = childrenOf(node, true);
  for (let at = 0; at < list.length; at++) list[at].parentNode = null;
  list.length = 0;
  const only = textNode(isUnknown(value) ? UNKNOWN : value ?? "");
  only.parentNode = node;
  push(list, only);
}
function detach(node) {
  const list = node.parentNode ? childrenOf(node.parentNode) : [];
  let kept = 0;
  for (let at = 0; at < list.length; at++) if (list[at] !== node) define(list, kept++, list[at]);
  list.length = kept;
  node.parentNode = null;
  return node;
}
function insert(parent, node, before) {
  if (isUnknown(node) || isUnknown(parent)) return node;
  if (!(node instanceof Node)) node = textNode(node);
  if (!(parent instanceof Node)) throw new TypeError("not a node");
  if (node instanceof DocumentFragment) {
    const moved = copy(childrenOf(node));
    for (let at = 0; at < moved.length; at++) insert(parent, moved[at], before);
    return node;
  }
  for (let above = parent; above; above = above.parentNode) if (above === node) throw new TypeError("a node cannot be in itself");
  detach(node);
  const list = childrenOf(parent, true);
  let at = list.length;
  while (before && at > 0 && list[at] !== before) at -= 1;
  if (before && list[at] !== before) at = list.length;
  for (let last = list.length; last > at; last--) define(list, last, list[last - 1]);
  define(list, at, node);
  node.parentNode = parent;
  if (node.localName === "script") inserted(node);
  else if (node.hasChildNodes()) for (let inside = select(node, "script", Infinity), each = 0; each < inside.length; each++) inserted(inside[each]);
  return node;
}

const JAVASCRIPT = /^(|module|(text|application)\/(x-)?(java|ecma)script)$/;
const startedScripts = new Set();
function inserted(node) {
  const source = attributesOf(node).src;
  if (setHas(startedScripts, node) || !(source || textOf(node))) return;
  setAdd(startedScripts, node);
  if (source !== undefined) fetchScript(source, () => fire(node, new Event("load")));
  else if (matches(JAVASCRIPT, lower(trim(node.type)))) runSource(textOf(node), node);
}
function fetchScript(source, done = () => {}) {
  const address = isUnknown(source) ? "" : text(source), isWidget = matches(WIDGET, address);
  if (!isWidget) note("external", member("url", quoted(address)));
  schedule(() => { if (isWidget) loadWidget(address); done(); }, 50);
}
function runSource(source, node = null) {
  const before = currentScript;
  currentScript = node;
  run(() => evaluate(source));
  currentScript = before;
}
// Markup that a script makes: enough of a parser for elements, attributes and text.
const TAG = /<!--[\s\S]*?-->|<\/([a-z][\w-]*)[^>]*>|<([a-z][\w-]*)((?:[^>"']|"[^"]*"|'[^']*')*)>/gi;
const ATTRIBUTE = /([^\s"'>\/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g;
const VOID = /^(area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)$/;
const ENTITIES = { __proto__: null, "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#34;": '"', "&#39;": "'", "&#x27;": "'", "&amp;": "&" };
const unescaped = (value) => value.replace(/&(lt|gt|quot|amp|#34|#39|#x27);/g, (found) => ENTITIES[found]);
function parseHtml(html) {
  const top = new DocumentFragment();
  let parent = top, at = 0;
  const add = (node) => { node.parentNode = parent; push(childrenOf(parent, true), node); return node; };
  for (const found of html.slice(0, MAX_TEXT).matchAll(TAG)) {
    if (found.index < at) continue; // inside a script
    if (found.index > at) add(textNode(unescaped(html.slice(at, found.index))));
    at = found.index + found[0].length;
    const [, closed, opened, own] = found;
    if (closed && parent !== top) parent = parent.parentNode;
    if (!opened) continue;
    const node = add(element(opened));
    for (const [, name, ...values] of own.matchAll(ATTRIBUTE)) node.setAttribute(name, unescaped(values.find((each) => each !== undefined) ?? ""));
    if (matches(/^(script|style|textarea|title)$/, node.localName)) {
      const end = lower(html).indexOf("</" + node.localName, at), inside = html.slice(at, end < 0 ? html.length : end);
      if (inside) { parent = node; add(textNode(inside)); parent = node.parentNode; }
      at = end < 0 ? html.length : html.indexOf(">", end) + 1 || html.length;
    } else if (!matches(VOID, node.localName)) parent = node;
  }
  if (at < html.length) add(textNode(unescaped(html.slice(at))));
  return top;
}
function writeHtml(html) {
  const parent = document.body ?? document.head;
  if (parent) insert(parent, parseHtml(html), null);
}
// Set as markup; its scripts do not run.
function setHtml(node, html) {
  replaceAll(node, "");
  childrenOf(node, true).length = 0;
  const made = isUnknown(html) ? [textNode(UNKNOWN)] : copy(childrenOf(parseHtml(text(html))));
  for (let at = 0; at < made.length; at++) { made[at].parentNode = node; push(childrenOf(node, true), made[at]); }
  const inside = node.querySelectorAll("script");
  for (let at = 0; at < inside.length; at++) setAdd(startedScripts, inside[at]);
}

// Selectors: lists of compounds with combinators. A pseudo-class that is not known fits everything.
const selectors = { __proto__: null };
const PART = /^(?:(\*|[\w-]+)|#([\w-]+)|\.([\w-]+)|\[\s*([\w-]+)\s*(?:([~|^$*]?=)\s*(?:"([^"]*)"|'([^']*)'|([^\]\s]+))\s*i?\s*)?\]|:not\(([^)]*)\)|::?[\w-]+(?:\([^)]*\))?|\s*([>+~,])\s*|(\s+))/;
function parseSelector(source) {
  if (source in selectors) return selectors[source];
  const groups = [];
  let group = [{ parts: [], by: "" }], rest = trim(source);
  while (rest) {
    const found = matches(PART, rest);
    if (!found) { const error = new Error("not a selector"); error.name = "SyntaxError"; throw error; }
    rest = slice(rest, found[0].length);
    if (found[10] === ",") { push(groups, group); group = [{ parts: [], by: "" }]; }
    else if (found[10] || found[11]) push(group, { parts: [], by: found[10] ?? " " });
    else push(group[group.length - 1].parts, found);
  }
  push(groups, group);
  return (selectors[source] = groups);
}
function fitsPart(node, part) {
  const own = attributesOf(node);
  if (part[1]) return part[1] === "*" || lower(part[1]) === node.localName;
  if (part[2]) return own.id === part[2];
  if (part[3]) return words(own.class ?? "").includes(part[3]);
  if (part[9] !== undefined) return !fits(node, parseSelector(part[9]));
  if (!part[4]) return true;
  const value = own[lower(part[4])], wanted = part[6] ?? part[7] ?? part[8];
  if (value === undefined || !part[5]) return value !== undefined;
  switch (part[5]) {
    case "=": return value === wanted;
    case "^=": return value.startsWith(wanted);
    case "$=": return value.endsWith(wanted);
    case "*=": return value.includes(wanted);
    case "~=": return words(value).includes(wanted);
    default: return value === wanted || value.startsWith(wanted + "-");
  }
}
function fitsGroup(node, group, at) {
  const { parts, by } = group[at];
  for (let each = 0; each < parts.length; each++) if (!fitsPart(node, parts[each])) return false;
  if (!at) return true;
  if (by === ">") return node.parentElement ? fitsGroup(node.parentElement, group, at - 1) : false;
  if (by === "+") { const before = node.previousElementSibling; return before ? fitsGroup(before, group, at - 1) : false; }
  const step = by === "~" ? "previousElementSibling" : "parentElement";
  for (let other = node[step]; other; other = other[step]) if (fitsGroup(other, group, at - 1)) return true;
  return false;
}
const fits = (node, groups) => { for (let at = 0; at < groups.length; at++) if (fitsGroup(node, groups[at], groups[at].length - 1)) return true; return false; };
function select(from, selector, limit) {
  grow();
  const parsed = parseSelector(text(selector)), found = [], stack = [from];
  while (stack.length && found.length < limit) {
    const node = stack[stack.length - 1];
    stack.length -= 1;
    if (node !== from && node instanceof Element && fits(node, parsed)) push(found, node);
    const list = childrenOf(node);
    for (let at = list.length - 1; at >= 0; at--) push(stack, list[at]);
  }
  define(found, "item", (at) => found[at] ?? null, false);
  return found;
}

// The tree comes as [parent, name or null, attributes or text] in document order; nodes are made when one is asked for.
let tree = [], nodes = [], grown = 0, visible = 0;
function grow() {
  for (; grown < visible && grown < tree.length; grown++) {
    const row = tree[grown], node = row[1] === null ? textNode(row[2]) : element(row[1]);
    if (row[1] !== null && setPrototypeOf(row[2], null)) setAttributes(node, row[2]);
    if (row[1] === "script") setAdd(startedScripts, node);
    const parent = row[0] < 0 ? document : nodes[row[0]];
    node.parentNode = parent;
    push(childrenOf(parent, true), node);
    push(nodes, node);
  }
}

// Whether an attribute holds JavaScript: only then do nodes matter that no script has asked for.
const OF_JAVASCRIPT = /^(on|x-init$|href$)/;
function hasHandlers() {
  for (let at = 0; at < tree.length; at++) {
    if (tree[at][1] === null) continue;
    for (let names = ownKeys(tree[at][2]), each = 0; each < names.length; each++) {
      if (matches(OF_JAVASCRIPT, names[each]) && (names[each] !== "href" || matches(/^\s*javascript:/i, tree[at][2].href))) return true;
    }
  }
  return false;
}

// ---- The document ----

const jar = new Map();
let currentScript = null, readyState = "loading";
class Document extends Node {
  nodeType = 9;
  get documentElement() { grow(); return elementsIn(this)[0] ?? null; }
  get head() { return this.querySelector("head"); }
  get body() { return this.querySelector("body"); }
  get scripts() { return this.querySelectorAll("script"); }
  get forms() { return this.querySelectorAll("form"); }
  get images() { return this.querySelectorAll("img"); }
  get links() { return this.querySelectorAll("a[href]"); }
  get currentScript() { return currentScript; }
  get readyState() { return readyState; }
  get title() { return this.querySelector("title")?.textContent ?? ""; }
  set title(_) { /* not shown */ }
  get defaultView() { return window; }
  get location() { return location; }
  set location(url) { moved(url); }
  get cookie() {
    if (answer !== null) return cookieNames.map((name) => name + "=" + answer).join("; ");
    return isGenerous ? unknown("cookies") : [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
  }
  set cookie(line) {
    const parts = splitText(text(line), ";"), at = parts[0].indexOf("="), name = trim(slice(parts[0], 0, at < 0 ? 0 : at));
    const isOver = parts.some((part) => {
      const found = matches(/^\s*(max-age|expires)\s*=\s*(.*)$/i, part);
      return found && (lower(found[1]) === "expires" ? Date.parse(found[2]) < Date.now() : +found[2] <= 0);
    });
    if (isOver) jar.delete(name);
    else if (jar.size < 100) jar.set(name, trim(slice(parts[0], at + 1, 5000)));
  }
  createElement(name) { return element(name); }
  createElementNS(_, name) { return element(name); }
  createTextNode(data) { return textNode(data); }
  createComment() { return textNode(""); }
  createDocumentFragment() { return new DocumentFragment(); }
  createEvent() { const made = new Event(""); made.initEvent = made.initCustomEvent = (type) => { made.type = type; }; return made; }
  importNode(node) { return node.cloneNode(true); }
  getElementById(id) {
    grow();
    const stack = [this];
    while (stack.length) {
      const node = stack[stack.length - 1];
      stack.length -= 1;
      if (node instanceof Element && attributesOf(node).id === text(id)) return node;
      const list = childrenOf(node);
      for (let at = list.length - 1; at >= 0; at--) push(stack, list[at]);
    }
    return null;
  }
  getElementsByName(name) { return this.querySelectorAll(`[name="${name}"]`); }
  write(...html) { writeHtml(html.join("")); }
  writeln(...html) { writeHtml(html.join("")); }
  open() { return this; }
  close() {}
  hasFocus() { return true; }
}
const document = new Document();
Object.assign(document, {
  hidden: false, visibilityState: "visible", referrer: "", URL: "https://page.invalid/", domain: "page.invalid",
  characterSet: "UTF-8", compatMode: "CSS1Compat", doctype: {}, implementation: unknown("document.implementation"), fonts: unknown("document.fonts"),
});

// ---- The window ----

const nothing = () => {};
class Storage {
  #values = new Map();
  getItem(name) { return this.#values.get(text(name)) ?? answer ?? (isGenerous ? unknown("stored") : null); }
  setItem(name, value) { this.#values.set(text(name), isUnknown(value) ? UNKNOWN : text(value)); }
  removeItem(name) { this.#values.delete(text(name)); }
  clear() { this.#values.clear(); }
  key(at) { return [...this.#values.keys()][at] ?? null; }
  get length() { return this.#values.size; }
}
class Parameters {
  #pairs = [];
  constructor(query = "") {
    const decoded = (each) => { try { return decodeURIComponent(each.replace(/\+/g, " ")); } catch { return each; } };
    for (const part of text(query).replace(/^\?/, "").split("&")) if (part) this.#pairs.push(part.split("=").map(decoded));
  }
  get(name) { return this.#pairs.find((each) => each[0] === name)?.[1] ?? null; }
  getAll(name) { return this.#pairs.filter((each) => each[0] === name).map((each) => each[1] ?? ""); }
  has(name) { return this.#pairs.some((each) => each[0] === name); }
  set(name, value) { this.delete(name); this.append(name, value); }
  append(name, value) { this.#pairs.push([text(name), text(value)]); }
  delete(name) { this.#pairs = this.#pairs.filter((each) => each[0] !== name); }
  toString() { return this.#pairs.map((each) => each.map(encodeURIComponent).join("=")).join("&"); }
  [Symbol.iterator]() { return this.#pairs[Symbol.iterator](); }
}
class Address {
  constructor(url, base = "https://page.invalid/") {
    const absolute = /^[a-z][\w+.-]*:/i.test(text(url)) ? text(url) : new Address(base).origin + (text(url)[0] === "/" ? "" : "/") + text(url);
    const [, protocol = "https:", host = "page.invalid", pathname = "/", search = "", hash = ""] =
      matches(/^([a-z][\w+.-]*:)(?:\/\/([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?$/i, absolute) ?? [];
    Object.assign(this, { protocol, host, hostname: host.replace(/:\d+$/, ""), port: "", pathname: pathname || "/", search, hash, origin: `${protocol}//${host}` });
    this.searchParams = new Parameters(search);
  }
  get href() { return this.origin + this.pathname + this.search + this.hash; }
  set href(url) { if (this === location) moved(url); }
  toString() { return this.href; }
  static createObjectURL() { return "blob:"; }
  static revokeObjectURL() {}
}
class Encoder {
  encode(value = "") { return Uint8Array.from(unescape(encodeURIComponent(text(value))), (each) => each.charCodeAt(0)); }
}
class Decoder {
  decode(bytes = []) {
    if (isUnknown(bytes)) return UNKNOWN;
    let all = "";
    for (const each of new Uint8Array(bytes.buffer ?? bytes)) all += String.fromCharCode(each);
    try { return decodeURIComponent(escape(all)); } catch { return all; }
  }
}
function upgrade(name, class_) {
  const prototype = class_.prototype, found = document.querySelectorAll(name);
  for (let at = 0; at < found.length; at++) { setPrototypeOf(found[at], prototype); run(() => prototype.connectedCallback?.call(found[at])); }
  collect(class_);
}
const location = new Address("https://page.invalid/");
const moved = (url) => { if (typeof url === "string") note("move", member("url", quoted(url))); }; // the page itself stays
Object.assign(location, { reload: nothing, assign: moved, replace: moved, ancestorOrigins: [] });

class Request extends EventTarget { // XMLHttpRequest: every answer is unknown
  readyState = 0;
  status = 0;
  open(_, url) { this.url = url; this.readyState = 1; }
  setRequestHeader() {}
  getResponseHeader() { return unknown("header"); }
  abort() {}
  send() {
    requested(this.url);
    soon(() => {
      const answer = unknown("answer", false);
      Object.assign(this, { readyState: 4, status: 200, response: answer, responseText: answer, responseXML: null });
      fire(this, new Event("readystatechange"));
      fire(this, new Event("load"));
      fire(this, new Event("loadend"));
    });
  }
}
class Silent { constructor(callback) { later(callback); } observe() {} unobserve() {} disconnect() {} takeRecords() { return []; } postMessage() {} close() {} }
const requested = (url) => { if (typeof url === "string" && !includes(url, UNKNOWN)) note("request", member("url", quoted(url))); };

const window = new Proxy(realGlobal, {
  __proto__: null,
  get: (target, key) => {
    if (getOwnPropertyDescriptor(target, key)) return target[key];
    if (key === "Intercom") wasMissed = true;
    return isGenerous && typeof key === "string" && !(key in objectPrototype) ? realGlobal[key] : objectPrototype[key];
  },
  has: (target, key) => getOwnPropertyDescriptor(target, key) !== undefined || key in objectPrototype,
  set: (target, key, value) => { target[key] = value; return true; },
  getPrototypeOf: () => Window.prototype,
});
class Window extends EventTarget {}

const page = {
  window, self: window, globalThis: window, top: window, parent: window, frames: window, opener: null, frameElement: null,
  document, history: { pushState: nothing, replaceState: nothing, back: nothing, forward: nothing, go: nothing, state: null, length: 1, scrollRestoration: "auto" },
  navigator: {
    userAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    language: "en-US", languages: ["en-US", "en"], platform: "Linux x86_64", vendor: "Google Inc.", cookieEnabled: true, onLine: true,
    doNotTrack: null, maxTouchPoints: 0, plugins: [], webdriver: false, hardwareConcurrency: 2, sendBeacon: () => true, javaEnabled: () => false,
  },
  screen: { width: 1280, height: 800, availWidth: 1280, availHeight: 800, colorDepth: 24, orientation: { type: "landscape-primary", angle: 0 } },
  innerWidth: 1280, innerHeight: 800, outerWidth: 1280, outerHeight: 800, devicePixelRatio: 1, pageXOffset: 0, pageYOffset: 0, scrollX: 0, scrollY: 0,
  name: "", origin: "https://page.invalid", isSecureContext: true, closed: false, length: 0, status: "",
  localStorage: new Storage(), sessionStorage: new Storage(),
  console: Object.fromEntries("log info warn error debug trace table group groupCollapsed groupEnd time timeEnd timeLog count assert dir clear".split(" ").map((name) => [name, nothing])),
  performance: { now: () => time, timeOrigin: 0, timing: { navigationStart: 0 }, mark: nothing, measure: nothing, getEntriesByType: () => [], getEntriesByName: () => [], navigation: { type: 0 } },
  crypto: { randomUUID: () => "00000000-0000-4000-8000-000000000000", getRandomValues: (array) => array, subtle: unknown("crypto.subtle") },
  setTimeout: (function_, delay, ...given) => schedule(function_, delay, given),
  setInterval: (function_, delay, ...given) => schedule(function_, delay, given, +delay > 4 ? +delay : 4),
  setImmediate: undefined,
  clearTimeout: cancel, clearInterval: cancel, cancelAnimationFrame: cancel, cancelIdleCallback: cancel,
  requestAnimationFrame: (function_) => schedule(function_, 16, [16]),
  requestIdleCallback: (function_) => schedule(function_, 50, [{ didTimeout: false, timeRemaining: () => 50 }]),
  queueMicrotask: (function_) => { then(resolved(), () => run(function_, undefined, [])); },
  addEventListener: (type, listener) => EventTarget.prototype.addEventListener.call(window, type, listener),
  removeEventListener: (type, listener) => EventTarget.prototype.removeEventListener.call(window, type, listener),
  dispatchEvent: (event) => EventTarget.prototype.dispatchEvent.call(window, event),
  alert: nothing, confirm: () => true, prompt: () => null, print: nothing, open: () => null, close: nothing, focus: nothing, blur: nothing, stop: nothing,
  scroll: nothing, scrollTo: nothing, scrollBy: nothing, postMessage: nothing,
  matchMedia: (media) => ({ matches: isGenerous, media, addListener: nothing, removeListener: nothing, addEventListener: nothing, removeEventListener: nothing }),
  getComputedStyle: () => unknown("style"), getSelection: () => null,
  fetch: (url) => { requested(isObject(url) && !isUnknown(url) ? url.href ?? url.url : url); return unknown("answer"); },
  XMLHttpRequest: Request, URL: Address, URLSearchParams: Parameters, EventTarget, Event, CustomEvent, MouseEvent: Event, MessageEvent: Event,
  PageTransitionEvent: Event, Node, Text, Element, HTMLElement: Element, HTMLScriptElement: Element, Document, HTMLDocument: Document, DocumentFragment, Storage, Window,
  MutationObserver: Silent, IntersectionObserver: Silent, ResizeObserver: Silent, PerformanceObserver: Silent, BroadcastChannel: Silent,
  customElements: { define: (name, class_) => soon(() => upgrade(text(name), class_)), get: nothing, whenDefined: () => unknown("element") },
  structuredClone: (value) => cloned(value), TextEncoder: Encoder, TextDecoder: Decoder,
  Image: class Image extends Element { constructor() { super(); define(this, "localName", "img"); setAttributes(this, { __proto__: null }); } },
};
for (const name of ownKeys(page)) define(realGlobal, name, page[name]);
accessor(realGlobal, "location", () => location, moved);
delete realGlobal.setImmediate;
JSON.parse = function parse(source, reviver) {
  if (isUnknown(source) || (typeof source === "string" && includes(source, UNKNOWN))) return unknown("JSON.parse()");
  return parseJson(source, reviver);
};

for (const name of ["freeze", "seal", "preventExtensions"]) {
  const original = Object[name];
  Object[name] = (value) => (isUnknown(value) ? value : original(value));
}

// A name that nothing here defines belongs to a file that was not read, so it is unknown; but what is looked up as
// window.NAME is undefined, as it is where that file is missing.
const UNDEFINED = /^(intercomSettings|exports|module|define|global|process|Deno|Bun|attachEvent|ActiveXObject|opera|__\w+__)$/;
const named = { __proto__: null };
setPrototypeOf(realGlobal, new Proxy({ __proto__: null }, {
  __proto__: null,
  get: (_, key) => {
    if (typeof key === "symbol" || key in objectPrototype) return objectPrototype[key];
    if (key === "Intercom") { wasMissed = true; return undefined; }
    if (matches(UNDEFINED, key)) return undefined;
    if (!(key in named)) {
      named[key] = unknown(key);
      if (isWatching) note("unknown", member("name", quoted(key)));
    }
    return named[key];
  },
  has: () => true,
  set: (_, key, value, receiver) => define(receiver, key, value),
}));

// ---- What the reader asks for ----

const baseline = new Set(ownKeys(realGlobal));
let saved;
const cloned = (value, depth = 0) => {
  if (!isObject(value) || typeof value === "function" || isUnknown(value) || depth > 5) return value;
  const made = isArray(value) ? makeArray() : {}, keys = ownKeys(value);
  for (let at = 0; at < keys.length && at < 1000; at++) {
    const own = getOwnPropertyDescriptor(value, keys[at]);
    if (own.enumerable) define(made, keys[at], cloned("value" in own ? own.value : value[keys[at]], depth + 1));
  }
  return made;
};
const thunks = [];
const handler = (source, node) => {
  try { later(compile("event", source), node); } catch { /* not JavaScript */ }
};

// Next writes elements as ["$", type, key, properties]; those of its Script hold the source of a script.
function scriptsOfNext(value, depth) {
  if (!isObject(value) || depth > 30) return;
  const source = value.children ?? value.dangerouslySetInnerHTML?.__html;
  if (typeof source === "string" && (value.strategy || value.id) && includes(source, "ntercom")) soon(() => runSource(source));
  for (let keys = ownKeys(value), at = 0; at < keys.length; at++) scriptsOfNext(value[keys[at]], depth + 1);
}

function callApart(function_, self) {
  const given = [unknown("given"), unknown("given"), unknown("given")];
  define(realGlobal, "intercomSettings", cloned(saved));
  state = written(saved);
  try {
    collect(apply(function_, self, given));
  } catch {
    try { construct(function_, given); } catch { /* it needs more than is here */ }
  }
  look();
}

const steps = {
  __proto__: null,
  tree: (given) => { tree = given; },
  // For another pass: another file has defined the Messenger, or what was looked up as window.NAME; a visitor has consented.
  installed: () => { define(realGlobal, "Intercom", Intercom); isLoaded = true; },
  generous: () => {
    isGenerous = true;
    setPrototypeOf(Storage.prototype, unknown("stored"));
    const { test } = RegExp.prototype;
    RegExp.prototype.test = function (value) { return isUnknown(value) || apply(test, this, [value]); };
  },
  // The visitor has answered so, whatever was asked: in the storage, in each cookie, and for js-cookie.
  answered: (value, names) => {
    answer = value;
    cookieNames = names;
    setPrototypeOf(Storage.prototype, new Proxy({ __proto__: null }, { get: (_, key) => (typeof key === "string" ? value : undefined) }));
    define(realGlobal, "Cookies", { get: () => value, set: nothing, remove: nothing });
  },
  // The names by which a module, as the reader rewrites it, imports and shows its own functions.
  modules: (importer, shower) => {
    setAdd(baseline, importer);
    setAdd(baseline, shower);
    define(realGlobal, importer, (specifier) => imported(text(specifier)), false);
    define(realGlobal, shower, (...given) => { for (let at = 0; at < given.length; at++) push(thunks, given[at]); }, false);
  },
  // Before a script of the page: its number, and its place in the tree.
  before: (number, place) => {
    script = number;
    visible = place + 1;
    currentScript = null;
    accessor(document, "currentScript", () => { grow(); return nodes[place] ?? null; });
  },
  after: () => { delete document.currentScript; look(); },
  look,
  external: (url, isLate) => {
    if (matches(WIDGET, url) && !isLate) loadWidget(url);
    else fetchScript(url);
  },
  parsed: () => {
    script = -1;
    visible = tree.length;
    readyState = "interactive";
    fire(document, new Event("readystatechange"));
    fire(document, new Event("DOMContentLoaded"));
    fire(window, new Event("DOMContentLoaded"));
    schedule(steps.loaded, 100);
  },
  loaded: () => {
    script = -1;
    readyState = "complete";
    fire(document, new Event("readystatechange"));
    const attribute = hasHandlers() ? document.body?.getAttribute("onload") : null;
    if (attribute) run(compile("event", attribute), window, [new Event("load")]);
    fire(window, new Event("load"));
    fire(window, new Event("pageshow"));
    for (const name of ["turbo:load", "turbolinks:load", "page:load", "page:change", "astro:page-load", "livewire:load", "livewire:init", "alpine:init"]) {
      fire(document, new Event(name));
      fire(window, new Event(name));
    }
  },
  task: runTask,
  // Queues that the script of another service works off: functions, or lists that end with one.
  queues: () => {
    script = -1;
    if (hasHandlers()) grow();
    for (let at = 0; at < nodes.length; at++) { // Alpine
      const source = attributesOf(nodes[at])?.["x-init"];
      if (source) soon(() => evaluate(source));
    }
    const keys = ownKeys(realGlobal);
    let flight = "";
    for (let at = 0; at < keys.length; at++) {
      const list = setHas(baseline, keys[at]) ? null : getOwnPropertyDescriptor(realGlobal, keys[at])?.value;
      if (!isArray(list) || isUnknown(list)) continue;
      for (let each = 0; each < list.length && each < 200; each++) {
        const item = list[each];
        if (typeof item === "function") soon(item);
        else if (isArray(item) && (item[0] === "ready" || item[0] === "onload") && typeof item[item.length - 1] === "function") soon(item[item.length - 1]);
        else if (keys[at] === "__next_f" && isArray(item) && typeof item[1] === "string") flight += item[1];
        else if (keys[at] === "__next_s" && isArray(item) && typeof item[1]?.children === "string") soon(() => runSource(item[1].children));
      }
    }
    const lines = splitText(flight, "\n");
    for (let at = 0; at < lines.length; at++) {
      try { scriptsOfNext(parseJson(slice(lines[at], lines[at].indexOf(":") + 1)), 0); } catch { /* another kind of line */ }
    }
    if (!isLoaded) { const left = takeQueue(); for (let at = 0; at < left.length; at++) told("Intercom", left[at]); if (left.length) isLoaded = true; }
  },
  waits: (source) => { later(() => evaluate(source)); },
  // The page is as it stays. What may still be called: functions of these names, of the window, and of events.
  rest: (names) => {
    look();
    isApart = true;
    isWatching = false;
    saved = cloned(settingsNow());
    if (isArray(ownIntercom()?.q)) define(realGlobal, "Intercom", Intercom);
    for (let at = 0; at < thunks.length; at++) {
      try { collect(thunks[at]()); } catch { /* not there yet */ }
    }
    for (let at = 0; at < names.length; at++) {
      try { collect(evaluate("typeof " + names[at] + "==='undefined'?0:" + names[at])); } catch { /* not of the top */ }
    }
    const keys = ownKeys(realGlobal);
    for (let at = 0; at < keys.length; at++) {
      if (typeof keys[at] === "string" && !setHas(baseline, keys[at])) collect(getOwnPropertyDescriptor(realGlobal, keys[at])?.value);
    }
    const targets = [window, document];
    for (let at = 0; at < nodes.length; at++) {
      const node = nodes[at], own = attributesOf(node);
      if (!own) continue;
      for (let all = ownKeys(own), each = 0; each < all.length; each++) {
        if (slice(all[each], 0, 2) === "on" && node.localName !== "body") handler(text(own[all[each]]), node);
        if (all[each] === "href" && matches(/^\s*javascript:/i, text(own.href))) handler(slice(trim(text(own.href)), 11), node);
      }
      if (mapGet(listeners, node)) push(targets, node);
      for (let all = ownKeys(node), each = 0; each < all.length; each++) if (slice(text(all[each]), 0, 2) === "on") later(node[all[each]], node);
    }
    for (let at = 0; at < targets.length; at++) {
      const list = listenersOf(targets[at]);
      for (let each = 0; each < list.length; each++) if (list[each].type) later(list[each].listener, targets[at]);
    }
  },
  apart: () => {
    if (runTask() === "1") return "1";
    if (nextWaiting >= waiting.length) return "";
    const { function_, self, script: by } = waiting[nextWaiting++];
    script = by;
    const hasIntercom = ownIntercom() !== undefined;
    wasMissed = false;
    callApart(function_, self);
    if (wasMissed && !ownIntercom()) { // it waits for the Messenger
      define(realGlobal, "Intercom", Intercom);
      callApart(function_, self);
    }
    if (!hasIntercom) {
      const left = takeQueue();
      for (let at = 0; at < left.length; at++) told("Intercom", left[at]);
      delete realGlobal.Intercom;
    }
    return "1";
  },
  missed: () => (wasMissed && !isLoaded && !ownIntercom() ? "1" : ""),
  // Made well-formed, which also makes one piece of a string that quickjs-ng keeps in many and its wrapper cannot return.
  drain: () => { const all = record; record = ""; return wellFormed('{"events":[' + all + "]," + member("full", isFull) + "}"); },
};
return (step, first, second) => steps[step](first, second);
})()
