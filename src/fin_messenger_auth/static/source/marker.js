// Keeps the marker: a cookie that says that somebody was identified in this browser, and not who.
//
// It is a random salt, and 32 bits of FNV-1a over salt and id: enough to tell the same person from another. It shares the
// domain and the fate of the Messenger's own cookies.
//
// Markup can shadow every property of `document`, so it is read through its prototype.

export const NAME = "fin-messenger-auth";

/**
 * Read a property of the document that no markup can shadow.
 * @param {string} name
 * @returns {any}
 */
export const read = (name) => Reflect.get(Document.prototype, name, document);

/** Return all cookies; none in a frame that may have none. */
export function cookieJar() {
  try {
    return `; ${read("cookie")}`;
  } catch {
    return "";
  }
}

/** @param {string} name */
export const readCookie = (name, jar = cookieJar()) => jar.split(`; ${name}=`)[1]?.split(";")[0] ?? "";

/**
 * Set a cookie, or expire it without a value. The scopes are every domain above this host from the widest, of which the
 * first that the browser accepts gets the value, then the host alone.
 * @param {string} name
 */
export function writeCookie(name, value = "") {
  const domains = location.hostname.split(".").map((_, index, labels) => `;domain=${labels.slice(~index).join(".")}`);
  for (const scope of [...domains, ""])
    if (!value || readCookie(name) !== value)
      try {
        const cookie = `${name}=${value};path=/;samesite=lax;max-age=${value ? 3e7 : 0}${scope}`;
        Reflect.set(Document.prototype, "cookie", cookie, document);
      } catch {} // a frame that may have no cookies
}

/** @param {string | undefined} appId */
export const markerName = (appId) => `${NAME}.${appId}`;

/** Return the workspace of a marker, for a page that does not know its own yet. */
export const markedApp = () => cookieJar().split(`; ${NAME}.`)[1]?.split("=")[0];

/** @param {string} who */
export function makeMarker(who, salt = Math.random().toString(36).slice(2)) {
  let hash = 2166136261;
  for (const each of salt + who) hash = Math.imul(hash ^ each.charCodeAt(0), 16777619);
  return `${salt}.${(hash >>> 0).toString(36)}`;
}

/**
 * Tell whether a marker is this person's; without a marker, nobody's.
 * @param {string} who
 * @param {string} marker
 */
export const isMarkerOf = (who, marker) => marker === (who && makeMarker(who, marker.split(".")[0]));
