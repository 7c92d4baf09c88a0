// The settings that the server has put into the page. This is what the snippet and the sign-out script call.
import { anonymous, core, whoIs } from "./core.js";

// `id` is new for each response with a person in it.
export const boot = (settings, base, id) => {
  const page = core();
  // Turbo shows a stored copy of the page while it fetches the real one.
  if (page.read_("documentElement").matches("[data-turbo-preview],[data-turbolinks-preview]")) return;
  page.base_ = base;
  page.nonce_ = page.read_("currentScript")?.nonce ?? "";
  // The page itself comes first.
  page.later_ = (load) => page.read_("readyState") === "complete" ? load() : addEventListener("load", load);
  page.fresh_ = true;
  // The back button of Turbo and htmx brings back a stored page: nobody signs in again by that.
  const seen = page.seen_ ??= {};
  const isStale = seen[id] && page.who_ !== whoIs(settings);
  if (id) seen[id] = 1;
  if (isStale && page.ask_) page.ask_();
  else page.boot(isStale ? anonymous(settings) : settings);
};

export const leave = (app) => core().leave(app);
