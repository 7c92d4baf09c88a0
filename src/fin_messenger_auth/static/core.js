// The rules that keep one person's chats from the next, for the snippet, the sign-out script and the module alike.
//
// An identified boot leaves a marker: a cookie, which shares the domain and the fate of the Messenger's own cookies.
// A boot for somebody else, or for nobody, that finds it shuts the Messenger down first; a tab that sees it change
// shuts the Messenger down at once. All scripts of a document share one state.
//
// Markup can shadow every property of `document`, and those properties of `window` that are not its own. So `document`
// is read through its prototype, and the state is stored under a symbol. The build shortens names that end in "_".

const NAME = "fin-messenger-auth";

// What may stay in the settings when nobody is signed in; everything else can say something of a person.
const DISPLAY = /^(ap(p_id|i_base)|alignment|z_index|language_override|custom_launcher_selector|hide_(default_launcher|notifications)|\w+al_padding|(action|background|link)_color)$/;

export const anonymous = (settings) =>
  Object.fromEntries(Object.entries(settings || {}).filter(([name]) => DISPLAY.test(name)));

// The person in the settings, or "".
export const whoIs = (settings) => "" + (settings.user_id ?? settings.email ?? "");

// The state of this document, made by the first script that asks for it.
export const core = () => (window[Symbol.for(NAME)] ??= make());

function make() {
  const w = window, d = document, prototype = Document.prototype;
  const page = { base_: "https://widget.intercom.io/widget/", nonce_: "", turn_: 0, updates_: [], later_: (load) => load(), read_, boot, leave, emit_, say_ };
  let app, booted, bell, guest;

  function say_(why) { console.warn(NAME + ": " + why); }
  function read_(name) { return Reflect.get(prototype, name, d); }
  const own = (name) => Object.hasOwn(w, name) && w[name];
  const hasMessenger = () => typeof own("Intercom") === "function";
  const call = (method, settings) => page.api_ ? page.api_[method](settings) : w.Intercom(method, settings);

  const cookie = (name) => {
    try { return ("; " + read_("cookie")).split("; " + name + "=")[1]?.split(";")[0]; } catch { /* a sandboxed frame */ }
  };
  // Expires a cookie, or sets it. The scopes: every domain above this host from the widest, of which the first that the
  // browser accepts gets the value, then the host alone.
  const bake = (name, value = "") => {
    const domains = w.location.hostname.split(".").map((_, index, labels) => ";domain=" + labels.slice(~index).join("."));
    for (const scope of [...domains, ""])
      if (!value || cookie(name) !== value)
        try {
          Reflect.set(prototype, "cookie", name + "=" + value + ";path=/;samesite=lax;max-age=" + (value ? 3e7 : 0) + scope, d);
        } catch { /* a sandboxed frame */ }
  };

  // A marker says that somebody was identified here, not who: a random salt, and 32 bits of FNV-1a over salt and id,
  // enough to tell the same person from another.
  const key = () => NAME + "." + app;
  const mark = (salt, who) => {
    let hash = 2166136261;
    for (const each of salt + who) hash = Math.imul(hash ^ each.codePointAt(), 16777619);
    return salt + "." + (hash >>> 0).toString(36);
  };
  const isOf = (who, value = "") => value === (who && mark(value.split(".")[0], who));
  const remember = (value = "") => {
    bake(key(), value);
    bell?.postMessage({ [key()]: value });
  };

  // Ends the Messenger's session. `name`: the workspace, where no boot of this document has said it; `passive`: the
  // marker is another tab's affair.
  function leave(name, passive) {
    app = name || app;
    page.turn_++;
    if (hasMessenger()) call("shutdown");
    page.settings_ = w.intercomSettings = anonymous(own("intercomSettings"));
    page.who_ = booted = guest = "";
    // The widget may boot before it works off its queue, so the cookies go at once, and the marker after them.
    const names = ["session", "id", "device-id"].map((kind) => "intercom-" + kind + "-" + app);
    names.forEach((each) => bake(each));
    if (!passive) names.some(cookie) ? say_("the Messenger's cookies stay.") : remember();
    page.planned_?.();
  }

  // Boots the Messenger for the person in the settings, and for nobody else. `passive`: leave the marker alone.
  function boot(settings, passive) {
    if (booted && app !== settings.app_id) leave();
    page.turn_++;
    app = settings.app_id;
    const who = whoIs(settings), found = cookie(key());
    const foreign = !passive && (page.who_ && page.who_ !== who || found && !isOf(who, found));

    if (!hasMessenger()) {
      booted = "";
      const source = page.base_ + encodeURIComponent(app);
      if (page.api_) page.api_.Intercom({ ...settings, widgetUrl: source });
      else {
        (w.Intercom = (...args) => w.Intercom.q.push(args)).q = [];
        const load = () => {
          const script = prototype.createElement.call(d, "script");
          script.src = source;
          script.nonce = page.nonce_;
          script.onerror = () => delete w.Intercom; // the next boot tries again
          read_("documentElement").append(script);
        };
        page.later_(load);
      }
    }
    if (foreign) leave(app, who);
    if (who) {
      const marker = mark(Math.random().toString(36).slice(2), who); // a new one, which renews the cookie in one step
      remember(marker);
      if (cookie(key()) !== marker) {
        say_("without cookies nobody is identified.");
        settings = anonymous(settings);
      }
    }
    page.who_ = whoIs(settings);
    page.settings_ = w.intercomSettings = settings;
    call(booted ? "update" : "boot", settings);
    booted = 1;
    page.planned_?.();
  }

  // Tells those who want to know; true if the page is loaded again.
  function emit_(who, reload) {
    const detail = who ? "user-changed" : "signed-out";
    prototype.dispatchEvent.call(d, new CustomEvent(NAME + ":stopped", { detail }));
    page.onChange_?.(detail);
    // Two tabs whose servers disagree must not reload each other without end.
    if (reload || page.reload_ && performance.now() > 5e3) return w.location.reload(), true;
  }

  // Another tab may have signed out or in, now or while this document slept. An anonymous widget that loads while
  // somebody is signed in elsewhere finds their session: so it is shut down when they leave.
  const check = (event) => {
    const name = key(), found = event.data?.[name] ?? cookie(name); // the news can be here before the cookie
    const ended = guest && !found;
    if (!app || !ended && isOf(page.who_, found)) return page.wake_?.(event);
    if (page.who_ || ended) leave(app, true);
    // Some browsers tell that a page from the history is visible before they tell that it is from there.
    else if (!page.ask_) return event.persisted ? emit_(found, true) : guest = 1;
    if (!emit_(found, event.persisted && !page.ask_)) page.ask_ ? page.ask_() : found || boot(page.settings_, true);
  };
  for (const name of ["pageshow", "visibilitychange", "focus", "online"]) w.addEventListener(name, check);
  try {
    (bell = new BroadcastChannel(NAME)).onmessage = check;
  } catch { /* not in this frame */ }
  return page;
}
