/** What the site's endpoint returns: the output of `build_settings`. Without `user_id` for an anonymous visitor. */
export interface MessengerSettings {
  app_id: string;
  api_base?: string;
  user_id?: string;
  email?: string;
  intercom_user_jwt?: string;
  salesforce_identity_token?: string;
  [setting: string]: unknown;
}

/** The functions of `@intercom/messenger-js-sdk`: `import * as api from "@intercom/messenger-js-sdk"`. */
export interface NpmPackage {
  Intercom(settings: MessengerSettings): void;
  boot(settings: MessengerSettings): void;
  update(settings: MessengerSettings): void;
  shutdown(): void;
}

export type Change = "signed-out" | "user-changed";

export interface Options {
  /** Where the widget is loaded from, without the app ID that follows; the sandbox: `http://127.0.0.1:…/widget/`. */
  widgetBase?: string;
  /** The npm package, where the application uses it. It then loads the widget. Never call its `boot` yourself. */
  api?: NpmPackage;
  /** Load the page again when somebody else is signed in, or nobody; not in the first 5 seconds of a page. */
  reload?: boolean;
  /** Called after the Messenger was shut down because somebody else is signed in, or nobody. */
  onChange?: (change: Change) => void;
}

export interface Messenger {
  /** Call it after a sign-in without a page load. Without `settings` they come from the endpoint. */
  signedIn(settings?: MessengerSettings): Promise<void>;
  /** Call it after the server has ended the session. Shuts the Messenger down at once and boots it anonymously. */
  signedOut(): Promise<void>;
  /** Fetch the settings from the endpoint now. */
  refresh(): Promise<void>;
  /** End the renewal. The Messenger stays, until another tab signs out or in. */
  stop(): void;
}

/**
 * Start the Messenger, or take over the one that the snippet has started.
 *
 * @param source The path of the site's own endpoint, or settings; with settings alone nothing can be renewed.
 */
export function startMessenger(source: string | URL | MessengerSettings, options?: Options): Promise<Messenger>;

declare global {
  interface DocumentEventMap {
    "fin-messenger-auth:stopped": CustomEvent<Change>;
  }
}
