// Whether scripts run in the oldest browsers that the docs name: a parser of their ECMAScript version reads each, and MDN's
// compatibility data has every global, member and event that it names. What is no name of the platform there is our own.
//
// node oldest.mjs '{"chrome": "91", …}' YEAR SCRIPT…, in a folder with the npm packages
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { parse } = require("acorn"), { full } = require("acorn-walk");
const { api, javascript: { builtins } } = require("@mdn/browser-compat-data");

const [oldest, ecmaVersion, ...scripts] = process.argv.slice(2).map((each, index) => index < 2 ? JSON.parse(each) : each);
// What is called where it exists; and before it was every element's, `nonce` was a script's in Safari.
const OPTIONAL = ["trustedTypes", "createPolicy", "createScriptURL", "nonce"];
// Of what a page is made; a member of any of these may be meant, and one that is old enough is taken to be.
const INTERFACES = "Window Document Element Event EventTarget StorageEvent CustomEvent Response Headers AbortController "
  + "AbortSignal Navigator Location Performance Storage HTMLElement HTMLScriptElement PageTransitionEvent";
const PLACES = [...INTERFACES.split(" ").map((name) => api[name]), ...Object.values(builtins)];

const numbers = (version) => String(version).replace("≤", "").split(".").map(Number);
function isAtMost(version, limit) {
  const [major, minor = 0] = numbers(version), [most, then = 0] = numbers(limit);
  return major < most || major === most && minor <= then;
}
const isOld = ({ __compat: compat }) =>
  Object.entries(oldest).every(([browser, limit]) =>
    [compat.support[browser]].flat().some((entry) =>
      typeof entry.version_added === "string" && isAtMost(entry.version_added, limit) && !entry.version_removed
      && !entry.partial_implementation && !entry.flags && !entry.prefix));

/** Return what the platform has by a name; nothing if the name is our own. */
const members = (name, keys = [name, `${name}_static`]) =>
  PLACES.flatMap((place) => keys.flatMap((key) => place && Object.hasOwn(place, key) && place[key].__compat ? place[key] : []));
const globals = (name) => [api, builtins, api.Window, api.EventTarget].flatMap((place) => Object.hasOwn(place, name) ? place[name] : []);

const seen = new Set();
let isWrong = false;
for (const script of scripts) {
  const bound = new Set(), names = new Map();
  const note = (name, found) => { if (found.length && !OPTIONAL.includes(name)) names.set(name, found); };
  const tree = parse(readFileSync(script, "utf8"), { ecmaVersion, sourceType: "module" }), used = new Set();
  full(tree, (node, _, type) => {
    const { name, value } = node;
    if (type === "VariablePattern") bound.add(name);
    if (/^(Function|Class)/.test(type) && node.id) bound.add(node.id.name);
    if (type === "Identifier") used.add(name);
    if (type === "MemberExpression" && !node.computed) note(node.property.name, members(node.property.name));
    if (type === "ObjectPattern") for (const { key } of node.properties) if (key) note(key.name, members(key.name));
    if (typeof value === "string") note(value, [...members(value, [`${value}_event`]), ...(api.Document[value] ? [api.Document[value]] : [])]);
  });
  for (const name of used)
    if (!bound.has(name) && name !== "undefined" && name !== "Infinity") {
      note(name, globals(name));
      if (!names.has(name)) console.error(`${script}: ${name} is no global of the platform`);
      isWrong ||= !names.has(name);
    }
  for (const [name, found] of names) {
    seen.add(name);
    if (found.some(isOld)) continue;
    console.error(`${script}: ${name} is not in all of ${JSON.stringify(oldest)}`);
    isWrong = true;
  }
}
console.log([...seen].sort().join(" "));
process.exitCode = isWrong ? 1 : 0;
