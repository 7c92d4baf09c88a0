/** What a front end may set itself; it stays over sign-out and renewal. */
export interface DisplaySettings {
  /** Needed only where a Messenger must be shown before the server has ever answered. */
  app_id?: string;
  api_base?: string;
  alignment?: "left" | "right";
  horizontal_padding?: number;
  vertical_padding?: number;
  z_index?: number;
  action_color?: string;
  background_color?: string;
  link_color?: string;
  custom_launcher_selector?: string;
  hide_default_launcher?: boolean;
  hide_notifications?: boolean;
  language_override?: string;
  page_title?: string;
}

/** What the server returns: the output of `build_settings`. Without a user and tokens, an anonymous visitor's. */
export interface MessengerSettings extends DisplaySettings {
  app_id: string;
  user_id?: string;
  intercom_user_jwt?: string;
  salesforce_identity_token?: string;
  email?: string;
  name?: string;
  phone?: string;
  created_at?: number;
  user_hash?: string;
  session_duration?: number;
  installation_type?: string;
  unsubscribed_from_emails?: boolean;
  avatar?: { type: "avatar"; image_url: string };
  company?: Company;
  companies?: Company[];
  auth_tokens?: Record<string, string>;
}

/** A company, and its custom attributes. */
export interface Company {
  id: string;
  name?: string;
  [attribute: string]: unknown;
}

/**
 * Returns the settings of whoever is signed in now, `null` for nobody, or the endpoint's response. It is called again
 * for fresh tokens, and `signal` ends what takes too long.
 */
export type SettingsFunction = (how: { signal: AbortSignal }) => Asked | Promise<Asked>;
type Asked = MessengerSettings | Response | null;

/** The URL of the endpoint, settings, which cannot be renewed, or a function. */
export type Source = string | URL | MessengerSettings | SettingsFunction;

/** `import * as api from "@intercom/messenger-js-sdk"`. */
export interface NpmPackage {
  boot(settings: MessengerSettings): void;
  update(settings: MessengerSettings): void;
  shutdown(): void;
}

/** What `useIntercom()` of `react-use-intercom` returns. */
export interface ReactUseIntercom {
  boot(props: { customAttributes: Record<string, any> }): void;
  update(props: { customAttributes: Record<string, any> }): void;
  shutdown(): void;
  hardShutdown(): void;
}

export type Change = "signed-out" | "user-changed";

export interface Options {
  /** The front end's own settings. */
  settings?: DisplaySettings;
  /** Called after the Messenger was shut down because somebody else is signed in, or nobody. */
  onChange?: (change: Change) => void;
  /** Load the page again in that case; not in the first 5 seconds of a page, and never offline. */
  reload?: boolean;
  /** Called when the widget's script has come, unless a wrapper loads it. */
  onLoad?: () => void;
  /** Called when it does not come, because of an ad blocker or a Content-Security-Policy, say. */
  onLoadFailed?: () => void;
  /** A package that wraps the Messenger, where the application uses one. Never call its `boot` yourself. */
  api?: NpmPackage | ReactUseIntercom;
  /** For the endpoint; by default `"include"`, which an API on another origin needs to see the session's cookie. */
  credentials?: RequestCredentials;
  /** Where the widget is loaded from, without the app ID that follows; the sandbox: `http://127.0.0.1:…/widget/`. */
  widgetBase?: string;
}

export interface Messenger {
  /** Call it after a sign-in without a page load. A URL or a function becomes the source; settings are taken as they are. */
  signedIn(source?: Source): Promise<void>;
  /** Call it after the server has ended the session. Shuts the Messenger down at once and boots it anonymously. */
  signedOut(): Promise<void>;
  /** Fetch the settings now. */
  refresh(): Promise<void>;
  /** Set display settings. */
  update(settings: DisplaySettings): void;
  /** Tell the Messenger that the address has changed. */
  routeChanged(): void;
  /** End the renewal. The Messenger stays, until another tab signs out or in. */
  stop(): void;
}

/**
 * Start the Messenger, or take over the one that the snippet has started. On a server it does nothing.
 *
 * @param source The URL of the endpoint, a function that returns settings, or settings.
 * @returns A promise that is kept after the first answer. It has the same methods, which need not wait for that.
 */
export function startMessenger(source: Source, options?: Options): Promise<Messenger> & Messenger;

declare global {
  // As variables they are those of `window`, and agree with whatever a package declares there.
  var Intercom: ((method: string, ...values: any[]) => any) | undefined;
  var intercomSettings: MessengerSettings | undefined;
  interface DocumentEventMap {
    "fin-messenger-auth:stopped": CustomEvent<Change>;
  }
}
