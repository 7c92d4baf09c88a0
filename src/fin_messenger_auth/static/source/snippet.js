// What the snippet and the sign-out script call, with the settings that the server has put into the page.
import { shared } from "./page.js";

/** @type {import("./page.js").Shared["boot"]} */
export const boot = (settings, base, id) => shared().boot(settings, base, id);

/** @type {import("./page.js").Shared["leave"]} */
export const leave = (app) => shared().leave(app);
