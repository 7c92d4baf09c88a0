// Tells who settings are for, and which of them say nothing of a person.

/**
 * @typedef {Record<string, any>} Settings
 * @typedef {{user_id?: unknown, email?: unknown, exp?: number, iat?: number}} Claims
 */

// What may stay when nobody is signed in, and what a front end may set itself. Everything else can say something of a
// person.
const DISPLAY = (
  "app_id api_base alignment horizontal_padding vertical_padding z_index action_color background_color link_color "
  + "custom_launcher_selector hide_default_launcher hide_notifications language_override page_title"
).split(" ");

/**
 * Return the settings that say nothing of a person.
 * @param {Settings | undefined} settings
 * @returns {Settings}
 */
export const displayOnly = (settings) =>
  Object.fromEntries(Object.entries(settings ?? {}).filter(([name]) => DISPLAY.includes(name)));

/**
 * Return the claims of a token, which nobody verifies here: that is the platforms' part. Their text stays in bytes of
 * UTF-8, which is enough to tell one person from another.
 * @param {unknown} token
 * @returns {Claims}
 */
export function claims(token) {
  try {
    return JSON.parse(atob(String(token).split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))) ?? {};
  } catch {
    return {};
  }
}

/**
 * Return the person whom the settings identify, or "". With a JWT, which may stand alone, it is the token's.
 * @param {Settings} settings
 * @returns {string}
 */
export function whoIs(settings) {
  const token = settings.intercom_user_jwt, { user_id, email } = { ...settings, ...claims(token) };
  return String(user_id ?? email ?? (token ? "?" : ""));
}
