// Boots the Messenger for the visitor of this page, and for nobody else.
// `settings` is window.intercomSettings, `base` where the widget's script lies, `cookies` what the Messenger
// keeps. Runs once a page view: again in the same document when Turbo or its like swaps the body.
(function (settings, base, cookies) {
  "use strict";
  var w = window, d = document, root = d.documentElement, self = d.currentScript;
  // Turbo shows a stored copy of the page while it fetches the real one.
  if (root.hasAttribute("data-turbo-preview") || root.hasAttribute("data-turbolinks-preview")) return;

  var app = settings.app_id, key = "fin-messenger-auth." + app;
  var page = w.finMessengerAuth = w.finMessengerAuth || {};
  var who = settings.user_id == null ? settings.email : settings.user_id;

  // The marker says that somebody was identified here, not who: a random salt, and 32 bits of FNV-1a
  // over salt and id, enough to tell the same person from another.
  function mark(salt) {
    var hash = 2166136261, text = salt + who;
    for (var i = 0; i !== text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
    return salt + "." + (hash >>> 0).toString(36);
  }
  function stored() {
    try { return w.localStorage.getItem(key); } catch (e) { return null; }
  }
  function store(value) {
    page.marker = value;
    try {
      if (value) w.localStorage.setItem(key, value); else w.localStorage.removeItem(key);
    } catch (e) { /* no storage: this document is all there is to remember */ }
  }
  // The widget may boot from window.intercomSettings before it works off the queue, so the cookies of
  // the last person go at once, on every domain that can have set them.
  function expireCookies() {
    cookies.forEach(function (name) {
      var dead = name + "=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT";
      d.cookie = dead;
      for (var host = w.location.hostname; host.indexOf(".") > 0; host = host.slice(host.indexOf(".") + 1))
        d.cookie = dead + "; domain=" + host;
    });
  }

  var marker = stored() || page.marker, same = false, foreign = false;
  if (marker) {
    same = who != null && marker === mark(marker.split(".")[0]);
    foreign = !same;
  }

  w.intercomSettings = settings;
  if (typeof w.Intercom !== "function") {
    var stub = w.Intercom = function () { stub.c(arguments); };
    stub.q = [];
    stub.c = function (call) { stub.q.push(call); };
  }
  if (foreign) {
    w.Intercom("shutdown");
    expireCookies();
    store(null);
  }
  w.Intercom(page.booted === app && !foreign ? "update" : "boot", settings);
  page.booted = app;
  if (who != null) store(same ? marker : mark(Math.random().toString(36).slice(2)));

  if (page.loaded) return;
  page.loaded = true;
  function load() {
    var script = d.createElement("script");
    script.async = true;
    script.src = base + encodeURIComponent(app);
    if (self && self.nonce) script.nonce = self.nonce;
    d.head.appendChild(script);
  }
  if (d.readyState === "complete") load(); else w.addEventListener("load", load);
  // The back button can bring back this very document after a sign-out: let the server decide anew.
  w.addEventListener("pageshow", function (event) {
    if (event.persisted && page.marker && stored() !== page.marker) w.location.reload();
  });
})
