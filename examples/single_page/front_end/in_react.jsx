// The same application in React. What it tells the Messenger is in the hook, which stops with its component.
import { StrictMode, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { startMessenger } from "./fin-messenger-auth.js";

function useMessenger(options) {
  const messenger = useRef(null);
  useEffect(() => {
    messenger.current = startMessenger("/messenger/settings", options);
    return () => messenger.current.stop();
  }, []);
  return messenger;
}

function Application({ widgetBase }) {
  const [user, setUser] = useState(undefined);
  const show = async () => setUser((await (await fetch("/session")).json()).user);
  const messenger = useMessenger({ widgetBase, onChange: show });
  useEffect(() => { show(); }, []);

  async function signIn(event) {
    event.preventDefault();
    const body = JSON.stringify(Object.fromEntries(new FormData(event.currentTarget)));
    if ((await fetch("/session", { method: "POST", body })).ok) await messenger.current.signedIn();
    show();
  }
  async function signOut() {
    await fetch("/session", { method: "DELETE" });
    await messenger.current.signedOut();
    show();
  }
  return (
    <>
      <p id="who">{user === undefined ? "" : user ? `Signed in as ${user}` : "Nobody is signed in"}</p>
      <form onSubmit={signIn}>
        <label>Name <input name="name" autoComplete="username" /></label>
        <label>Password <input name="password" type="password" autoComplete="current-password" /></label>
        <button>Sign in</button>
      </form>
      <button onClick={signOut}>Sign out</button>
    </>
  );
}

const { widgetBase } = document.querySelector("script[data-widget-base]").dataset;
createRoot(document.querySelector("main")).render(<StrictMode><Application widgetBase={widgetBase} /></StrictMode>);
