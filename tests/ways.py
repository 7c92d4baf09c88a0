"""Ordinary ways to pass settings to the Messenger in plain scripts, each with what counts in the end.

Node runs the same scripts in V8 and must agree (``test_page_reader``). Each way is a list of scripts.
"""

from __future__ import annotations

from typing import Any

ADA = {"app_id": "a", "user_id": "42"}
W = "window.intercomSettings"

WAYS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "a literal": ([f"{W} = {{app_id: 'a', user_id: '42'}}"], ADA),
    "without window": (["intercomSettings = {app_id: 'a', user_id: '42'}"], ADA),
    "var at the top": (["var intercomSettings = {app_id: 'a', user_id: '42'}"], ADA),
    "a variable": ([f"const s = {{app_id: 'a', user_id: '42'}}; {W} = s"], ADA),
    "a variable changed later": ([f"const s = {{app_id: 'a'}}; {W} = s; s.user_id = '42'"], ADA),
    "a constant of another script": (["const user = {id: '42'}", f"{W} = {{app_id: 'a', user_id: user.id}}"], ADA),
    "a later script": ([f"{W} = {{app_id: 'a'}}", f"{W}.user_id = '42'"], ADA),
    "a later script in brackets": ([f"{W} = {{app_id: 'a'}}", "window['intercomSettings']['user_id'] = `42`"], ADA),
    "Object.assign": ([f"{W} = Object.assign({{}}, {{app_id: 'a'}}, {{user_id: '42'}})"], ADA),
    "Object.assign in place": ([f"{W} = {{app_id: 'a'}}; Object.assign({W}, {{user_id: '42'}})"], ADA),
    "a spread": ([f"const base = {{app_id: 'a'}}; {W} = {{...base, user_id: '42'}}"], ADA),
    "a spread that overrides": ([f"const b = {{app_id: 'x', user_id: '42'}}; {W} = {{...b, app_id: 'a'}}"], ADA),
    "a template string": ([f"const id = 42; {W} = {{app_id: 'a', user_id: `${{id}}`}}"], ADA),
    "a sum": ([f"{W} = {{app_id: 'a', user_id: '4' + '2'}}"], ADA),
    "a getter": ([f"{W} = {{app_id: 'a', get user_id() {{ return '42' }}}}"], ADA),
    "delete": ([f"{W} = {{app_id: 'a', user_id: '42', email: 'x'}}; delete {W}.email"], ADA),
    "a continued line": ([f"{W} = {{app_id: 'a', user_id: '4\\\n2'}}"], ADA),
    "escapes": ([f"{W} = {{app_id: '\\u0061', user_id: '\\x34\\u{{32}}'}}"], ADA),
    "names in quotes and brackets": ([f"{W} = {{'app_id': 'a', ['user' + '_id']: '42'}}"], ADA),
    "shorthand": ([f"const app_id = 'a', user_id = '42'; {W} = {{app_id, user_id}}"], ADA),
    "JSON.parse": ([f'{W} = JSON.parse(\'{{"app_id":"a","user_id":"42"}}\')'], ADA),
    "JSON.parse of parts": ([f"""{W} = JSON.parse('{{"app_id":"a",' + '"user_id":"42"}}')"""], ADA),
    "a condition": ([f"const u = {{id: '42'}}; {W} = u ? {{app_id: 'a', user_id: u.id}} : {{app_id: 'a'}}"], ADA),
    "a condition that fails": ([f"const u = null; {W} = u ? {{user_id: u.id}} : {{app_id: 'a'}}"], {"app_id": "a"}),
    "if and else": ([f"{W} = {{app_id: 'a'}}; if (1 > 2) {{ {W}.x = 1 }} else {{ {W}.user_id = '42' }}"], ADA),
    "a loop": ([f"{W} = {{}}; for (const [k, v] of [['app_id', 'a'], ['user_id', '42']]) {W}[k] = v"], ADA),
    "Object.fromEntries": ([f"{W} = Object.fromEntries([['app_id', 'a'], ['user_id', '42']])"], ADA),
    "a function": ([f"function made(id) {{ return {{app_id: 'a', user_id: id}} }} {W} = made('42')"], ADA),
    "a function called at once": (
        ["(function (w) { w.intercomSettings = {app_id: 'a', user_id: '42'} })(window)"],
        ADA,
    ),
    "an arrow called at once": ([f"(() => {{ const id = '42'; {W} = {{app_id: 'a', user_id: id}} }})()"], ADA),
    "a class": ([f"class S {{ app_id = 'a'; constructor(id) {{ this.user_id = id }} }} {W} = new S('42')"], ADA),
    "a promise": ([f"Promise.resolve('42').then((id) => {{ {W} = {{app_id: 'a', user_id: id}} }})"], ADA),
    "await": ([f"(async () => {{ const id = await '42'; {W} = {{app_id: 'a', user_id: id}} }})()"], ADA),
    "with defaults": ([f"{W} = {{app_id: 'a', ...({W} || {{}}), user_id: '42'}}"], ADA),
    "or else": ([f"{W} = {W} || {{}}; {W}.app_id ??= 'a'; {W}.user_id ||= '42'"], ADA),
    "undefined is dropped": ([f"{W} = {{app_id: 'a', user_id: '42', email: undefined, name: void 0}}"], ADA),
    "null stays": ([f"{W} = {{app_id: 'a', user_id: null}}"], {"app_id": "a", "user_id": None}),
    "numbers": (
        [f"{W} = {{app_id: 'a', a: -1.5e3, b: 0x10, c: 1_000, d: .5, e: 1 / 0, f: +'7'}}"],
        {"app_id": "a", "a": -1500, "b": 16, "c": 1000, "d": 0.5, "e": None, "f": 7},
    ),
    "a date": (
        [f"{W} = {{app_id: 'a', created_at: Math.floor(new Date('2026-01-01T00:00:00Z') / 1000)}}"],
        {"app_id": "a", "created_at": 1767225600},
    ),
    "a Date as it is": ([f"{W} = {{app_id: 'a', at: new Date(0)}}"], {"app_id": "a", "at": "1970-01-01T00:00:00.000Z"}),
    "nested": (
        [f"{W} = {{app_id: 'a', company: {{id: 7, tags: ['x', , null, undefined, () => 1]}}}}"],
        {"app_id": "a", "company": {"id": 7, "tags": ["x", None, None, None, None]}},
    ),
    "comments": ([f"/* {{app_id: 'x'}} */ {W} = {{ // here\n app_id: 'a', /* and */ user_id: '42', }} // {{}}"], ADA),
    "a regular expression": ([f"const r = /['\"}}]/g; {W} = {{app_id: 'a', user_id: 'x42'.replace(/\\D/g, '')}}"], ADA),
    "replaced as a whole": ([f"{W} = {{app_id: 'x', email: 'e'}}", f"{W} = {{app_id: 'a', user_id: '42'}}"], ADA),
    "a script that fails first": (["null.x", f"{W} = {{app_id: 'a', user_id: '42'}}"], ADA),
    "a script that fails after": ([f"{W} = {{app_id: 'a', user_id: '42'}}; null.x; {W}.email = 'e'"], ADA),
    "a script that cannot be read": (["var = 1", f"{W} = {{app_id: 'a', user_id: '42'}}"], ADA),
    "in a string only": ([f"const example = \"{W} = {{app_id: 'x'}}\"; {W} = {{app_id: 'a', user_id: '42'}}"], ADA),
    "defineProperty": (
        ["Object.defineProperty(window, 'intercomSettings', {value: {app_id: 'a', user_id: '42'}})"],
        ADA,
    ),
    "eval": ([f"eval(\"{W} = {{app_id: 'a', user_id: '42'}}\")"], ADA),
    "Base64": ([f"{W} = {{app_id: 'a', user_id: atob('NDI=')}}"], ADA),
    "boot": (["Intercom('boot', {app_id: 'a', user_id: '42'})"], ADA),
    "boot of the window": (["window.Intercom('boot', {app_id: 'a', user_id: '42'})"], ADA),
    "boot of settings": ([f"{W} = {{app_id: 'a', user_id: '42'}}; Intercom('boot', {W})"], ADA),
    "boot and update": (["Intercom('boot', {app_id: 'a'}); Intercom('update', {user_id: '42'})"], ADA),
    "update of a changed window": (
        [f"{W} = {{app_id: 'a'}}; Intercom('boot', {W}); {W}.user_id = '42'; Intercom('update')"],
        ADA,
    ),
    "boot after a shutdown": (
        [
            "Intercom('boot', {app_id: 'a', email: 'e'}); Intercom('shutdown'); Intercom('boot', {app_id: 'a', user_id: '42'})"
        ],
        ADA,
    ),
    "a call by apply": (["Intercom.apply(null, ['boot', {app_id: 'a', user_id: '42'}])"], ADA),
    "a call by name": (["const send = window['Intercom']; send('boot', {app_id: 'a', user_id: '42'})"], ADA),
}

V8 = """
const vm = require("vm"), ways = JSON.parse(require("fs").readFileSync(0)), ends = {};
const plain = (value) => JSON.parse(JSON.stringify(value ?? {}));
for (const [name, scripts] of Object.entries(ways)) {
  const context = vm.createContext({ atob });
  const end = ends[name] = { booted: {} };
  vm.runInContext("var window = globalThis", context);
  context.Intercom = (method, given = context.intercomSettings) => {
    if (method === "boot") end.booted = plain(given);
    if (method === "update") Object.assign(end.booted, plain(given));
    if (method === "shutdown") end.booted = {};
  };
  for (const script of scripts) try { vm.runInContext(script, context); } catch {}
  end.context = context;
}
setTimeout(() => {
  for (const name in ends) ends[name] = { ...plain(vm.runInContext("window.intercomSettings", ends[name].context)), ...ends[name].booted };
  console.log(JSON.stringify(ends));
}, 50);
"""
