// What the snippet and the sign-out script call, with the settings that the server has put into the page.
import { shared } from "./page.js";

/** @type {import("./page.js").Shared["take"]} */
export const boot = (settings, base, id) => shared().take(settings, base, id);

/** @type {import("./page.js").Shared["signOut"]} */
export const leave = (app) => shared().signOut(app);
