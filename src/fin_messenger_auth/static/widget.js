// A stand-in for the Messenger's widget, for developers. Served by `fin-messenger-auth sandbox`; it talks to no platform.
(function () {
  "use strict";
  var d = document, w = window;

  // Through the prototype: an <img name=cookie> shadows document.cookie.
  function read(name) { return Reflect.get(Document.prototype, name, d); }
  function bake(text) { Reflect.set(Document.prototype, "cookie", text + "; path=/", d); }
  function element() { return Document.prototype.createElement.call(d, "div"); }

  var source = new URL(read("currentScript").src);
  var local = ["127.0.0.1", "localhost", "[::1]"].indexOf(source.hostname) >= 0;
  var queue = (w.Intercom && w.Intercom.q) || [];
  var seen = w.finMessengerSandbox = { calls: [], verdicts: [], chats: null };
  var current = null, number = 0, badge;

  function cookie(app) { return "intercom-session-" + app; }
  function remembered(app) {
    var found = read("cookie").split("; ").filter(function (each) { return each.indexOf(cookie(app) + "=") === 0; })[0];
    return found ? decodeURIComponent(found.slice(cookie(app).length + 1)) : null;
  }
  function say(lines) {
    if (!badge) {
      badge = element();
      badge.id = "fin-messenger-sandbox";
      badge.style.cssText = "position:fixed;right:16px;bottom:16px;max-width:380px;padding:12px 16px;z-index:2147483647;"
        + "font:14px/1.5 system-ui,sans-serif;color:#222;background:#fffbe6;border:2px dashed #b7791f;border-radius:8px";
    }
    badge.textContent = "";
    ["SANDBOX: a stand-in, not the Messenger"].concat(lines).forEach(function (line, index) {
      var row = badge.appendChild(element());
      row.textContent = line;
      if (!index) row.style.fontWeight = "600";
    });
    (read("body") || read("documentElement")).appendChild(badge);
  }
  function show(verdict) {
    var app = current.app_id, held = remembered(app);
    seen.verdicts.push(verdict);
    // As on the real platform, a session outlives its tokens until it is shut down.
    if (verdict.user_id) {
      held = verdict.user_id;
      bake(cookie(app) + "=" + encodeURIComponent(held) + "; max-age=604800; samesite=lax");
    }
    seen.chats = held;
    say(["Intercom: " + verdict.intercom, "Salesforce: " + verdict.salesforce, "Chats shown: " + (verdict.chats || held || "none")]);
  }
  function report(method, settings) {
    var mine = ++number, base = local ? source.origin : settings.api_base, held = remembered(settings.app_id);
    var sent = Object.assign({}, settings, { sandbox_call: { method: method, session: held } });
    fetch(base + "/sandbox/verdict", { method: "POST", body: JSON.stringify(sent) })
      .then(function (answer) { return answer.json(); })
      .then(function (verdict) { if (mine === number) show(verdict); })
      .catch(function () { say(["No verdict: the page's connect-src does not allow " + base + ", or nothing answers there."]); });
  }
  function call(method, settings) {
    seen.calls.push([method, settings && JSON.parse(JSON.stringify(settings))]);
    if (method === "shutdown") {
      if (current) bake(cookie(current.app_id) + "=; max-age=0");
      else if (w.intercomSettings) bake(cookie(w.intercomSettings.app_id) + "=; max-age=0");
      current = seen.chats = null;
      number++;
      say(["Shut down"]);
    } else if (method === "boot" || (method === "update" && current)) {
      current = Object.assign({}, current, settings);
      // As on the real platform, an update does not carry the token of the boot.
      report(method, Object.assign({}, current, { intercom_user_jwt: (settings || {}).intercom_user_jwt }));
    }
  }

  w.Intercom = function () { call.apply(null, arguments); };
  w.Intercom.booted = true;
  if (!queue.length && w.intercomSettings) call("boot", w.intercomSettings);
  queue.forEach(function (each) { call.apply(null, each); });
})();
