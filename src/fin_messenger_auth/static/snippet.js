// The settings that the server has put into the page. This is what the snippet and the sign-out script call.
import { core } from "./core.js";

export const boot = (settings, base) => {
  const page = core();
  // Turbo shows a stored copy of the page while it fetches the real one.
  if (page.read_("documentElement").matches("[data-turbo-preview],[data-turbolinks-preview]")) return;
  page.base_ = base;
  page.nonce_ = page.read_("currentScript")?.nonce ?? "";
  // The page itself comes first.
  page.later_ = (load) => page.read_("readyState") === "complete" ? load() : addEventListener("load", load);
  page.fresh_ = true;
  page.boot(settings);
};

export const leave = (app) => core().leave(app);
