// The application itself. What it tells the Messenger is startMessenger, signedIn and signedOut, and no more.
import { startMessenger } from "./fin-messenger-auth.js";

const find = (selector) => document.querySelector(selector);

async function show() {
  const { user } = await (await fetch("/session")).json();
  find("#who").textContent = user ? `Signed in as ${user}` : "Nobody is signed in";
}

export async function run(options) {
  show();
  const { widgetBase } = find("script[data-widget-base]").dataset;
  const messenger = await startMessenger("/messenger/settings", { widgetBase, onChange: show, ...options });

  find("#sign-in").addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = JSON.stringify(Object.fromEntries(new FormData(event.target)));
    const answer = await fetch("/session", { method: "POST", body });
    if (answer.ok) await messenger.signedIn();
    show();
  });
  find("#sign-out").addEventListener("click", async () => {
    await fetch("/session", { method: "DELETE" });
    await messenger.signedOut();
    show();
  });
}
