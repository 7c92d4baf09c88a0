// Ends the Messenger's session in this browser and forgets whose it was.
(function (app, cookies, personal) {
  "use strict";
  var w = window, d = document, settings = w.intercomSettings, page = w.finMessengerAuth;
  if (typeof w.Intercom === "function") w.Intercom("shutdown");
  if (settings) personal.forEach(function (name) { delete settings[name]; });
  if (page) page.booted = page.marker = null;
  try { w.localStorage.removeItem("fin-messenger-auth." + app); } catch (e) { /* no storage, no marker */ }
  cookies.forEach(function (name) {
    var dead = name + "=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT";
    d.cookie = dead;
    for (var host = w.location.hostname; host.indexOf(".") > 0; host = host.slice(host.indexOf(".") + 1))
      d.cookie = dead + "; domain=" + host;
  });
})
